//! A client's part in topics: a channel `/a/b` is the topic `a/b`, and patterns of channels are filters of topics.
//!
//! What a client hears stands in its record, so that the next process finds it there; here is what makes it hear on this
//! node. Changes of one client's subscriptions are made one after another, each in the record and here, so that the two
//! never say different things.

use std::{
    collections::HashMap,
    sync::{
        Weak,
        atomic::{AtomicUsize, Ordering},
    },
};

use tokio::sync::{Mutex, oneshot};

use super::{
    answer::event,
    channel::Channel,
    client::command::Command,
    fault::Fault,
    server::{Bayeux, Shared},
};
use crate::{
    model::{
        error::{ErrorCode, Problem},
        json::Json,
        topic::{Message, Position, PublishWish, SubscribeWish},
    },
    topics::{
        client::{Client, Subscribed},
        post::{ListenerId, Listeners, Then},
        record::Most,
    },
};

/// A client's part in topics; its subscriptions end when it is dropped.
pub(super) struct Hearing {
    /// The number under which it hears.
    pub(super) id: ListenerId,
    client: Client,
    /// What it hears, each with the number of the subscription.
    pub(super) subscribed: Mutex<HashMap<Channel, u32>>,
    /// Messages that it was given since it took some last.
    given: AtomicUsize,
    /// Whether it takes messages only by acknowledging them.
    acks: bool,
}

/// What a subscription begins with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Start {
    /// The values that its topics have.
    Retained,
    /// What is published behind this place, as far as that is kept.
    Behind(Position),
    /// What is published from now on.
    Now,
}

impl Hearing {
    /// One that hears nothing yet.
    pub(super) fn new(id: ListenerId, client: Client, acks: bool) -> Self {
        Self { id, client, subscribed: Mutex::default(), given: AtomicUsize::new(0), acks }
    }

    /// What waited for the client was sent, which is all that a client says of it that does not acknowledge.
    pub(super) fn sent(&self) {
        if !self.acks {
            self.taken();
        }
    }

    /// The client connects, which acknowledges what it has.
    pub(super) fn connects(&self) {
        if self.acks {
            self.taken();
        }
    }

    /// There is room for more of what is kept.
    pub(super) fn taken(&self) {
        self.given.store(0, Ordering::Release);
        self.client.written();
    }

    /// Publishes. Done when everybody who hears the channel has the message before him, unless it is kept: then it is only
    /// certain that it will come.
    pub(super) async fn publish(
        &self,
        channel: &Channel,
        data: Json,
        retain: bool,
    ) -> Result<(), Fault> {
        let topic = channel.topic().map_err(|rule| Fault::Field { name: "channel", rule })?;
        let (sender, published) = oneshot::channel();
        let wish = PublishWish { topic, data, retain, expiry_ms: None };
        self.client.publish(wish, |done| {
            let _ = sender.send(done);
        });
        let done = published.await.unwrap_or_else(|_| Err(unready()));
        done.map(|_| ()).map_err(|problem| refused(problem, Fault::PublishDenied))
    }

    /// Hears a channel from now on.
    pub(super) async fn hear(&self, channel: &Channel, from: Start) -> Result<Subscribed, Fault> {
        let filter = channel.filter().map_err(|_| Fault::SubscriptionInvalid)?;
        let retained = from == Start::Retained;
        let resume = match from {
            Start::Behind(place) => Some(place.into()),
            Start::Retained | Start::Now => None,
        };
        let wish = SubscribeWish { filter, no_local: false, latest: false, retained, resume };
        let (sender, subscribed) = oneshot::channel();
        self.client.subscribe(wish, |done| {
            let _ = sender.send(done);
        });
        let done = subscribed.await.unwrap_or_else(|_| Err(unready()));
        done.map_err(|problem| refused(problem, Fault::SubscribeDenied))
    }

    /// Ends a subscription.
    pub(super) fn end(&self, subscription: u32) {
        self.client.unsubscribe(subscription);
    }
}

fn unready() -> Problem {
    Problem::new(ErrorCode::Unready, "the service is ending")
}

/// What topics say, in the words of an answer.
fn refused(problem: Problem, denied: Fault) -> Fault {
    match problem.code {
        ErrorCode::Scope => denied,
        ErrorCode::TooMany => Fault::SubscribeFailed,
        ErrorCode::RateLimited => Fault::TooFast(problem.retry_ms.unwrap_or(1_000)),
        ErrorCode::TooLarge => Fault::Field { name: "data", rule: problem.message.into() },
        _ => Fault::Unready,
    }
}

/// Where topics leave for clients. Known to topics, which the clients know: so it keeps nothing alive.
pub(super) struct Ears(pub(super) Weak<Shared>);

impl Listeners for Ears {
    fn hear(&self, who: &[ListenerId], message: &Message, publisher: Option<(ListenerId, Then)>) {
        let Some(bayeux) = self.0.upgrade().map(Bayeux) else { return };
        let Some(channel) = Channel::of(&message.topic) else {
            tracing::debug!(topic = %message.topic, "no channel has this name");
            return;
        };
        let text = event(&channel, &message.data);
        let (own, mut then) = publisher.unzip();
        let local = bayeux.local();
        for listener in who {
            let Some(client) = local.listeners.get(listener).map(|client| *client) else {
                continue;
            };
            if let Some(hearing) = local.hearing(client) {
                hearing.given.fetch_add(1, Ordering::Release);
            }
            let deliver = match message.position {
                Some(position) => Command::Hear { message: text.clone(), position },
                None => Command::Deliver(text.clone()),
            };
            match then.take_if(|_| own == Some(*listener)) {
                Some(then) => bayeux.tell_then(client, deliver, then),
                None => bayeux.tell(client, deliver),
            }
        }
    }

    /// A part of what may wait, so that what is published meanwhile has room too.
    fn page(&self) -> Most {
        self.0.upgrade().map_or(Most { bytes: 1, messages: 1 }, |shared| {
            let settings = &shared.settings;
            Most { bytes: settings.queue_bytes / 4, messages: (settings.queue_messages / 4).max(1) }
        })
    }

    fn has_room(&self, who: ListenerId) -> bool {
        let Some(bayeux) = self.0.upgrade().map(Bayeux) else { return false };
        let client = bayeux.local().listeners.get(&who).map(|client| *client);
        let hearing = client.and_then(|client| bayeux.local().hearing(client));
        hearing.is_some_and(|hearing| hearing.given.load(Ordering::Acquire) == 0)
    }

    fn fail(&self, who: ListenerId) {
        let Some(bayeux) = self.0.upgrade().map(Bayeux) else { return };
        let client = bayeux.local().listeners.get(&who).map(|client| *client);
        if let Some(client) = client {
            bayeux.tell(client, Command::Forget);
        }
    }
}
