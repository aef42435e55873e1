//! How a session goes.

use serde::{Deserialize, Serialize};

/// How a session goes. Times in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Policy {
    /// Agents at a time.
    pub agents: u32,
    /// Whether the session ends when its last agent is gone; if not, it waits for another.
    pub ends_with_agents: bool,
    /// How long an agent or controller whose connection is lost is waited for.
    pub agent_grace_ms: u64,
    /// How long the visitor is waited for when his last page is lost.
    pub visitor_grace_ms: u64,
    /// How long the session waits to become active, and for the agent of a transfer.
    pub join_ms: u64,
    /// How long the visitor may do nothing.
    pub idle_ms: u64,
    /// How long it may last.
    pub longest_ms: u64,
}

impl Policy {
    /// One agent at a time, with whom the session ends. Whoever loses his connection has 10 s, and the customer may do
    /// nothing for as long as he likes.
    #[must_use]
    pub const fn with_one_agent(self) -> Self {
        Self {
            agents: 1,
            ends_with_agents: true,
            agent_grace_ms: 10_000,
            visitor_grace_ms: 10_000,
            idle_ms: self.longest_ms,
            ..self
        }
    }

    /// Several agents, who are waited for when they reload.
    pub const NATIVE: Self = Self {
        agents: 8,
        ends_with_agents: false,
        agent_grace_ms: 30_000,
        visitor_grace_ms: 60_000,
        join_ms: 600_000,
        idle_ms: 600_000,
        longest_ms: 8 * 3_600_000,
    };
}
