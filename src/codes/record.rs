//! One code's record: free, living, or resting after its life.

use serde::{Deserialize, Serialize};

use crate::{
    clock::Timestamp,
    model::ids::{Code, GroupId, SessionId, VisitorId},
    store::{Record, Route},
};

/// Names a code in the whole service.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct CodeKey {
    /// The group that it counts in.
    pub group: GroupId,
    /// The code.
    pub code: Code,
}

/// Where a code leads.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Lead {
    /// To a visitor.
    Visitor(VisitorId),
    /// To a co-browse session.
    Session(SessionId),
}

/// The times that codes live by.
#[derive(Clone, Copy, Debug)]
pub struct CodeRules {
    /// How long a code is not given again after its life, in ms.
    pub rest_ms: u64,
}

/// A code.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum CodeRecord {
    /// Nobody has it.
    Free,
    /// Leads somewhere.
    Living {
        /// Where.
        lead: Lead,
        /// Until when.
        until: Timestamp,
    },
    /// Leads nowhere, and is not given again yet.
    Resting {
        /// Until when.
        until: Timestamp,
    },
}

/// What can happen to a code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CodeCommand {
    /// Has it lead somewhere, if it is free.
    Claim {
        /// Where.
        lead: Lead,
        /// For how long, in ms.
        life_ms: u64,
        /// Whether it must not be resting.
        rested: bool,
    },
    /// Gives it its whole life again.
    Extend {
        /// Where it must lead.
        lead: Lead,
        /// For how long, in ms.
        life_ms: u64,
    },
    /// Ends its life.
    Release {
        /// Where it must lead.
        lead: Lead,
    },
    /// Asks where it leads.
    Resolve,
    /// Time passed.
    Tick,
}

/// The answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CodeReply {
    /// It leads there.
    LeadsTo {
        /// Where.
        lead: Lead,
    },
    /// Somebody else has it, or it rests.
    Taken,
    /// It leads nowhere.
    Nowhere,
}

/// What follows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum CodeEffect {
    /// Its life ended.
    Expired {
        /// Where it led.
        lead: Lead,
    },
}

impl Record for CodeRecord {
    const KIND: &'static str = "code";
    type Key = CodeKey;
    type Command = CodeCommand;
    type Reply = CodeReply;
    type Effect = CodeEffect;
    type Rules = CodeRules;
    type Checkpoint = Self;

    fn vacant(_: &CodeRules, _: Timestamp) -> Self {
        Self::Free
    }

    fn apply(
        &mut self,
        _: &CodeKey,
        command: CodeCommand,
        now: Timestamp,
        rules: &CodeRules,
        effects: &mut Vec<CodeEffect>,
    ) -> CodeReply {
        match self {
            Self::Living { lead, until } if *until <= now => {
                effects.push(CodeEffect::Expired { lead: lead.clone() });
                *self = Self::Resting { until: *until + rules.rest_ms };
            }
            Self::Resting { until } if *until <= now => *self = Self::Free,
            _ => {}
        }
        match (command, &mut *self) {
            (CodeCommand::Claim { rested: true, .. }, Self::Resting { .. })
            | (CodeCommand::Claim { .. }, Self::Living { .. }) => CodeReply::Taken,
            (CodeCommand::Claim { lead, life_ms, .. }, _) => {
                *self = Self::Living { lead: lead.clone(), until: now + life_ms };
                CodeReply::LeadsTo { lead }
            }
            (CodeCommand::Extend { lead, life_ms }, Self::Living { lead: leads_to, until })
                if lead == *leads_to =>
            {
                *until = now + life_ms;
                CodeReply::LeadsTo { lead }
            }
            (CodeCommand::Release { lead }, Self::Living { lead: leads_to, .. })
                if lead == *leads_to =>
            {
                *self = Self::Resting { until: now + rules.rest_ms };
                CodeReply::Nowhere
            }
            (CodeCommand::Resolve, Self::Living { lead, .. }) => {
                CodeReply::LeadsTo { lead: lead.clone() }
            }
            _ => CodeReply::Nowhere,
        }
    }

    fn tick() -> CodeCommand {
        CodeCommand::Tick
    }

    fn deadline(&self, _: &CodeRules) -> Option<Timestamp> {
        match self {
            Self::Free => None,
            Self::Living { until, .. } | Self::Resting { until } => Some(*until),
        }
    }

    fn is_vacant(&self, _: &CodeRules, _: Timestamp) -> bool {
        *self == Self::Free
    }

    fn checkpoint(&self) -> Self {
        self.clone()
    }

    fn roll_back(&mut self, checkpoint: Self) {
        *self = checkpoint;
    }

    fn set_aside(&self, effects: &mut Vec<CodeEffect>) {
        if let Self::Living { lead, .. } = self {
            effects.push(CodeEffect::Expired { lead: lead.clone() });
        }
    }

    fn route(_: &CodeKey, effect: &CodeEffect) -> Route {
        match effect {
            CodeEffect::Expired { .. } => Route::Here,
        }
    }

    fn makes_a_record(command: &CodeCommand) -> bool {
        matches!(command, CodeCommand::Claim { .. })
    }

    fn is_essential(command: &CodeCommand) -> bool {
        matches!(command, CodeCommand::Release { .. })
    }
}
