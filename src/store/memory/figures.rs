//! What an engine counted.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::store::Stats;

/// What an engine counted, and what waits in its inboxes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct EngineFigures {
    /// Jobs that wait.
    pub waiting: u64,
    /// See [`Stats::commands`].
    pub commands: u64,
    /// See [`Stats::panics`].
    pub panics: u64,
    /// See [`Stats::set_aside`].
    pub set_aside: u64,
    /// See [`Stats::refused`].
    pub refused: u64,
    /// See [`Stats::full`].
    pub full: u64,
    /// Transitions made anew, because another node was faster.
    pub conflicts: u64,
    /// Questions that the nodes' server did not answer in time.
    pub away: u64,
    /// Messages of other nodes that were dropped because the engine was too far behind.
    pub missed: u64,
    /// Records that are in this process' memory.
    pub remembered: u64,
}

impl EngineFigures {
    pub(in crate::store) fn of(stats: &Stats, waiting: usize) -> Self {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let Stats { commands, panics, set_aside, refused, full } = stats;
        Self {
            waiting: waiting as u64,
            commands: read(commands),
            panics: read(panics),
            set_aside: read(set_aside),
            refused: read(refused),
            full: read(full),
            ..Self::default()
        }
    }
}

impl std::iter::Sum for EngineFigures {
    fn sum<I: Iterator<Item = Self>>(all: I) -> Self {
        all.fold(Self::default(), |sum, one| Self {
            waiting: sum.waiting + one.waiting,
            commands: sum.commands + one.commands,
            panics: sum.panics + one.panics,
            set_aside: sum.set_aside + one.set_aside,
            refused: sum.refused + one.refused,
            full: sum.full + one.full,
            conflicts: sum.conflicts + one.conflicts,
            away: sum.away + one.away,
            missed: sum.missed + one.missed,
            remembered: sum.remembered + one.remembered,
        })
    }
}
