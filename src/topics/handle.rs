//! The handle to topics: what sockets and HTTP call.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, OnceLock, atomic::AtomicU64},
    time::Duration,
};

use dashmap::DashMap;
use parking_lot::Mutex;

use super::{
    catching_up::CatchingUp,
    client::Client,
    hub::{GroupHub, Hub, HubLimits, ListenerId, Listeners, Post, Subscriber, Then},
    record::{
        Command, Effect, GroupRules, GroupTopics, KeepLimits, Most, Page, Reading, RetainedPage,
        Rules,
    },
    subscription::Subscription,
};
use crate::{
    clock::Clock,
    model::{
        error::{ErrorCode, Problem},
        ids::{GroupId, NodeId, SocketId},
        topic::{Party, Position, Rights, Topic, TopicFilter},
    },
    store::{
        Afterwards, Deliver, Engine, Expect, Origin, Reader, Refusal,
        place::{Place, Store, WeakStore},
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
    /// Told once, when it is there.
    engine: OnceLock<WeakStore<GroupTopics>>,
}

/// One who publishes.
pub(super) struct Seat {
    /// What his messages come to, if he can subscribe.
    pub(super) subscriber: Option<Subscriber>,
    under_way: Mutex<UnderWay>,
}

/// Messages of one publisher that the engine has and that are not delivered yet.
#[derive(Default)]
struct UnderWay {
    last: u64,
    /// By number, with what waits for the delivery: a listener is answered then.
    messages: VecDeque<(u64, Option<Then>)>,
}

impl Seat {
    pub(super) fn new(subscriber: Option<Subscriber>) -> Self {
        Self { subscriber, under_way: Mutex::default() }
    }

    /// Whether all that he published is delivered.
    pub(super) fn is_idle(&self) -> bool {
        self.under_way.lock().messages.is_empty()
    }

    /// A message goes to the engine; gives its number.
    pub(super) fn begins(&self) -> u64 {
        let mut under_way = self.under_way.lock();
        under_way.last += 1;
        let number = under_way.last;
        under_way.messages.push_back((number, None));
        number
    }

    /// `then` waits for the delivery of this message.
    pub(super) fn waits(&self, number: u64, then: Then) {
        let mut under_way = self.under_way.lock();
        match under_way.messages.iter_mut().find(|(other, _)| *other == number) {
            Some((_, waiting)) => *waiting = Some(then),
            None => {
                drop(under_way);
                then();
            }
        }
    }

    fn delivers(&self, number: u64) -> Option<Then> {
        let mut under_way = self.under_way.lock();
        under_way.messages.iter_mut().find(|(other, _)| *other == number)?.1.take()
    }

    /// Nobody waits for this message any more. One whose answer was lost may be delivered later all the same.
    pub(super) fn ends(&self, number: u64) {
        self.under_way.lock().messages.retain(|(other, _)| *other != number);
    }
}

/// How long a subscription waits before it tries to read again, while the engine's server is away.
const READ_AGAIN: Duration = Duration::from_millis(500);

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
            engine: OnceLock::new(),
        });
        let deliver = TopicDelivery(Arc::clone(&shared));
        // One record a group.
        let engine = place.keep(place.room_for(most), rules, deliver);
        let _ = shared.engine.set(engine.downgrade());
        Self { engine, shared }
    }

    /// Whether other nodes have subscribers of their own.
    pub(super) fn is_shared(&self) -> bool {
        matches!(self.engine, Store::Shared(_))
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
        let keeps = self.shared.hub.group(&group).is_ok_and(GroupHub::keeps);
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
        let gaps = hub.group(group).map_or(0, GroupHub::gaps);
        let (most, reader) = (hub.page(of), Arc::clone(&subscription));
        let look = move |record: &GroupTopics| record.page(&reader.filter, reading, most);
        let (topics, group, catching_up) = (self.clone(), group.clone(), Arc::clone(catching_up));
        // Not at once, so that who reads much holds nobody up.
        self.read_later(group.clone(), look, move |page| {
            drop(turn);
            match page {
                Ok(page) => topics.give(&group, &subscription, page, (&catching_up, gaps)),
                Err(problem) if problem.code == ErrorCode::Unready && topics.is_shared() => {
                    catching_up.wait(&subscription, reading);
                    return topics.go_on_later(group, of, catching_up);
                }
                Err(_) => topics.shared.hub.fail(of),
            }
            // What was handed over may have left already: then nobody else calls.
            topics.go_on(&group, of, &catching_up);
        });
    }

    /// The same, when the engine's server may be back.
    fn go_on_later(&self, group: GroupId, of: Subscriber, catching_up: Arc<CatchingUp>) {
        let topics = self.clone();
        tokio::spawn(async move {
            tokio::time::sleep(READ_AGAIN).await;
            topics.go_on(&group, of, &catching_up);
        });
    }

    /// These subscriptions read on from where they are.
    fn read_on(&self, group: &GroupId, behind: Vec<(Arc<Subscription>, Reading)>) {
        for (subscription, reading) in behind {
            // One whose holder is gone ends soon.
            if let Some(catching_up) = subscription.catching_up.upgrade() {
                catching_up.wait(&subscription, reading);
                self.go_on(group, subscription.of, &catching_up);
            }
        }
    }

    /// From now on this node hears of the group, until [`Topics::unlisten`].
    pub(super) fn listen(&self, group: &GroupId) {
        self.engine.listen(group.to_string(), Some(group));
    }

    /// It has no subscription of the group any more.
    pub(super) fn unlisten(&self, group: &GroupId) {
        self.engine.unlisten(group.to_string(), Some(group));
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

    /// Hands a page over, and tells what is missing before it; with the last one the subscription is live, unless this
    /// node may have heard nothing since there were so many `gaps`. Called before anything is published behind the page.
    pub(super) fn give(
        &self,
        group: &GroupId,
        subscription: &Arc<Subscription>,
        page: Page,
        (catching_up, gaps): (&CatchingUp, u64),
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
            None if of.keeps() && of.gaps() != gaps => {
                catching_up.wait(subscription, Reading::behind(page.position));
            }
            None => subscription.go_live(page.position),
        }
    }
}

/// Hands on what was published.
struct TopicDelivery(Arc<Shared>);

impl Shared {
    fn topics(self: &Arc<Self>) -> Option<Topics> {
        let engine = self.engine.get()?.upgrade()?;
        Some(Topics { engine, shared: Arc::clone(self) })
    }
}

/// The message of this seat is delivered, however that ended.
struct Delivered(Arc<Seat>, u64);

impl Drop for Delivered {
    fn drop(&mut self) {
        self.0.ends(self.1);
    }
}

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
