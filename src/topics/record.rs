//! What is kept of a group's messages: the retained value of each topic, and the last ones of each, for who comes back.
//!
//! All messages of a group that are kept stand in one row, numbered by their *offset*; so one position says what a reader
//! knows, whichever topics his filter chooses. A message stays in the row while it is in its topic's history or is its
//! retained value. Of what left, each topic remembers the newest offset: a reader who was cut off before it is told that he
//! missed something, and only if it was meant for him.

mod books;
mod read;
mod rules;
#[cfg(test)]
mod tests;

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    sync::Arc,
};

use serde::{Deserialize, Serialize, Serializer};

pub use self::{
    read::{Most, Page, Reading, RetainedPage},
    rules::{GroupRules, KeepLimits, Rules},
};
use crate::{
    clock::Timestamp,
    model::{
        error::{ErrorCode, Problem},
        ids::{GroupId, NodeId},
        json::Json,
        topic::{Epoch, Message, Position, Topic},
    },
    store::{Record, Route},
};

/// What a kept message costs beside its text: its places in the row and in the indexes.
const MESSAGE_COST: usize = 256;

/// A message that somebody publishes, and who.
#[derive(Clone, Debug)]
pub struct Publication {
    /// Where to.
    pub topic: Topic,
    /// Any JSON.
    pub data: Json,
    /// Whether it becomes the topic's retained value; `null` then takes the value away.
    pub retain: bool,
    /// How long it is worth anything, in ms.
    pub expiry_ms: Option<u64>,
    /// Who publishes it.
    pub from: Sender,
    /// Whether that is a visitor.
    pub is_visitor: bool,
}

/// A publisher: a number of its node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sender {
    /// The node.
    pub node: NodeId,
    /// The number there.
    pub client: u64,
    /// Which of his messages it is.
    pub number: u64,
}

/// What can happen to a group's messages.
#[derive(Clone, Debug)]
pub enum Command {
    /// Somebody publishes.
    Publish(Box<Publication>),
    /// Somebody wants a position to read from.
    Open,
    /// Time passed.
    Tick,
}

/// The answer: where the message stands, or the end of the row.
pub type Reply = Result<Position, Problem>;

/// What follows.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Effect {
    /// To all who subscribed.
    Published {
        /// What.
        message: Arc<Message>,
        /// By whom.
        from: Sender,
    },
    /// What was kept is lost, and a new row begins.
    Lost,
}

/// What is kept of a group's messages.
#[derive(Clone, Debug, Deserialize)]
#[serde(from = "Saved")]
pub struct GroupTopics {
    epoch: Epoch,
    last: u64,
    /// Of topics that are not remembered any more, the newest offset that left.
    forgotten: u64,
    row: BTreeMap<u64, Kept>,
    topics: BTreeMap<Topic, Standing>,
    /// Offsets of messages that are in their topic's history, and their bytes.
    history: BTreeSet<u64>,
    history_bytes: usize,
    /// Offsets of retained values, and their bytes.
    retained: BTreeSet<u64>,
    retained_bytes: usize,
    expiries: BTreeSet<(Timestamp, u64)>,
    /// Of both, what visitors published.
    of_visitors: OfVisitors,
    /// Topics that lost something, by the newest offset that left; and of those the ones of which nothing is kept.
    lossy: BTreeMap<u64, Topic>,
    idle: BTreeMap<u64, Topic>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Kept {
    message: Arc<Message>,
    /// Until when it is in its topic's history.
    history: Option<Timestamp>,
    /// Until when it is the retained value.
    retained: Option<Timestamp>,
    /// Whether it only counts as long as there is no newer one of its topic.
    latest: bool,
    #[serde(default)]
    is_visitor: bool,
}

#[derive(Clone, Debug, Default)]
struct OfVisitors {
    history: BTreeSet<u64>,
    history_bytes: usize,
    retained: usize,
    retained_bytes: usize,
}

#[derive(Clone, Debug, Default)]
struct Standing {
    history: VecDeque<u64>,
    retained: Option<u64>,
    /// The newest offset that left.
    dropped: u64,
}

#[derive(Deserialize)]
struct Saved {
    epoch: Epoch,
    last: u64,
    forgotten: u64,
    row: Vec<Kept>,
    dropped: BTreeMap<Topic, u64>,
}

/// The same as it is written, without copies: the shared engine writes it after every command.
#[derive(Serialize)]
struct Saving<'a> {
    epoch: Epoch,
    last: u64,
    forgotten: u64,
    row: Vec<&'a Kept>,
    dropped: BTreeMap<&'a Topic, u64>,
}

impl Serialize for GroupTopics {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let dropped = self.topics.iter().map(|(topic, standing)| (topic, standing.dropped));
        let saving = Saving {
            epoch: self.epoch,
            last: self.last,
            forgotten: self.forgotten,
            row: self.row.values().collect(),
            dropped: dropped.filter(|(_, dropped)| *dropped > 0).collect(),
        };
        saving.serialize(serializer)
    }
}

impl From<Saved> for GroupTopics {
    fn from(saved: Saved) -> Self {
        let mut topics =
            Self { last: saved.last, forgotten: saved.forgotten, ..Self::new(saved.epoch) };
        for (topic, dropped) in saved.dropped {
            topics.lossy.insert(dropped, topic.clone());
            topics.idle.insert(dropped, topic.clone());
            topics.topics.insert(topic, Standing { dropped, ..Standing::default() });
        }
        saved.row.into_iter().for_each(|kept| topics.keep(kept));
        topics
    }
}

impl Kept {
    fn bytes(&self) -> usize {
        self.message.data.text().len() + self.message.topic.as_str().len() + MESSAGE_COST
    }

    fn offset(&self) -> u64 {
        self.message.position.map_or(0, |position| position.offset)
    }
}

impl GroupTopics {
    fn new(epoch: Epoch) -> Self {
        Self {
            epoch,
            last: 0,
            forgotten: 0,
            row: BTreeMap::new(),
            topics: BTreeMap::new(),
            history: BTreeSet::new(),
            history_bytes: 0,
            retained: BTreeSet::new(),
            retained_bytes: 0,
            expiries: BTreeSet::new(),
            of_visitors: OfVisitors::default(),
            lossy: BTreeMap::new(),
            idle: BTreeMap::new(),
        }
    }

    /// The end of the row.
    #[must_use]
    pub fn position(&self) -> Position {
        Position { epoch: self.epoch, offset: self.last }
    }

    /// How many topics have a retained value.
    #[must_use]
    pub fn retained_topics(&self) -> usize {
        self.retained.len()
    }

    /// How many messages are kept, and their bytes.
    #[must_use]
    pub fn kept(&self) -> (usize, usize) {
        (self.row.len(), self.history_bytes + self.retained_bytes)
    }

    /// The bytes of those that visitors published.
    #[must_use]
    pub fn visitor_bytes(&self) -> usize {
        self.of_visitors.history_bytes + self.of_visitors.retained_bytes
    }

    fn publish(
        &mut self,
        publication: Publication,
        now: Timestamp,
        group: &GroupRules,
        limits: &KeepLimits,
        effects: &mut Vec<Effect>,
    ) -> Reply {
        let Publication { topic, data, retain, expiry_ms, from, is_visitor } = publication;
        let latest = group.is_latest(&topic);
        let clears = retain && data.text() == "null";
        let life = |longest: u64| now + expiry_ms.map_or(longest, |expiry| expiry.min(longest));
        let most = if latest { group.history.min(1) } else { group.history };
        let mut kept = Kept {
            message: Arc::new(Message { topic, data, at: now, position: None }),
            history: (most > 0).then(|| life(group.history_ms)),
            retained: (retain && !clears).then(|| life(limits.retained_ms)),
            latest,
            is_visitor,
        };
        if kept.retained.is_some() {
            self.check_room(&kept, limits)?;
        }
        let topic = kept.message.topic.clone();
        if kept.history.is_some() || retain {
            self.last += 1;
            Arc::make_mut(&mut kept.message).position = Some(self.position());
        }
        effects.push(Effect::Published { message: Arc::clone(&kept.message), from });
        if kept.history.is_some() || kept.retained.is_some() {
            self.keep(kept);
        }
        // What is dropped is dropped last, so that a command that fails half-way has only added.
        if clears {
            let old = self.topics.get(&topic).and_then(|standing| standing.retained);
            old.into_iter().for_each(|old| self.end_retained(old));
        }
        while self.topics.get(&topic).is_some_and(|standing| standing.history.len() > most) {
            let oldest = self.topics.get(&topic).and_then(|standing| standing.history.front());
            let Some(oldest) = oldest.copied() else { break };
            self.end_history(oldest);
        }
        while self.of_visitors.history_bytes > limits.of_visitors(limits.history_bytes) {
            let Some(oldest) = self.of_visitors.history.first().copied() else { break };
            self.end_history(oldest);
        }
        while self.history_bytes > limits.history_bytes {
            let Some(oldest) = self.history.first().copied() else { break };
            self.end_history(oldest);
        }
        while self.idle.len() > limits.topics {
            let Some((dropped, topic)) = self.idle.pop_first() else { break };
            self.forgotten = self.forgotten.max(dropped);
            self.lossy.remove(&dropped);
            self.topics.remove(&topic);
        }
        Ok(self.position())
    }

    /// Whether there is room for one more retained value.
    fn check_room(&self, kept: &Kept, limits: &KeepLimits) -> Result<(), Problem> {
        let standing = self.topics.get(&kept.message.topic);
        let old = standing.and_then(|standing| self.row.get(&standing.retained?));
        let all = (self.retained.len(), self.retained_bytes);
        room_for("a group", kept, old, all, (limits.topics, limits.retained_bytes))?;
        if !kept.is_visitor {
            return Ok(());
        }
        let old = old.filter(|old| old.is_visitor);
        let of_visitors = (self.of_visitors.retained, self.of_visitors.retained_bytes);
        let most = (limits.of_visitors(limits.topics), limits.of_visitors(limits.retained_bytes));
        room_for("the visitors of a group", kept, old, of_visitors, most)
    }
}

/// Whether those who have so many values of so many bytes have room for one more, in place of the old one of its topic.
fn room_for(
    whose: &str,
    kept: &Kept,
    old: Option<&Kept>,
    (topics, bytes): (usize, usize),
    (most_topics, most_bytes): (usize, usize),
) -> Result<(), Problem> {
    if topics + usize::from(old.is_none()) > most_topics {
        let sentence = format!("{whose} may have {most_topics} topics with a retained value");
        return Err(Problem::new(ErrorCode::TooMany, sentence));
    }
    if bytes + kept.bytes() - old.map_or(0, Kept::bytes) > most_bytes {
        let sentence = format!("the retained values of {whose} may have {most_bytes} bytes in all");
        return Err(Problem::new(ErrorCode::TooMany, sentence));
    }
    Ok(())
}

impl Record for GroupTopics {
    const KIND: &'static str = "topics";
    type Key = GroupId;
    type Command = Command;
    type Reply = Reply;
    type Effect = Effect;
    type Rules = Rules;
    type Checkpoint = u64;

    fn vacant(_: &Rules, now: Timestamp) -> Self {
        Self::new(Epoch(now.0))
    }

    fn apply(
        &mut self,
        group: &GroupId,
        command: Command,
        now: Timestamp,
        rules: &Rules,
        effects: &mut Vec<Effect>,
    ) -> Reply {
        self.expire(now);
        match command {
            Command::Publish(publication) => {
                self.publish(*publication, now, rules.of(group), &rules.limits, effects)
            }
            Command::Open | Command::Tick => Ok(self.position()),
        }
    }

    fn tick() -> Command {
        Command::Tick
    }

    fn deadline(&self, _: &Rules) -> Option<Timestamp> {
        self.expiries.first().map(|(until, _)| *until)
    }

    /// A row that was begun stays, however empty: readers hold positions in it.
    fn is_vacant(&self, _: &Rules, _: Timestamp) -> bool {
        false
    }

    fn checkpoint(&self) -> u64 {
        self.last
    }

    /// Takes back what was added. What was dropped already counts as dropped: all readers who come back are told.
    fn roll_back(&mut self, last: u64) {
        let mut before = Self { last, forgotten: last, ..Self::new(self.epoch) };
        std::mem::take(&mut self.row)
            .into_values()
            .filter(|kept| kept.offset() <= last)
            .for_each(|kept| before.keep(kept));
        *self = before;
    }

    fn set_aside(&self, effects: &mut Vec<Effect>) {
        effects.push(Effect::Lost);
    }

    fn route(group: &GroupId, _: &Effect) -> Route {
        Route::Listeners(group.to_string())
    }

    /// There are as many as groups, and as there were in earlier settings, as long as something of theirs is kept.
    fn makes_a_record(_: &Command) -> bool {
        false
    }

    fn is_essential(_: &Command) -> bool {
        false
    }
}
