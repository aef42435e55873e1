//! The rules of `[events]` and `[[groups.webhooks]]`.

use std::time::Duration;

use sha2::{Digest as _, Sha256};

use super::{
    SettingsError, Webhook,
    validate::{Checked, DAY_MS, MEBIBYTE, milliseconds, number},
    wire,
};
use crate::{
    auth::{InvalidAddress, OutsideAddress, Signer},
    model::event::{EventKind, Kinds},
};

/// Most webhooks of one group.
const MOST: usize = 16;
/// Most secrets of one webhook: the one in use, and the one before or after it.
const MOST_SECRETS: usize = 2;

/// Events for back ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Events {
    /// Events of a group that are kept.
    pub history: usize,
    /// What they may take, bytes a group.
    pub history_bytes: usize,
    /// Streams that a group may have at a time.
    pub streams: usize,
    /// Longest silence on a stream.
    pub heartbeat: Duration,
    /// Webhooks.
    pub webhooks: Webhooks,
}

/// How webhooks are delivered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Webhooks {
    /// Time to answer.
    pub timeout: Duration,
    /// Requests to one endpoint at a time.
    pub in_flight: usize,
    /// Events that may wait for one endpoint.
    pub queue: usize,
    /// What they may take, bytes.
    pub queue_bytes: usize,
    /// Longest pause after the first failure, milliseconds.
    pub retry_first_ms: u64,
    /// Longest pause of all, milliseconds.
    pub retry_most_ms: u64,
    /// Age at which an event is given up, milliseconds.
    pub give_up_ms: u64,
    /// Dead letters that are kept for one endpoint.
    pub dead_letters: u64,
}

pub(super) fn events(wire: &wire::Events) -> Checked<Events> {
    let within = |key: &str, value, range| number::<usize>(&format!("events.{key}"), value, range);
    let pause = |key: &str, value| number::<u64>(&format!("events.{key}"), value, 1..=DAY_MS);
    let bytes = 65_536..=1_024 * MEBIBYTE;
    let events = Events {
        history: within("history", wire.history, 100..=1_000_000)?,
        history_bytes: within("history_bytes", wire.history_bytes, bytes.clone())?,
        streams: within("streams", wire.streams, 1..=100_000)?,
        heartbeat: milliseconds("events.heartbeat_ms", wire.heartbeat_ms)?,
        webhooks: Webhooks {
            timeout: milliseconds("events.webhook_timeout_ms", wire.webhook_timeout_ms)?,
            in_flight: within("webhook_in_flight", wire.webhook_in_flight, 1..=1_000)?,
            queue: within("webhook_queue", wire.webhook_queue, 1..=1_000_000)?,
            queue_bytes: within("webhook_queue_bytes", wire.webhook_queue_bytes, bytes)?,
            retry_first_ms: pause("webhook_retry_first_ms", wire.webhook_retry_first_ms)?,
            retry_most_ms: pause("webhook_retry_most_ms", wire.webhook_retry_most_ms)?,
            give_up_ms: 1_000
                * number::<u64>(
                    "events.webhook_give_up_seconds",
                    wire.webhook_give_up_seconds,
                    1..=2_592_000,
                )?,
            dead_letters: number("events.dead_letters", wire.dead_letters, 0..=1_000_000)?,
        },
    };
    if events.webhooks.retry_first_ms > events.webhooks.retry_most_ms {
        let rule = "must not be above webhook_retry_most_ms";
        return Err(SettingsError::key("events.webhook_retry_first_ms", rule));
    }
    Ok(events)
}

/// The webhooks of the group at `at`; `kept` says whether the group has events at all.
pub(super) fn webhooks(
    at: &str,
    kept: bool,
    wire: &[wire::Webhook],
    plain_http: bool,
) -> Checked<Vec<Webhook>> {
    if !kept && !wire.is_empty() {
        let rule = "must be true where there are webhooks";
        return Err(SettingsError::key(format!("{at}.events"), rule));
    }
    if wire.len() > MOST {
        return Err(SettingsError::key(format!("{at}.webhooks"), format!("at most {MOST}")));
    }
    let mut checked: Vec<Webhook> = Vec::new();
    for (index, wire) in wire.iter().enumerate() {
        let at = format!("{at}.webhooks[{index}]");
        let webhook = webhook(&at, wire, plain_http)?;
        if checked.iter().any(|other| other.id == webhook.id) {
            let rule = "another webhook of the group has this address";
            return Err(SettingsError::key(format!("{at}.url"), rule));
        }
        checked.push(webhook);
    }
    Ok(checked)
}

fn webhook(at: &str, wire: &wire::Webhook, plain_http: bool) -> Checked<Webhook> {
    let address = address(&wire.url, plain_http).map_err(|error| {
        let switch = match error {
            InvalidAddress::Plain => ", or events.webhook_plain_http allows otherwise",
            _ => "",
        };
        SettingsError::key(format!("{at}.url"), format!("{error}{switch}"))
    })?;
    let secrets = format!("{at}.secrets");
    if !(1..=MOST_SECRETS).contains(&wire.secrets.len()) {
        return Err(SettingsError::key(secrets, format!("must be 1 to {MOST_SECRETS}")));
    }
    let rule = "must each be whsec_ and the base64 of 24 to 64 bytes";
    let signer = Signer::new(&wire.secrets).ok_or_else(|| SettingsError::key(secrets, rule))?;
    let kinds = Kinds::of(wire.types.iter().map(String::as_str)).map_err(|_| {
        let rule = format!("must be some of {}", EventKind::NAMES.join(", "));
        SettingsError::key(format!("{at}.types"), rule)
    })?;
    let digest = Sha256::digest(wire.url.as_bytes());
    let id: String = digest.iter().take(6).map(|byte| format!("{byte:02x}")).collect();
    Ok(Webhook { id: id.into(), address, signer, kinds })
}

fn address(text: &str, plain_http: bool) -> Result<OutsideAddress, InvalidAddress> {
    if plain_http { OutsideAddress::even_plain(text) } else { text.parse() }
}
