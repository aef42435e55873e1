//! One who publishes and subscribes: a socket, a listener, or whoever calls by HTTP.

use std::{
    collections::HashMap,
    sync::{Arc, atomic::Ordering},
};

use parking_lot::Mutex;

use super::{
    catching_up::CatchingUp,
    group::GroupHub,
    handle::Topics,
    post::Subscriber,
    record::{GroupTopics, Most, Place, Publication, Sender},
    seat::Seat,
    subscription::Subscription,
};
use crate::{
    model::{
        error::{ErrorCode, Problem},
        ids::GroupId,
        topic::{Message, Party, Position, PublishWish, Rights, SubscribeWish},
    },
    telemetry::labels::Limited,
};

/// A subscription that is in force.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Subscribed {
    /// Its number on the socket.
    pub id: u32,
    /// The place behind which its messages stand; retained values stand before.
    pub position: Position,
    /// Whether messages since the place that he knew are lost.
    pub missed: bool,
}

/// One who publishes and subscribes. His subscriptions end when he is dropped.
pub struct Client {
    topics: Topics,
    group: GroupId,
    number: u64,
    seat: Arc<Seat>,
    party: Party,
    rights: Rights,
    subscriptions: Arc<Mutex<Subscriptions>>,
    catching_up: Arc<CatchingUp>,
}

#[derive(Default)]
struct Subscriptions {
    last: u32,
    by_id: HashMap<u32, Arc<Subscription>>,
}

impl Client {
    pub(super) fn new(
        topics: Topics,
        group: GroupId,
        subscriber: Option<Subscriber>,
        (party, rights): (Party, Rights),
    ) -> Self {
        let number = topics.shared.next.fetch_add(1, Ordering::Relaxed);
        let seat = Arc::new(Seat::new(subscriber));
        topics.shared.seats.insert(number, Arc::clone(&seat));
        let (subscriptions, catching_up) = (Arc::default(), Arc::default());
        Self { topics, group, number, seat, party, rights, subscriptions, catching_up }
    }

    /// He may do this from now on. Subscriptions that are not covered any more end, and he is told.
    pub fn change_rights(&mut self, rights: Rights) {
        self.rights = rights;
        let lost: Vec<_> = {
            let subscriptions = self.subscriptions.lock();
            let all = subscriptions.by_id.values();
            all.filter(|one| self.rights.require_subscribe(&one.filter).is_err()).cloned().collect()
        };
        for subscription in lost {
            self.unsubscribe(subscription.id);
            self.topics.shared.hub.unsubscribed(&subscription);
        }
    }

    /// Publishes. `answer` gets the message's place, if it is kept, before anybody gets the message; that of a listener when
    /// he has it himself, if he hears it.
    pub fn publish(
        &self,
        wish: PublishWish,
        answer: impl FnOnce(Result<Option<Position>, Problem>) + Send + 'static,
    ) {
        if let Err(problem) = self.try_publish(wish, answer) {
            let (answer, problem) = problem;
            answer(Err(problem));
        }
    }

    fn try_publish<A: FnOnce(Result<Option<Position>, Problem>) + Send + 'static>(
        &self,
        wish: PublishWish,
        answer: A,
    ) -> Result<(), (A, Problem)> {
        let hub = &self.topics.shared.hub;
        let now = self.topics.shared.clock.now();
        let checked = self.check(&wish).and_then(|()| hub.group(&self.group));
        let group =
            match checked.and_then(|group| hub.admit(group, self.party, now).map(|()| group)) {
                Ok(group) => group,
                Err(problem) => return Err((answer, problem)),
            };
        let PublishWish { topic, data, retain, expiry_ms } = wish;
        let is_kept = retain || group.rules.history > 0;
        // What is not kept goes its own way, unless it would overtake what is, or other nodes are to hear it.
        let is_listener = matches!(self.seat.subscriber, Some(Subscriber::Listener(_)));
        if !is_kept && !self.topics.is_shared() && self.seat.is_idle() {
            let message = Message { topic, data, at: now, position: None };
            hub.metrics.topic_messages.inc();
            let answer = move || answer(Ok(None));
            if is_listener {
                hub.publish(group, &message, self.seat.subscriber, Some(Box::new(answer)));
            } else {
                answer();
                hub.publish(group, &message, self.seat.subscriber, None);
            }
            return Ok(());
        }
        let number = self.seat.begins();
        let from = Sender { node: self.topics.shared.node, client: self.number, number };
        let is_visitor = self.party.is_visitor();
        let publication = Publication { topic, data, retain, expiry_ms, from, is_visitor };
        let (seat, metrics) = (Arc::clone(&self.seat), hub.metrics.clone());
        let published = Box::new(move |place: Place| {
            if let Err(problem) = &place {
                // Nothing of it will be delivered.
                seat.ends(number);
                if problem.code == ErrorCode::TooMany {
                    let visitors = is_visitor.then_some(Limited::VisitorRetained);
                    metrics.limited.of(visitors.unwrap_or(Limited::Retained)).inc();
                }
            }
            let is_taken = place.is_ok();
            let answer = move || answer(place.map(|position| is_kept.then_some(position)));
            if is_listener && is_taken {
                seat.waits(number, Box::new(answer));
            } else {
                answer();
            }
        });
        self.topics.publish(&self.group, publication, published);
        Ok(())
    }

    fn check(&self, wish: &PublishWish) -> Result<(), Problem> {
        self.rights.require_publish(&wish.topic)?;
        if wish.retain {
            self.party.require_retain()?;
        }
        let hub = &self.topics.shared.hub;
        let most = hub.limits.payload_bytes;
        if wish.data.text().len() > most {
            hub.metrics.limited.of(Limited::TopicPayload).inc();
            let problem = Problem::field("data", format!("must have at most {most} bytes"));
            return Err(Problem { code: ErrorCode::TooLarge, ..problem });
        }
        Ok(())
    }

    /// Subscribes. `answer` gets the subscription before its first message comes; that of a listener when it is in force,
    /// and retained values have begun to come.
    pub fn subscribe(
        &self,
        wish: SubscribeWish,
        answer: impl FnOnce(Result<Subscribed, Problem>) + Send + 'static,
    ) {
        let subscription = match self.begin(&wish) {
            Ok(subscription) => subscription,
            Err(problem) => return answer(Err(problem)),
        };
        let hub = &self.topics.shared.hub;
        let keeps = hub.group(&self.group).is_ok_and(GroupHub::keeps);
        let gaps = hub.group(&self.group).map_or(0, GroupHub::gaps);
        let SubscribeWish { resume, retained, .. } = wish;
        // A first page, if others of this socket leave room for one; else only whether there is something to read.
        let turn = hub.has_room(subscription.of).then(|| self.catching_up.begin()).flatten();
        let most = if turn.is_some() { hub.page(subscription.of) } else { Most::NOTHING };
        let reader = Arc::clone(&subscription);
        let look = move |record: &GroupTopics| {
            let (mut reading, anew) = match resume {
                Some(resume) => match record.resume(resume) {
                    (_, true) => (record.begin(retained), true),
                    known => known,
                },
                None => (record.begin(retained), false),
            };
            if !keeps {
                // What is published from now on could not be read later.
                reading = record.until_now(reading);
                reader.go_live(record.position());
            }
            (record.start_of(reading), anew, record.page(&reader.filter, reading, most))
        };
        let (topics, of) = (self.topics.clone(), self.group.clone());
        let (all, catching_up) = (Arc::clone(&self.subscriptions), Arc::clone(&self.catching_up));
        self.topics.read(self.group.clone(), look, move |looked| {
            drop(turn);
            match looked {
                // His rights changed meanwhile; that it ended he was told before he knew its number.
                Ok(_) if subscription.is_over() => answer(Err(no_more())),
                Ok((position, anew, mut page)) => {
                    let missed = resume.is_some() && (anew || !keeps || page.missed);
                    // Told in the answer.
                    page.missed = false;
                    let subscribed = Subscribed { id: subscription.id, position, missed };
                    let (resumed, read) = (resume.map(|_| missed), (&*catching_up, gaps));
                    match subscription.of {
                        Subscriber::Socket(_) => {
                            let tell = || answer(Ok(subscribed));
                            topics.begun(&of, &subscription, resumed, tell);
                            topics.give(&of, &subscription, page, read);
                        }
                        Subscriber::Listener(_) => {
                            topics.begun(&of, &subscription, resumed, || ());
                            topics.give(&of, &subscription, page, read);
                            answer(Ok(subscribed));
                        }
                    }
                }
                Err(problem) => {
                    end(&topics, &of, &all, subscription.id);
                    answer(Err(problem));
                }
            }
            // Others may wait that found this one reading.
            topics.go_on(&of, subscription.of, &catching_up);
        });
    }

    fn begin(&self, wish: &SubscribeWish) -> Result<Arc<Subscription>, Problem> {
        self.rights.require_subscribe(&wish.filter)?;
        let hub = &self.topics.shared.hub;
        let Some(of) = self.seat.subscriber else {
            return Err(Problem::new(ErrorCode::BadRequest, "only a socket can subscribe"));
        };
        let mut subscriptions = self.subscriptions.lock();
        let most = hub.limits.per_socket;
        if subscriptions.by_id.len() >= most {
            hub.metrics.limited.of(Limited::Subscription).inc();
            let sentence = format!("a socket may have {most} subscriptions");
            return Err(Problem::new(ErrorCode::TooMany, sentence));
        }
        hub.reserve(hub.group(&self.group)?, self.party, || self.topics.listen(&self.group))?;
        subscriptions.last += 1;
        let id = subscriptions.last;
        let subscription =
            Subscription::new(id, of, wish).reading_in(Arc::downgrade(&self.catching_up));
        let subscription = Arc::new(subscription);
        subscriptions.by_id.insert(id, Arc::clone(&subscription));
        Ok(subscription)
    }

    /// Ends a subscription; one that there is not is none after that either.
    pub fn unsubscribe(&self, id: u32) {
        end(&self.topics, &self.group, &self.subscriptions, id);
    }

    /// Something was written, or taken: who waits for room may go on.
    pub fn written(&self) {
        if let Some(subscriber) = self.seat.subscriber {
            self.topics.go_on(&self.group, subscriber, &self.catching_up);
        }
    }
}

fn no_more() -> Problem {
    let rule = "may not be subscribed to by you any more";
    Problem { code: ErrorCode::Scope, ..Problem::field("filter", rule) }
}

fn end(topics: &Topics, group: &GroupId, all: &Mutex<Subscriptions>, id: u32) {
    let subscription = all.lock().by_id.remove(&id);
    if let (Some(subscription), Ok(of)) = (subscription, topics.shared.hub.group(group)) {
        topics.shared.hub.leave(of, &subscription, || topics.unlisten(group));
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        let subscriptions = std::mem::take(&mut self.subscriptions.lock().by_id);
        if let Ok(group) = self.topics.shared.hub.group(&self.group) {
            for subscription in subscriptions.values() {
                self.topics.shared.hub.leave(group, subscription, || {
                    self.topics.unlisten(&self.group);
                });
            }
        }
        self.topics.shared.seats.remove(&self.number);
    }
}
