//! The rules of `[chat]` and `[groups.chat]`.

use super::{
    SettingsError,
    validate::{Checked, number, rate},
    wire,
};
use crate::{
    limits::Rate,
    model::{chat::MAX_BUTTONS, ids::ButtonId},
};

/// Chats. Milliseconds stay numbers here, as the pure core adds them to timestamps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Chat {
    /// Chats at a time.
    pub max_chats: usize,
    /// Visitors of one group who may wait at a time.
    pub waiting: usize,
    /// Of those, visitors of one address.
    pub waiting_per_address: usize,
    /// Agents of one group who chat.
    pub agents: usize,
    /// Chats that one agent may have at a time.
    pub chats_per_agent: usize,
    /// How long an agent whose last connection is lost is waited for.
    pub agent_grace_ms: u64,
    /// How long a visitor who left the site is waited for.
    pub visitor_grace_ms: u64,
    /// How long an invitation waits for its answer.
    pub invited_ms: u64,
    /// How long a visitor waits for an agent.
    pub waiting_ms: u64,
    /// How long a chat goes on in which nobody says anything.
    pub idle_ms: u64,
    /// Messages of one chat.
    pub messages: u32,
    /// Messages of one visitor.
    pub messages_per_minute: Rate,
    /// Chats that one visitor may begin.
    pub chats_per_minute: Rate,
    /// How long past chats are kept, days.
    pub history_days: u64,
}

pub(super) fn chat(wire: &wire::Chat) -> Checked<Chat> {
    fn within<T: TryFrom<u64>>(
        key: &str,
        value: u64,
        range: std::ops::RangeInclusive<u64>,
    ) -> Checked<T> {
        number(&format!("chat.{key}"), value, range)
    }
    let per = |key: &str, value| rate(&format!("chat.{key}"), value).map(Rate::per_minute);
    let seconds = |key: &str, value| within::<u64>(key, value, 1..=86_400).map(|time| time * 1_000);
    Ok(Chat {
        max_chats: within("max_chats", wire.max_chats, 1..=10_000_000)?,
        waiting: within("waiting", wire.waiting, 0..=100_000)?,
        waiting_per_address: within("waiting_per_address", wire.waiting_per_address, 1..=100_000)?,
        agents: within("agents", wire.agents, 1..=100_000)?,
        chats_per_agent: within("chats_per_agent", wire.chats_per_agent, 1..=1_000)?,
        agent_grace_ms: within("agent_grace_ms", wire.agent_grace_ms, 0..=3_600_000)?,
        visitor_grace_ms: within("visitor_grace_ms", wire.visitor_grace_ms, 0..=3_600_000)?,
        invited_ms: seconds("invited_seconds", wire.invited_seconds)?,
        waiting_ms: seconds("waiting_seconds", wire.waiting_seconds)?,
        idle_ms: seconds("idle_seconds", wire.idle_seconds)?,
        messages: within("messages", wire.messages, 1..=1_000_000)?,
        messages_per_minute: per("messages_per_minute", wire.messages_per_minute)?,
        chats_per_minute: per("chats_per_minute", wire.chats_per_minute)?,
        history_days: within("history_days", wire.history_days, 1..=36_500)?,
    })
}

pub(super) fn of_group(at: &str, wire: &wire::GroupChat) -> Checked<Vec<ButtonId>> {
    let key = format!("{at}.chat.buttons");
    if wire.buttons.len() > MAX_BUTTONS {
        return Err(SettingsError::key(key, format!("must have at most {MAX_BUTTONS} entries")));
    }
    let button = |(index, text): (usize, &String)| {
        text.parse().map_err(|_| {
            let rule = format!("must be {}", ButtonId::RULE);
            SettingsError::key(format!("{key}[{index}]"), rule)
        })
    };
    wire.buttons.iter().enumerate().map(button).collect()
}
