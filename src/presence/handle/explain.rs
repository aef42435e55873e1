//! `explain`: how a record stands, and how it came to that.

use super::{Presence, Shared};
use crate::{
    model::{
        error::{ErrorCode, Problem},
        explain::Explanation,
        ids::{SignalId, VisitorKey},
        timeline::{Entry, Note},
    },
    presence::{timeline::Timelines, visitor::Visitor},
};

impl Presence {
    /// Explains a visitor, or one signal to him, with at most `limit` entries of his timeline; `notfound` when nothing is
    /// known.
    pub fn explain(
        &self,
        key: VisitorKey,
        signal: Option<SignalId>,
        limit: usize,
        answer: impl FnOnce(Result<Explanation, Problem>) + Send + 'static,
    ) {
        let (presence, of) = (self.clone(), key.clone());
        let look = |visitor: Option<&Visitor>| visitor.map(Visitor::explain);
        self.read(key, look, move |record| {
            answer(record.and_then(|record| {
                let timeline = presence.timelines().of(&of, signal, limit);
                if timeline.entries.is_empty() && (record.is_none() || signal.is_some()) {
                    let what = if signal.is_some() { "signal" } else { "visitor" };
                    let sentence = format!("nothing is remembered of this {what}");
                    return Err(Problem::new(ErrorCode::NotFound, sentence));
                }
                let node = presence.node();
                Ok(Explanation {
                    visitorid: of.visitor,
                    group: of.group,
                    node: format!("{:x}-{:x}", node.node, node.incarnation),
                    now: presence.clock().now(),
                    record,
                    timeline: timeline.entries,
                    more: timeline.more,
                    forgotten: timeline.forgotten,
                })
            }));
        });
    }

    /// What happened to visitors' records.
    #[must_use]
    pub fn timelines(&self) -> &Timelines {
        &self.shared.timelines
    }
}

impl Shared {
    /// A signal was not taken: by the record, or before it came there.
    pub(super) fn refused(&self, key: &VisitorKey, signal: SignalId, cause: ErrorCode) {
        let note = Note::SignalRefused { signal, cause };
        self.timelines.add(key, Entry { time: self.clock.now(), note });
    }
}
