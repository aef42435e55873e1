//! The handle to topics: what sockets and HTTP call.

use std::{
    collections::{HashMap, VecDeque},
    sync::{
        Arc,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
};

use dashmap::DashMap;
use parking_lot::Mutex;

use super::{
    catching_up::CatchingUp,
    client::Client,
    hub::{Hub, HubLimits, ListenerId, Listeners, Post, Subscriber, Then},
    record::{
        Command, Effect, GroupRules, GroupTopics, KeepLimits, Most, Page, RetainedPage, Rules,
    },
    subscription::Subscription,
};
use crate::{
    clock::Clock,
    model::{
        error::Problem,
        ids::{GroupId, NodeId, SocketId},
        topic::{Party, Position, Rights, Topic, TopicFilter},
    },
    store::{
        Afterwards, Deliver, Engine, Expect, Origin, Reader, Refusal,
        place::{Place, Store},
    },
    telemetry::Metrics,
};

/// The engine that keeps messages.
pub type TopicEngine = Store<GroupTopics>;

/// What topics need to start.
pub struct Options {
    /// Where its records are kept.
    pub place: Place,
    /// Each group's wishes.
    pub groups: HashMap<GroupId, GroupRules>,
    /// How much may be kept.
    pub keep: KeepLimits,
    /// How much may be published and subscribed.
    pub limits: HubLimits,
}

/// The handle. Cheap to clone.
#[derive(Clone)]
pub struct Topics {
    pub(super) engine: TopicEngine,
    pub(super) shared: Arc<Shared>,
}

pub(super) struct Shared {
    pub(super) node: NodeId,
    pub(super) hub: Hub,
    pub(super) clock: Clock,
    /// Those who publish now, by number.
    pub(super) seats: DashMap<u64, Arc<Seat>>,
    pub(super) next: AtomicU64,
}

/// One who publishes.
pub(super) struct Seat {
    /// What his messages come to, if he can subscribe.
    pub(super) subscriber: Option<Subscriber>,
    /// Messages of his that the engine has and that are not delivered yet.
    pub(super) under_way: AtomicUsize,
    /// What waits for their delivery, in their order: a listener is answered then.
    pub(super) answers: Mutex<VecDeque<Then>>,
}

/// What one reads of what is kept.
#[derive(Clone, Debug)]
pub struct HistoryWish {
    /// Of which topics.
    pub filter: TopicFilter,
    /// Behind which place; `None` for all that is kept.
    pub after: Option<Position>,
    /// At most so many messages.
    pub most: usize,
}

impl Topics {
    /// Topics of which nothing is kept yet.
    #[must_use]
    pub fn new(options: Options, post: Arc<dyn Post>, metrics: Metrics) -> Self {
        let Options { place, groups, keep, limits } = options;
        let most = groups.len();
        let rules = Rules { groups: groups.clone(), limits: keep, nothing: GroupRules::default() };
        let shared = Arc::new(Shared {
            node: place.node,
            hub: Hub::new(groups, limits, post, metrics),
            clock: place.clock.clone(),
            seats: DashMap::new(),
            next: AtomicU64::new(1),
        });
        let deliver = TopicDelivery(Arc::clone(&shared));
        // One record a group: however they fall, a shard has room for all.
        let most = most.max(1) * place.shards.max(1);
        Self { engine: place.keep(most, rules, deliver), shared }
    }

    /// The engine, for those who keep it going.
    #[must_use]
    pub fn engine(&self) -> &TopicEngine {
        &self.engine
    }

    /// One who may do what `rights` say, until he is dropped; on a socket, if he is to subscribe.
    #[must_use]
    pub fn client(
        &self,
        group: GroupId,
        socket: Option<SocketId>,
        party: Party,
        rights: Rights,
    ) -> Client {
        Client::new(self.clone(), group, socket.map(Subscriber::Socket), (party, rights))
    }

    /// One of the agents' side who hears in words of his own, as [`Topics::tells`] says.
    #[must_use]
    pub fn listener(&self, group: GroupId, who: ListenerId, rights: Rights) -> Client {
        let subscriber = Some(Subscriber::Listener(who));
        Client::new(self.clone(), group, subscriber, (Party::Agent, rights))
    }

    /// Where messages for listeners leave: told once.
    pub fn tells(&self, listeners: Arc<dyn Listeners>) {
        let _ = self.shared.hub.listeners.set(listeners);
    }

    /// Reads retained values in the order of their topics, behind the topic `after`.
    pub fn retained(
        &self,
        group: GroupId,
        filter: TopicFilter,
        after: Option<Topic>,
        most: usize,
        answer: impl FnOnce(Result<RetainedPage, Problem>) + Send + 'static,
    ) {
        self.read(group, move |record| record.retained(&filter, after.as_ref(), most), answer);
    }

    /// Reads what is kept behind a place, in the order in which it was published. With whether something is missing there.
    pub fn history(
        &self,
        group: GroupId,
        wish: HistoryWish,
        answer: impl FnOnce(Result<Page, Problem>) + Send + 'static,
    ) {
        let keeps = self.shared.hub.group(&group).is_ok_and(|group| group.rules.history > 0);
        let (topics, of, after) = (self.clone(), group.clone(), wish.after);
        let look = move |record: &GroupTopics| {
            let place = after.unwrap_or(Position { offset: 0, ..record.position() });
            let (reading, anew) = record.resume(place.into());
            let most = Most { bytes: usize::MAX, messages: wish.most };
            let mut page = record.page(&wish.filter, reading, most);
            page.missed = after.is_some() && (page.missed || anew || !keeps);
            (page, wish)
        };
        self.read(group, look, move |looked| match looked {
            Ok((page, wish)) => topics.gather(of, wish, page, answer),
            Err(problem) => answer(Err(problem)),
        });
    }

    /// Adds to what was read what comes behind it, as far as it is wanted.
    fn gather(
        &self,
        group: GroupId,
        wish: HistoryWish,
        mut page: Page,
        answer: impl FnOnce(Result<Page, Problem>) + Send + 'static,
    ) {
        let most = wish.most.saturating_sub(page.messages.len());
        let Some(reading) = page.more.filter(|_| most > 0) else { return answer(Ok(page)) };
        let (topics, of) = (self.clone(), group.clone());
        let look = move |record: &GroupTopics| {
            let most = Most { bytes: usize::MAX, messages: most };
            let more = record.page(&wish.filter, reading, most);
            page.messages.extend(more.messages);
            page.missed |= more.missed && wish.after.is_some();
            (Page { more: more.more, position: more.position, ..page }, wish)
        };
        self.read_later(group, look, move |looked| match looked {
            Ok((page, wish)) => topics.gather(of, wish, page, answer),
            Err(problem) => answer(Err(problem)),
        });
    }

    /// Gives what `look` says of a group's record, which is begun where there is none. Nothing is published between the
    /// look and `answer`.
    pub(super) fn read<T: Send + 'static>(
        &self,
        group: GroupId,
        look: impl FnOnce(&GroupTopics) -> T + Send + 'static,
        answer: impl FnOnce(Result<T, Problem>) + Send + 'static,
    ) {
        self.engine.read(group.clone(), self.reader(group, look, answer));
    }

    /// The same, when those who wait already had their turn.
    fn read_later<T: Send + 'static>(
        &self,
        group: GroupId,
        look: impl FnOnce(&GroupTopics) -> T + Send + 'static,
        answer: impl FnOnce(Result<T, Problem>) + Send + 'static,
    ) {
        self.engine.read_later(group.clone(), self.reader(group, look, answer));
    }

    fn reader<T: Send + 'static>(
        &self,
        of: GroupId,
        look: impl FnOnce(&GroupTopics) -> T + Send + 'static,
        answer: impl FnOnce(Result<T, Problem>) + Send + 'static,
    ) -> Reader<GroupTopics> {
        let again = self.clone();
        Box::new(move |record: Result<Option<&GroupTopics>, Refusal>| -> Afterwards {
            match record {
                Ok(Some(record)) => {
                    let looked = look(record);
                    Box::new(move || answer(Ok(looked)))
                }
                Ok(None) => Box::new(move || again.open(of, look, answer)),
                Err(refusal) => Box::new(move || answer(Err(refusal.into()))),
            }
        })
    }

    fn open<T: Send + 'static>(
        &self,
        group: GroupId,
        look: impl FnOnce(&GroupTopics) -> T + Send + 'static,
        answer: impl FnOnce(Result<T, Problem>) + Send + 'static,
    ) {
        let (again, of) = (self.clone(), group.clone());
        let sink = Box::new(move |opened: Result<_, Refusal>| match opened {
            Ok(_) => again.read(of, look, answer),
            Err(refusal) => answer(Err(refusal.into())),
        });
        self.engine.submit(group, Expect::Any, Command::Open, sink);
    }

    /// Brings the figures that are states, not counts, up to date.
    pub fn refresh_metrics(&self, metrics: &Metrics) {
        let gauge = |number: usize| i64::try_from(number).unwrap_or(i64::MAX);
        let (mut retained, mut kept, mut bytes, mut visitors) = (0, 0, 0, 0);
        self.engine.for_each(|_, record| {
            let (messages, held) = record.kept();
            (retained, kept, bytes) =
                (retained + record.retained_topics(), kept + messages, bytes + held);
            visitors += record.visitor_bytes();
        });
        metrics.topics_retained.set(gauge(retained));
        metrics.topic_messages_kept.set(gauge(kept));
        metrics.topic_bytes_kept.set(gauge(bytes));
        metrics.topic_visitor_bytes_kept.set(gauge(visitors));
        metrics.topic_subscriptions.set(gauge(self.shared.hub.subscriptions()));
    }

    /// Reads a page for a subscription of this subscriber that waits, if he has room and none is being read.
    pub(super) fn go_on(&self, group: &GroupId, of: Subscriber, catching_up: &Arc<CatchingUp>) {
        let hub = &self.shared.hub;
        if catching_up.is_empty() || !hub.has_room(of) {
            return;
        }
        let Some((turn, subscription, reading)) = catching_up.next() else { return };
        let (most, reader) = (hub.page(of), Arc::clone(&subscription));
        let look = move |record: &GroupTopics| record.page(&reader.filter, reading, most);
        let (topics, group, catching_up) = (self.clone(), group.clone(), Arc::clone(catching_up));
        // Not at once, so that who reads much holds nobody up.
        self.read_later(group.clone(), look, move |page| {
            drop(turn);
            match page {
                Ok(page) => topics.give(&group, &subscription, page, &catching_up),
                Err(_) => topics.shared.hub.fail(of),
            }
            // What was handed over may have left already: then nobody else calls.
            topics.go_on(&group, of, &catching_up);
        });
    }

    /// A subscription is in force from now on; of one who came back, with whether he missed something.
    pub(super) fn begun(
        &self,
        group: &GroupId,
        subscription: &Arc<Subscription>,
        resumed: Option<bool>,
    ) {
        let hub = &self.shared.hub;
        resumed.into_iter().for_each(|missed| hub.count_resumed(missed));
        if let Ok(group) = hub.group(group) {
            hub.enter(group, subscription);
        }
    }

    /// Hands a page over, and tells what is missing before it; with the last one the subscription is live. Called before
    /// anything is published behind the page.
    pub(super) fn give(
        &self,
        group: &GroupId,
        subscription: &Arc<Subscription>,
        page: Page,
        catching_up: &CatchingUp,
    ) {
        let hub = &self.shared.hub;
        let Ok(of) = hub.group(group) else { return };
        if subscription.is_over() {
            return;
        }
        if page.missed {
            hub.missed(subscription);
        }
        for (message, retained) in &page.messages {
            hub.hand_over(of, subscription, message, *retained);
        }
        match page.more {
            Some(reading) => catching_up.wait(subscription, reading),
            None => subscription.go_live(page.position.offset),
        }
    }
}

/// Hands on what was published.
struct TopicDelivery(Arc<Shared>);

/// The message of this seat is delivered, however that ended.
struct Delivered(Option<Arc<Seat>>);

impl Drop for Delivered {
    fn drop(&mut self) {
        if let Some(seat) = &self.0 {
            seat.under_way.fetch_sub(1, Ordering::Release);
        }
    }
}

impl<E: Engine<GroupTopics>> Deliver<GroupTopics, E> for TopicDelivery {
    fn deliver(&self, _: &E, key: &GroupId, effects: &mut Vec<Effect>, _: Origin) {
        let Shared { node, hub, seats, .. } = &*self.0;
        let Ok(group) = hub.group(key) else { return };
        for effect in effects.drain(..) {
            match effect {
                Effect::Published { message, from } => {
                    let is_ours = from.node == *node;
                    let seat =
                        is_ours.then(|| seats.get(&from.client).map(|seat| Arc::clone(&seat)));
                    let delivered = Delivered(seat.flatten());
                    let from = delivered.0.as_ref().and_then(|seat| seat.subscriber);
                    let then =
                        delivered.0.as_ref().and_then(|seat| seat.answers.lock().pop_front());
                    hub.publish(group, &message, from, then);
                }
                Effect::Lost => hub.lost(group),
            }
        }
    }
}
