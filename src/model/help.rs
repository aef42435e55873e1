//! A visitor asks for help: an agent of the group is to come.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::ids::HelpId;
use crate::clock::Timestamp;

/// Longest words with which a visitor asks for help, in bytes.
pub const MAX_HELP_BYTES: usize = 500;

/// How it stands with a visitor's wish for help.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum HelpStatus {
    /// He asked, and waits.
    Pending,
    /// An agent comes.
    Accepted,
    /// Nobody comes: an agent said so, or nobody did in time.
    Unavailable,
    /// He wants it no more, or left.
    Canceled,
}

/// What a visitor's pages are told of his wish for help.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct HelpTold {
    /// Which wish.
    pub help: HelpId,
    /// How it stands.
    pub status: HelpStatus,
    /// The agent who comes, as people call him, if he has a name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub agent: Option<Box<str>>,
}

/// What watchers and back ends are told of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct HelpNews {
    /// Which wish.
    pub help: HelpId,
    /// How it stands.
    pub status: HelpStatus,
    /// The agent who comes, as people call him, if he has a name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub agent: Option<Box<str>>,
    /// The visitor's words, when he asks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub text: Option<Box<str>>,
}

/// A visitor's wish for help, as lists show it: `pending` or `accepted`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct HelpView {
    /// Which wish.
    pub help: HelpId,
    /// How it stands.
    pub status: HelpStatus,
    /// The agent who comes, as people call him, if he has a name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub agent: Option<Box<str>>,
    /// When he asked, in Unix milliseconds.
    #[schema(value_type = u64)]
    pub asked: Timestamp,
    /// His words; empty when he gave none.
    pub text: Box<str>,
}

impl HelpView {
    /// Whether no agent has it yet.
    #[must_use]
    pub fn is_waiting(&self) -> bool {
        self.status == HelpStatus::Pending
    }
}
