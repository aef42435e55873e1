//! What follows from what was published, handed to the hub of this node.

use std::sync::Arc;

use super::{
    handle::Shared,
    record::{Effect, GroupTopics},
    seat::Delivered,
};
use crate::{
    model::ids::GroupId,
    store::{Deliver, Engine, Origin},
};

/// Hands on what was published.
pub(super) struct TopicDelivery(pub(super) Arc<Shared>);

impl<E: Engine<GroupTopics>> Deliver<GroupTopics, E> for TopicDelivery {
    fn deliver(&self, _: &E, key: &GroupId, effects: &mut Vec<Effect>, origin: Origin) {
        let Shared { node, hub, seats, .. } = &*self.0;
        let Ok(group) = hub.group(key) else { return };
        for effect in effects.drain(..) {
            match effect {
                Effect::Published { message, from } => {
                    if origin == Origin::Here {
                        hub.metrics.topic_messages.inc();
                    }
                    let behind = message.position.map(|position| hub.hear(group, position));
                    if let (Some(behind), Some(topics)) =
                        (behind.filter(|behind| !behind.is_empty()), self.0.topics())
                    {
                        topics.read_on(key, behind);
                    }
                    let is_ours = from.node == *node;
                    let seat = is_ours.then(|| seats.get(&from.client)).flatten();
                    let delivered = seat.map(|seat| Delivered(Arc::clone(&seat), from.number));
                    let then = delivered.as_ref().and_then(|seat| seat.0.delivers(from.number));
                    let from = delivered.as_ref().and_then(|seat| seat.0.subscriber);
                    hub.publish(group, &message, from, then);
                }
                Effect::Lost => hub.lost(group),
            }
        }
    }

    fn missed(&self, _: &E) {
        let Some(topics) = self.0.topics() else { return };
        for (of, group) in self.0.hub.heard_groups() {
            topics.read_on(of, self.0.hub.gap(group));
        }
    }
}
