//! What is kept, in figures.

use std::{iter::Sum, sync::Arc};

use super::{handle::Topics, record::GroupTopics};
use crate::{
    model::ids::GroupId,
    store::{Afterwards, Engine as _, Refusal},
    telemetry::Metrics,
};

/// What is kept of a group, or of all of them.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Figures {
    retained: usize,
    messages: usize,
    bytes: usize,
    visitor_bytes: usize,
}

impl From<&GroupTopics> for Figures {
    fn from(record: &GroupTopics) -> Self {
        let (messages, bytes) = record.kept();
        let retained = record.retained_topics();
        Self { retained, messages, bytes, visitor_bytes: record.visitor_bytes() }
    }
}

impl Sum for Figures {
    fn sum<I: Iterator<Item = Self>>(all: I) -> Self {
        all.fold(Self::default(), |sum, one| Self {
            retained: sum.retained + one.retained,
            messages: sum.messages + one.messages,
            bytes: sum.bytes + one.bytes,
            visitor_bytes: sum.visitor_bytes + one.visitor_bytes,
        })
    }
}

impl Topics {
    /// Brings the figures that are states, not counts, up to date. What several nodes keep on their server this one asks for,
    /// of the groups that it has had to do with, and says what it learnt when it asked last.
    pub fn refresh_metrics(&self, metrics: &Metrics) {
        let gauge = |number: usize| i64::try_from(number).unwrap_or(i64::MAX);
        let hub = &self.shared.hub;
        let kept: Figures = if self.is_shared() {
            hub.groups_in_use().for_each(|(id, _)| self.ask_for_figures(id));
            hub.groups_in_use().map(|(_, group)| *group.kept.lock()).sum()
        } else {
            let mut all = Vec::new();
            self.engine.for_each(|_, record| all.push(Figures::from(record)));
            all.into_iter().sum()
        };
        metrics.topics_retained.set(gauge(kept.retained));
        metrics.topic_messages_kept.set(gauge(kept.messages));
        metrics.topic_bytes_kept.set(gauge(kept.bytes));
        metrics.topic_visitor_bytes_kept.set(gauge(kept.visitor_bytes));
        metrics.topic_subscriptions.set(gauge(hub.subscriptions()));
        metrics.topic_messages_waiting.set(gauge(hub.waiting()));
    }

    fn ask_for_figures(&self, of: &GroupId) {
        let (shared, id) = (Arc::clone(&self.shared), of.clone());
        let reader = move |record: Result<Option<&GroupTopics>, Refusal>| -> Afterwards {
            if let (Ok(record), Ok(group)) = (record, shared.hub.group(&id)) {
                *group.kept.lock() = record.map(Figures::from).unwrap_or_default();
            }
            Box::new(|| ())
        };
        self.engine.read(of.clone(), Box::new(reader));
    }
}
