//! The rules of `[topics]` and `[groups.topics]`.

use super::{
    GroupTopics, SettingsError,
    validate::{Checked, MEBIBYTE, number, rate},
    wire,
};
use crate::{
    limits::Rate,
    model::topic::{MAX_FILTERS, Rights, TopicFilter},
};

const YEAR_SECONDS: u64 = 365 * 24 * 60 * 60;

/// How much of topics each group may have.
#[derive(Clone, Copy, Debug)]
pub struct Topics {
    /// Subscriptions of one socket.
    pub subscriptions_per_socket: usize,
    /// Subscriptions of all sockets of one group.
    pub subscriptions_per_group: usize,
    /// Messages that all of a group publish.
    pub publishes: Rate,
    /// How much of that, and of what is kept, a group's visitors may have, in percent.
    pub visitor_percent: u8,
    /// Longest data of one message, in bytes.
    pub payload_bytes: usize,
    /// Topics that have a retained value.
    pub retained: usize,
    /// What retained values may take, in bytes.
    pub retained_bytes: usize,
    /// Longest life of a retained value, in ms.
    pub retained_ms: u64,
    /// What histories may take, in bytes.
    pub history_bytes: usize,
}

pub(super) fn topics(wire: &wire::Topics) -> Checked<Topics> {
    fn within<T: TryFrom<u64>>(
        key: &str,
        value: u64,
        range: std::ops::RangeInclusive<u64>,
    ) -> Checked<T> {
        number(&format!("topics.{key}"), value, range)
    }
    let per_second = |key: &str, value| rate(&format!("topics.{key}"), value);
    let kept = 0..=1_024 * MEBIBYTE;
    let seconds = within::<u64>("retained_seconds", wire.retained_seconds, 1..=YEAR_SECONDS)?;
    let publishes =
        Rate::per_second(per_second("publishes_per_second", wire.publishes_per_second)?);
    Ok(Topics {
        subscriptions_per_socket: within(
            "subscriptions_per_socket",
            wire.subscriptions_per_socket,
            1..=100_000,
        )?,
        subscriptions_per_group: within(
            "subscriptions_per_group",
            wire.subscriptions_per_group,
            1..=100_000_000,
        )?,
        publishes: publishes.with_burst(per_second("publishes_burst", wire.publishes_burst)?),
        visitor_percent: within("visitor_percent", wire.visitor_percent, 1..=100)?,
        payload_bytes: within("payload_bytes", wire.payload_bytes, 64..=16 * MEBIBYTE)?,
        retained: within("retained", wire.retained, 0..=10_000_000)?,
        retained_bytes: within("retained_bytes", wire.retained_bytes, kept.clone())?,
        retained_ms: seconds * 1_000,
        history_bytes: within("history_bytes", wire.history_bytes, kept)?,
    })
}

pub(super) fn of_group(at: &str, wire: &wire::GroupTopics) -> Checked<GroupTopics> {
    let list = |key: &str, texts: &[String]| filters(&format!("{at}.topics.{key}"), texts);
    let kept = |key: &str| format!("{at}.topics.{key}");
    Ok(GroupTopics {
        visitors: Rights {
            publish: list("visitor_publish", &wire.visitor_publish)?.into(),
            subscribe: list("visitor_subscribe", &wire.visitor_subscribe)?.into(),
        },
        visitors_retain: wire.visitor_retain,
        history: number(&kept("history"), wire.history, 0..=1_000_000)?,
        history_ms: number::<u64>(
            &kept("history_seconds"),
            wire.history_seconds,
            1..=YEAR_SECONDS,
        )? * 1_000,
        latest: list("latest", &wire.latest)?,
    })
}

fn filters(key: &str, texts: &[String]) -> Checked<Vec<TopicFilter>> {
    if texts.len() > MAX_FILTERS {
        return Err(SettingsError::key(key, format!("must have at most {MAX_FILTERS} filters")));
    }
    let filter = |(index, text): (usize, &String)| {
        text.parse::<TopicFilter>()
            .map_err(|error| SettingsError::key(format!("{key}[{index}]"), error))
    };
    texts.iter().enumerate().map(filter).collect()
}
