//! The subscriptions of this node, by group, and how messages get to them.

use std::{
    collections::HashMap,
    hash::{BuildHasher as _, RandomState},
    sync::{Arc, OnceLock},
};

use super::{
    group::GroupHub,
    post::{ListenerId, Listeners, Post, Subscriber, Target, Then},
    record::{GroupRules, Most, Reading},
    subscription::Subscription,
};
use crate::{
    clock::Timestamp,
    limits::Rate,
    model::{
        close::CloseCode,
        error::{ErrorCode, Problem},
        ids::{GroupId, SocketId},
        topic::{Message, Party, Position},
    },
    telemetry::{
        Metrics,
        labels::{Limited, Resumed},
    },
};

/// Most messages that are read at once for one who comes back.
const PAGE_MESSAGES: usize = 512;
/// Marks a key of ours, which is a hash, off from those that are counted from zero.
const HASHED: u64 = 1 << 63;

/// How much a group, and each of its sockets, may do.
#[derive(Clone, Copy, Debug)]
pub struct HubLimits {
    /// Subscriptions of one socket.
    pub per_socket: usize,
    /// Subscriptions of all sockets of a group, on this node.
    pub per_group: usize,
    /// Messages that all of a group publish, on this node.
    pub publishes: Rate,
    /// Of these, what its visitors publish.
    pub visitor_publishes: Rate,
    /// Bytes of one message's data.
    pub payload_bytes: usize,
    /// Bytes of messages that are read at once for one who comes back.
    pub page_bytes: usize,
}

/// All groups' subscriptions. The groups are those of the settings, so that finding one takes no lock.
pub struct Hub {
    groups: HashMap<GroupId, GroupHub>,
    pub(super) limits: HubLimits,
    post: Arc<dyn Post>,
    /// There from the start of the process on, where anybody listens.
    pub(super) listeners: OnceLock<Arc<dyn Listeners>>,
    pub(super) metrics: Metrics,
    hasher: RandomState,
}

impl Hub {
    /// Nobody has subscribed.
    #[must_use]
    pub fn new(
        groups: HashMap<GroupId, GroupRules>,
        limits: HubLimits,
        post: Arc<dyn Post>,
        metrics: Metrics,
    ) -> Self {
        let group = |(id, rules)| (id, GroupHub::new(rules));
        let groups = groups.into_iter().map(group).collect();
        let (listeners, hasher) = (OnceLock::new(), RandomState::new());
        Self { groups, limits, post, listeners, metrics, hasher }
    }

    /// A group's subscriptions.
    ///
    /// # Errors
    /// `group` when there is no such group.
    pub fn group(&self, group: &GroupId) -> Result<&GroupHub, Problem> {
        let missing = || Problem::new(ErrorCode::Group, "there is no such group");
        self.groups.get(group).ok_or_else(missing)
    }

    /// What is read at once for one who comes back.
    pub(super) fn page(&self, subscriber: Subscriber) -> Most {
        match (subscriber, self.listeners.get()) {
            (Subscriber::Listener(_), Some(listeners)) => listeners.page(),
            _ => Most { bytes: self.limits.page_bytes, messages: PAGE_MESSAGES },
        }
    }

    /// How many subscriptions there are.
    #[must_use]
    pub fn subscriptions(&self) -> usize {
        self.groups.values().map(|group| *group.reserved.lock()).sum()
    }

    /// How many messages wait for the engine.
    pub(super) fn waiting(&self) -> usize {
        self.groups.values().map(|group| group.queue.lock().len()).sum()
    }

    /// The groups with which this node has had to do.
    pub(super) fn groups_in_use(&self) -> impl Iterator<Item = (&GroupId, &GroupHub)> {
        self.groups.iter().filter(|(_, group)| group.is_in_use())
    }

    /// The groups of which somebody here hears.
    pub(super) fn heard_groups(&self) -> impl Iterator<Item = (&GroupId, &GroupHub)> {
        self.groups.iter().filter(|(_, group)| *group.reserved.lock() > 0)
    }

    /// Counts one message of the group, unless it is one too many.
    ///
    /// # Errors
    /// `ratelimited`, with the time to wait.
    pub(super) fn admit(
        &self,
        group: &GroupHub,
        party: Party,
        now: Timestamp,
    ) -> Result<(), Problem> {
        let too_fast = |what: Limited, who: &'static str| {
            move |retry_ms| {
                self.metrics.limited.of(what).inc();
                let sentence = format!("{who} too fast");
                Problem::new(ErrorCode::RateLimited, sentence).retry_in(retry_ms)
            }
        };
        let (limits, mut paces) = (&self.limits, group.paces.lock());
        if party.is_visitor() {
            let taken = paces.visitors.take(&limits.visitor_publishes, 1, now);
            let who = "the visitors of the group publish";
            taken.map_err(too_fast(Limited::VisitorPublish, who))?;
        }
        let taken = paces.all.take(&limits.publishes, 1, now);
        taken.map_err(too_fast(Limited::Publish, "the group publishes"))
    }

    /// Counts one subscription more, unless it is one too many. The last tenth is not for visitors. Before the first one
    /// `begins` is called.
    ///
    /// # Errors
    /// `toomany`.
    pub(super) fn reserve(
        &self,
        group: &GroupHub,
        party: Party,
        begins: impl FnOnce(),
    ) -> Result<(), Problem> {
        let all = self.limits.per_group;
        let (most, whose) = match party {
            Party::Visitor { .. } => (all - all / 10, "the visitors of a group"),
            Party::Agent => (all, "a group"),
        };
        let mut reserved = group.reserved.lock();
        if *reserved >= most {
            self.metrics.limited.of(Limited::Subscription).inc();
            let sentence = format!("{whose} may have {most} subscriptions");
            return Err(Problem::new(ErrorCode::TooMany, sentence));
        }
        if *reserved == 0 {
            begins();
        }
        *reserved += 1;
        Ok(())
    }

    /// Puts a reserved subscription in force, unless it has ended meanwhile. `tell` is called before that, and nothing is
    /// published in between: whoever hears of it, and publishes what nobody keeps, is heard.
    pub(super) fn enter(
        &self,
        group: &GroupHub,
        subscription: &Arc<Subscription>,
        tell: impl FnOnce(),
    ) {
        let mut tell = Some(tell);
        subscription.enter(|| {
            let mut trie = group.trie.write();
            tell.take().into_iter().for_each(|tell| tell());
            trie.insert(&subscription.filter, Arc::clone(subscription))
        });
        tell.into_iter().for_each(|tell| tell());
    }

    /// Ends a subscription, and its reservation. After the last one `ends` is called.
    pub(super) fn leave(&self, group: &GroupHub, subscription: &Subscription, ends: impl FnOnce()) {
        if let Some(place) = subscription.end() {
            group.trie.write().remove(place);
        }
        let mut reserved = group.reserved.lock();
        *reserved = reserved.saturating_sub(1);
        if *reserved == 0 {
            ends();
        }
    }

    /// A message that is kept was heard of. Where those before it were not, whoever waits for them reads them first: gives
    /// the subscriptions that are to read, and from where.
    pub(super) fn hear(
        &self,
        group: &GroupHub,
        position: Position,
    ) -> Vec<(Arc<Subscription>, Reading)> {
        let before = Position { offset: position.offset.saturating_sub(1), ..position };
        let heard = group.heard.lock().replace(position);
        if heard == Some(before) {
            return Vec::new();
        }
        let is_another_row = heard.is_some_and(|heard| heard.epoch != position.epoch);
        let mut behind = Vec::new();
        for subscription in group.trie.read().values() {
            let Some(reach) = subscription.reach(heard) else { continue };
            if subscription.has_come_to(before, heard) {
                continue;
            }
            if group.keeps() {
                behind.push((Arc::clone(subscription), subscription.fall_behind(reach)));
            } else if is_another_row {
                subscription.go_live(before);
                self.missed(subscription);
            }
        }
        behind
    }

    /// This node may have heard nothing of a group for a while: the subscriptions that are to read what is kept, and from
    /// where. Where nothing is, they are told.
    pub(super) fn gap(&self, group: &GroupHub) -> Vec<(Arc<Subscription>, Reading)> {
        group.count_gap();
        let heard = *group.heard.lock();
        let mut behind = Vec::new();
        for subscription in group.trie.read().values() {
            if !group.keeps() {
                self.missed(subscription);
            } else if let Some(reach) = subscription.reach(heard) {
                behind.push((Arc::clone(subscription), subscription.fall_behind(reach)));
            }
        }
        behind
    }

    /// Hands a message that was just published to all who subscribed: once for each subscription, encoded once for each
    /// number of a subscription, which are small and the same on most sockets. Listeners get it once each. `then` is called
    /// when its publisher, if he is among them, has it.
    pub(super) fn publish(
        &self,
        group: &GroupHub,
        message: &Message,
        from: Option<Subscriber>,
        then: Option<Then>,
    ) {
        let latest = group.rules.is_latest(&message.topic);
        let mut targets: Vec<(u32, Target)> = Vec::new();
        let mut listening = Vec::new();
        group.trie.read().matches(&message.topic, |subscription| {
            if subscription.takes(message, from) {
                match subscription.of {
                    Subscriber::Listener(who) => listening.push(who),
                    Subscriber::Socket(socket) => {
                        let target = self.target(socket, subscription, message, latest);
                        targets.push((subscription.id, target));
                    }
                }
            }
        });
        self.heard(listening, message, from, then);
        if targets.is_empty() {
            return;
        }
        self.metrics.topic_deliveries.inc_by(targets.len() as u64);
        targets.sort_unstable_by_key(|(id, _)| *id);
        let shared = message.shared_text(false);
        for same in targets.chunk_by(|(one, _), (other, _)| one == other) {
            let Some((id, _)) = same.first() else { continue };
            let to: Vec<Target> = same.iter().map(|(_, target)| *target).collect();
            self.post.message(&to, &Message::text_for(*id, &shared));
        }
    }

    /// Hands a message that was kept to one who reads it now.
    pub(super) fn hand_over(
        &self,
        group: &GroupHub,
        subscription: &Subscription,
        message: &Message,
        retained: bool,
    ) {
        let socket = match subscription.of {
            Subscriber::Listener(who) if retained => {
                // Its place says nothing of how far he is.
                let message = Message { position: None, ..message.clone() };
                return self.heard(vec![who], &message, None, None);
            }
            Subscriber::Listener(who) => return self.heard(vec![who], message, None, None),
            Subscriber::Socket(socket) => socket,
        };
        let latest = group.rules.is_latest(&message.topic);
        let target = self.target(socket, subscription, message, latest);
        let text = Message::text_for(subscription.id, &message.shared_text(retained));
        self.metrics.topic_deliveries.inc();
        self.post.message(&[target], &text);
    }

    /// A group's row of offsets was lost: all who subscribed may have missed something, and go on with the new one.
    pub(super) fn lost(&self, group: &GroupHub) {
        *group.heard.lock() = None;
        for subscription in group.trie.read().values() {
            subscription.take_waiting();
            subscription.go_live_anew();
            self.missed(subscription);
        }
    }

    /// Somebody came back.
    pub(super) fn count_resumed(&self, missed: bool) {
        self.metrics.topic_resumes.of(if missed { Resumed::Missed } else { Resumed::Whole }).inc();
    }

    /// Listeners have no word for that.
    pub(super) fn missed(&self, subscription: &Subscription) {
        self.metrics.topic_gaps.inc();
        if let Subscriber::Socket(socket) = subscription.of {
            self.post.missed(socket, subscription.id);
        }
    }

    /// A subscription ended without its holder's asking.
    pub(super) fn unsubscribed(&self, subscription: &Subscription) {
        if let Subscriber::Socket(socket) = subscription.of {
            self.post.unsubscribed(socket, subscription.id);
        }
    }

    /// Whether there is room for more.
    pub(super) fn has_room(&self, subscriber: Subscriber) -> bool {
        match subscriber {
            Subscriber::Socket(socket) => self.post.has_room(socket),
            Subscriber::Listener(who) => {
                self.listeners.get().is_some_and(|listeners| listeners.has_room(who))
            }
        }
    }

    /// Who subscribed cannot be served.
    pub(super) fn fail(&self, subscriber: Subscriber) {
        match subscriber {
            Subscriber::Socket(socket) => self.post.close(socket, CloseCode::Unready),
            Subscriber::Listener(who) => {
                self.listeners.get().into_iter().for_each(|listeners| listeners.fail(who));
            }
        }
    }

    fn heard(
        &self,
        mut who: Vec<ListenerId>,
        message: &Message,
        from: Option<Subscriber>,
        mut then: Option<Then>,
    ) {
        if let (false, Some(listeners)) = (who.is_empty(), self.listeners.get()) {
            who.sort_unstable();
            who.dedup();
            self.metrics.topic_deliveries.inc_by(who.len() as u64);
            let publisher = match from {
                Some(Subscriber::Listener(from)) if who.contains(&from) => {
                    then.take().map(|then| (from, then))
                }
                _ => None,
            };
            listeners.hear(&who, message, publisher);
        }
        then.into_iter().for_each(|then| then());
    }

    fn target(
        &self,
        socket: SocketId,
        subscription: &Subscription,
        message: &Message,
        latest: bool,
    ) -> Target {
        let key = || self.hasher.hash_one((subscription.id, &message.topic)) | HASHED;
        Target { socket, latest: (latest || subscription.latest).then(key) }
    }
}
