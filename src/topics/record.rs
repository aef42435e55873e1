//! What is kept of a group's messages: the retained value of each topic, and the last ones of each, for who comes back.
//!
//! All messages of a group that are kept stand in one row, numbered by their *offset*; so one position says what a reader
//! knows, whichever topics his filter chooses. A message stays in the row while it is in its topic's history or is its
//! retained value. Of what left, each topic remembers the newest offset: a reader who was cut off before it is told that he
//! missed something, and only if it was meant for him.
//!
//! A server keeps each message, and what each topic remembers, in a [leaf](crate::store::leaves) of its own. So a message
//! costs what it is, however much the group keeps: it is written, and what leaves for it is taken away.

mod books;
mod leaves;
mod publish;
mod read;
mod rules;
#[cfg(test)]
mod tests;

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    sync::Arc,
};

use serde::{Deserialize, Serialize, Serializer};

use self::leaves::Touched;
pub use self::{
    read::{Most, Page, Reading, RetainedPage},
    rules::{GroupRules, KeepLimits, Rules},
};
use crate::{
    clock::Timestamp,
    model::{
        error::Problem,
        ids::{GroupId, NodeId},
        json::Json,
        topic::{Epoch, Message, Position, Topic},
    },
    store::{Record, Route, Which, Written},
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

impl Publication {
    /// What it takes while it waits.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.data.text().len() + self.topic.as_str().len() + MESSAGE_COST
    }
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
    /// Somebody publishes these, in this order.
    Publish(Vec<Publication>),
    /// Somebody wants a position to read from.
    Open,
    /// Time passed.
    Tick,
}

/// Where a message stands; of one that is not kept, the end of the row.
pub type Place = Result<Position, Problem>;

/// The answer: one for each message that was to be published.
pub type Reply = Vec<Place>;

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

/// What brings the row back to its end before a command; what it changed brings the rest.
#[derive(Clone, Copy, Debug)]
pub struct Checkpoint {
    last: u64,
    forgotten: u64,
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
    /// What the last command changed.
    touched: Touched,
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

/// The same as it is saved, without copies.
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
            topics.mark(&topic, dropped);
        }
        saved.row.into_iter().for_each(|kept| topics.enter(kept));
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
            touched: Touched::default(),
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
}

impl Record for GroupTopics {
    const KIND: &'static str = "topics";
    type Key = GroupId;
    type Command = Command;
    type Reply = Reply;
    type Effect = Effect;
    type Rules = Rules;
    type Checkpoint = Checkpoint;

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
            Command::Publish(all) => {
                let (group, limits) = (rules.of(group), &rules.limits);
                self.publish_all(all, effects, |row, one, effects| {
                    row.publish(one, now, group, limits, effects)
                })
            }
            Command::Open | Command::Tick => Reply::new(),
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

    fn checkpoint(&self) -> Checkpoint {
        Checkpoint { last: self.last, forgotten: self.forgotten }
    }

    fn roll_back(&mut self, Checkpoint { last, forgotten }: Checkpoint) {
        (self.last, self.forgotten) = (last, forgotten);
        self.undo();
    }

    fn stands(&mut self) {
        self.touched.forget();
    }

    const HAS_LEAVES: bool = true;

    fn written(&self, which: Which) -> serde_json::Result<Written> {
        let leaves = match which {
            Which::All => self.all_leaves(),
            Which::Changed => self.changed_leaves(),
        };
        Ok(Written { row: serde_json::to_vec(&self.end())?, leaves: leaves? })
    }

    fn read(written: &Written) -> serde_json::Result<Self> {
        let mut record = Self::new(Epoch(0));
        record.become_another(written)?;
        Ok(record)
    }

    fn become_another(&mut self, changed: &Written) -> serde_json::Result<()> {
        self.take_over(changed)
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
