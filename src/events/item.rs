//! One event on its way to back ends: encoded once, shared by all who get it.

use std::sync::Arc;

use bytes::Bytes;

use crate::{
    clock::Timestamp,
    model::{
        event::{Event, EventId, GroupEvent},
        ids::{GroupId, VisitorId},
    },
};

/// What an item weighs besides its body: the item, its place in a log, and what the allocator adds.
const OVERHEAD: usize = 160;

/// An event as back ends get it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
    /// Its name.
    pub id: EventId,
    /// Its kind's place in [`crate::model::event::EventKind::NAMES`].
    pub kind: usize,
    /// When it happened.
    pub time: Timestamp,
    /// A [`GroupEvent`] as JSON text.
    pub body: Bytes,
}

impl Item {
    /// Encodes an event of `group`. `None` for what JSON cannot say, which no event is.
    #[must_use]
    pub fn new(group: &GroupId, event: &Event) -> Option<Arc<Self>> {
        let id = event.id();
        let mut body = Vec::with_capacity(256);
        // The head that `GroupEvent` has before the event's own fields; neither text needs an escape.
        std::io::Write::write_fmt(&mut body, format_args!(r#"{{"id":"{id}","group":"{group}","#))
            .ok()?;
        let head = body.len();
        serde_json::to_writer(&mut body, event).ok()?;
        // The event's own opening brace.
        body.remove(head);
        body.shrink_to_fit();
        let (kind, time) = (event.kind.index(), event.time);
        Some(Arc::new(Self { id, kind, time, body: body.into() }))
    }

    /// An item as it was saved: from its body.
    #[must_use]
    pub fn from_body(body: &str) -> Option<Arc<Self>> {
        let GroupEvent { event, .. } = serde_json::from_str(body).ok()?;
        let (id, kind, time) = (event.id(), event.kind.index(), event.time);
        Some(Arc::new(Self { id, kind, time, body: Bytes::copy_from_slice(body.as_bytes()) }))
    }

    /// The visitor.
    #[must_use]
    pub fn visitor(&self) -> &VisitorId {
        &self.id.visitor
    }

    /// The body as text.
    #[must_use]
    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap_or_default()
    }

    /// What it takes of a bound in bytes.
    #[must_use]
    pub fn weight(&self) -> usize {
        OVERHEAD + self.body.len()
    }
}

#[cfg(test)]
#[allow(missing_docs, reason = "for tests")]
pub mod tests {
    use super::*;
    use crate::model::event::EventKind;

    /// An event of a visitor, for tests.
    pub fn item(visitor: &str, epoch: u64, sequence: u64) -> Arc<Item> {
        let event = Event {
            visitorid: visitor.parse().unwrap(),
            epoch,
            sequence,
            time: Timestamp(epoch + sequence),
            present: false,
            kind: EventKind::VisitorSock { connected: true, sockets: 1 },
        };
        Item::new(&"12345".parse().unwrap(), &event).unwrap()
    }

    #[test]
    fn an_item_is_a_group_event_and_reads_back() {
        let item = item("a.b", 5, 7);
        let read: GroupEvent = serde_json::from_slice(&item.body).unwrap();
        assert_eq!((read.id.as_str(), read.group.as_str()), ("5:7:a:b", "12345"));
        assert_eq!(serde_json::to_string(&read).unwrap(), item.text());
        assert_eq!(Item::from_body(item.text()), Some(item));
    }
}
