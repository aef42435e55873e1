//! What groups want kept, and how much may be.

use std::collections::HashMap;

use crate::model::{
    ids::GroupId,
    topic::{Topic, TopicFilter},
};

/// What a group wants kept.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GroupRules {
    /// The last so many messages of each topic; 0 for none.
    pub history: usize,
    /// How long, in ms.
    pub history_ms: u64,
    /// Topics whose messages are states: only the newest of a topic counts.
    pub latest: Vec<TopicFilter>,
}

impl GroupRules {
    /// Whether only the newest message of this topic counts.
    #[must_use]
    pub fn is_latest(&self, topic: &Topic) -> bool {
        self.latest.iter().any(|filter| filter.matches(topic))
    }
}

/// How much may be kept of one group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeepLimits {
    /// Topics with a retained value. As many others of which all is gone are remembered for what they lost.
    pub topics: usize,
    /// Bytes of all histories; beyond, the oldest message of the group goes.
    pub history_bytes: usize,
    /// Bytes of all retained values; beyond, new ones are refused.
    pub retained_bytes: usize,
    /// Longest life of a retained value, in ms, and its life where the publisher says nothing.
    pub retained_ms: u64,
    /// How much of topics and bytes visitors together may have, in percent.
    pub visitor_percent: u8,
}

impl KeepLimits {
    /// Visitors' part of so many.
    #[must_use]
    pub fn of_visitors(&self, all: usize) -> usize {
        let part = all as u128 * u128::from(self.visitor_percent);
        usize::try_from(part.div_ceil(100)).unwrap_or(all)
    }
}

/// What records of topics go by.
#[derive(Clone, Debug)]
pub struct Rules {
    /// Each group's wishes.
    pub groups: HashMap<GroupId, GroupRules>,
    /// The bounds of each.
    pub limits: KeepLimits,
    /// For groups that are none of them.
    pub nothing: GroupRules,
}

impl Rules {
    /// A group's wishes.
    #[must_use]
    pub fn of(&self, group: &GroupId) -> &GroupRules {
        self.groups.get(group).unwrap_or(&self.nothing)
    }
}
