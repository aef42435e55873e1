//! The rules of `[cobrowse]` and `[groups.cobrowse]`.

use std::sync::Arc;

use super::{
    GroupCobrowse, Launch, SettingsError,
    validate::{Checked, MEBIBYTE, number, rate},
    wire,
};
use crate::{
    auth::OriginList,
    limits::Rate,
    model::{cobrowse::PageSettings, ids::GroupId, masking::Masking},
};

/// Most selectors, patterns or texts of one list.
const MOST: usize = 200;
/// Longest of them, in bytes.
const LONGEST: usize = 1_000;

/// Co-browse sessions and their streams. Milliseconds stay numbers here, as the pure core adds them to timestamps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cobrowse {
    /// Sessions at a time.
    pub max_sessions: usize,
    /// Agents at a time in one session.
    pub agents: u32,
    /// How long an agent whose connection is lost is waited for.
    pub agent_grace_ms: u64,
    /// How long a visitor whose last page is lost is waited for.
    pub visitor_grace_ms: u64,
    /// How long a session waits for visitor and agent.
    pub join_ms: u64,
    /// How long the visitor may do nothing.
    pub idle_ms: u64,
    /// How long a session may last.
    pub longest_ms: u64,
    /// Sessions that one visitor may start.
    pub sessions_per_minute: Rate,
    /// Length of a code that leads to a session, digits.
    pub code_digits: u8,
    /// Longest message of a page's stream, before it was deflated, in bytes.
    pub part_bytes: usize,
    /// What is kept of one page's stream, in bytes.
    pub page_bytes: usize,
    /// What may wait for a slow viewer, in bytes.
    pub outbox_bytes: u64,
    /// Longest picture, font or style sheet, in bytes.
    pub asset_bytes: u64,
    /// What they may take in one session, in bytes.
    pub assets_bytes: u64,
    /// How many there may be in one session.
    pub assets: usize,
    /// Messages on a page's stream.
    pub stream_messages: Rate,
    /// How long past sessions are kept, days.
    pub history_days: u64,
    /// How long consents are kept, days.
    pub consent_days: u64,
}

impl Cobrowse {
    /// Longest message of a page's stream as it comes in: the part with its head, deflated or not.
    #[must_use]
    pub const fn message_bytes(&self) -> usize {
        self.part_bytes + 64
    }
}

pub(super) fn cobrowse(wire: &wire::Cobrowse) -> Checked<Cobrowse> {
    fn within<T: TryFrom<u64>>(
        key: &str,
        value: u64,
        range: std::ops::RangeInclusive<u64>,
    ) -> Checked<T> {
        number(&format!("cobrowse.{key}"), value, range)
    }
    let per = |key: &str, value| rate(&format!("cobrowse.{key}"), value);
    let seconds = |key: &str, value| within::<u64>(key, value, 1..=86_400).map(|time| time * 1_000);
    let kept = 1_024..=1_024 * MEBIBYTE;
    let messages =
        Rate::per_second(per("stream_messages_per_second", wire.stream_messages_per_second)?);
    Ok(Cobrowse {
        max_sessions: within("max_sessions", wire.max_sessions, 1..=10_000_000)?,
        agents: within("agents", wire.agents, 1..=64)?,
        agent_grace_ms: within("agent_grace_ms", wire.agent_grace_ms, 0..=3_600_000)?,
        visitor_grace_ms: within("visitor_grace_ms", wire.visitor_grace_ms, 0..=3_600_000)?,
        join_ms: seconds("join_seconds", wire.join_seconds)?,
        idle_ms: seconds("idle_seconds", wire.idle_seconds)?,
        longest_ms: seconds("longest_seconds", wire.longest_seconds)?,
        sessions_per_minute: Rate::per_minute(per(
            "sessions_per_minute",
            wire.sessions_per_minute,
        )?),
        code_digits: within("code_digits", wire.code_digits, 4..=12)?,
        part_bytes: within("part_bytes", wire.part_bytes, 65_536..=64 * MEBIBYTE)?,
        page_bytes: within("page_bytes", wire.page_bytes, kept.clone())?,
        outbox_bytes: within(
            "outbox_bytes",
            wire.outbox_bytes,
            wire.part_bytes..=1_024 * MEBIBYTE,
        )?,
        asset_bytes: within("asset_bytes", wire.asset_bytes, kept.clone())?,
        assets_bytes: within("assets_bytes", wire.assets_bytes, kept)?,
        assets: within("assets", wire.assets, 0..=1_000_000)?,
        stream_messages: messages
            .with_burst(per("stream_messages_burst", wire.stream_messages_burst)?),
        history_days: within("history_days", wire.history_days, 1..=36_500)?,
        consent_days: within("consent_days", wire.consent_days, 1..=36_500)?,
    })
}

pub(super) fn of_group(
    at: &str,
    id: &GroupId,
    origins: &OriginList,
    wire: wire::GroupCobrowse,
) -> Checked<GroupCobrowse> {
    let lists = [("mask", &wire.mask), ("allow", &wire.allow), ("patterns", &wire.patterns)];
    for (key, list) in lists {
        short(&format!("{at}.cobrowse.{key}"), list.iter())?;
    }
    short(&format!("{at}.cobrowse.texts"), wire.texts.values())?;
    let mut masking = Masking::default();
    for (index, pattern) in wire.patterns.iter().enumerate() {
        let key = || format!("{at}.cobrowse.patterns[{index}]");
        masking.add(pattern).map_err(|error| SettingsError::key(key(), error))?;
    }
    let launch = launch(at, id, &wire)?;
    let wire::GroupCobrowse { mask, private, allow, patterns, language, texts, .. } = wire;
    let mut origins: Vec<_> = origins.iter().map(|origin| origin.as_str().to_owned()).collect();
    origins.sort_unstable();
    let page = PageSettings { mask, private, allow, patterns, language, texts, origins };
    Ok(GroupCobrowse { masking: Arc::new(masking), page: Arc::new(page), launch })
}

fn launch(at: &str, id: &GroupId, wire: &wire::GroupCobrowse) -> Checked<Launch> {
    let within = |key: &str, text: &str, longest: usize| {
        if (1..=longest).contains(&text.len()) {
            return Ok(text.to_owned());
        }
        let rule = format!("must have 1 to {longest} bytes");
        Err(SettingsError::key(format!("{at}.cobrowse.{key}"), rule))
    };
    let by = wire.launch.as_str();
    let is_element = by
        .strip_prefix('#')
        .is_some_and(|name| (1..=100).contains(&name.len()) && !name.contains(char::is_whitespace));
    if !is_element && !matches!(by, "button" | "none") {
        let rule = "must be button, none, or # and the id of an element";
        return Err(SettingsError::key(format!("{at}.cobrowse.launch"), rule));
    }
    let site_code = wire.site_code.as_deref().map(|code| within("site_code", code, 100));
    let terms = wire.terms.as_deref().map(|terms| within("terms", terms, 10_000));
    Ok(Launch {
        site_code: site_code.transpose()?.unwrap_or_else(|| id.to_string()),
        by: by.to_owned(),
        terms: terms.transpose()?,
    })
}

fn short<'a>(key: &str, texts: impl ExactSizeIterator<Item = &'a String>) -> Checked<()> {
    if texts.len() > MOST {
        return Err(SettingsError::key(key, format!("must have at most {MOST} entries")));
    }
    for (index, text) in texts.enumerate() {
        if text.is_empty() || text.len() > LONGEST {
            let rule = format!("must have 1 to {LONGEST} bytes");
            return Err(SettingsError::key(format!("{key}[{index}]"), rule));
        }
    }
    Ok(())
}
