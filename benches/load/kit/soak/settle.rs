//! What must be left of a round: nothing.

use std::time::{Duration, Instant};

use super::PROGRESS;
use crate::kit::server::{Figures, Server};

/// How long a record remembers outcomes, and so lives on after its last signal.
const OUTCOME_MEMORY: Duration = Duration::from_secs(60);
/// How often the server forgets whom its limiters have no reason to remember.
const TIDY: Duration = Duration::from_secs(60);
/// What must be zero when all are gone. Some of it needs a while, which only a thorough run waits for.
const EMPTY_SOON: [&str; 6] = [
    "sockets_open",
    "watchers",
    "inbox_depth",
    "visitors_connected",
    "visitors_in_transit",
    "signals_held",
];
const EMPTY_LATER: [&str; 5] =
    ["records", "timers", "code_records", "event_streams_open", "webhooks_waiting"];
/// Limiters that remember who asks for the figures.
const OF_US: [&str; 2] = ["\"connections_by_address\"", "\"requests\""];

/// What is left of a round.
fn left(figures: &Figures, is_thorough: bool) -> Vec<String> {
    let later: &[&str] = if is_thorough { &EMPTY_LATER } else { &[] };
    let names = EMPTY_SOON.iter().chain(later);
    let mut left: Vec<_> = names.map(|name| (*name, figures.sum(name))).collect();
    if is_thorough {
        left.extend(figures.rows("limiter_keys").into_iter().map(|(key, number)| {
            // We are remembered ourselves, for asking: our connection, and our requests.
            let of_us = OF_US.iter().any(|limiter| key.contains(limiter));
            (key, if of_us { (number - 1.0).max(0.0) } else { number })
        }));
    }
    left.retain(|(_, number)| *number != 0.0);
    left.into_iter().map(|(name, number)| format!("{name} is still {number}")).collect()
}

/// Waits until nothing is left of a round.
pub fn settle(server: &Server, is_thorough: bool) -> Vec<String> {
    // Ghosts linger for a while, the grace runs out, and a thorough run waits for outcomes and limits to be forgotten.
    let patience = Duration::from_secs(15)
        + if is_thorough { OUTCOME_MEMORY.max(TIDY) } else { Duration::ZERO };
    let (started, mut told) = (Instant::now(), Instant::now());
    loop {
        std::thread::sleep(Duration::from_millis(250));
        if is_thorough && told.elapsed() >= PROGRESS {
            told = Instant::now();
            println!(
                "soak: {:.0} s of waiting for what is left to go",
                started.elapsed().as_secs_f64()
            );
        }
        let left = left(&server.metrics(), is_thorough);
        if left.is_empty() || started.elapsed() > patience {
            if is_thorough {
                // The allocator gives memory back with a delay of about ten seconds.
                std::thread::sleep(Duration::from_secs(12));
            }
            return left;
        }
    }
}
