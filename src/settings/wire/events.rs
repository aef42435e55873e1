//! `[events]` and `[[groups.webhooks]]`.

use super::forms::no_secrets;
use crate::auth::Secret;

sections! {
    /// `[events]`
    Events {
        /// Events of a group that are kept for readers who come back. Default 10000.
        history: u64 = 10_000,
        /// What they may take, bytes a group. Default 4194304.
        history_bytes: u64 = 4_194_304,
        /// Streams that a group may have at a time. Default 100.
        streams: u64 = 100,
        /// Longest silence on a stream, milliseconds. Default 15000.
        heartbeat_ms: u64 = 15_000,
        /// Time for a webhook to answer, milliseconds. Default 15000.
        webhook_timeout_ms: u64 = 15_000,
        /// Requests to one webhook at a time. Default 8.
        webhook_in_flight: u64 = 8,
        /// Events that may wait for one webhook. Default 10000.
        webhook_queue: u64 = 10_000,
        /// What they may take, bytes. Default 8388608.
        webhook_queue_bytes: u64 = 8_388_608,
        /// Longest pause after the first failure, milliseconds; it doubles with each. Default 1000.
        webhook_retry_first_ms: u64 = 1_000,
        /// Longest pause of all, milliseconds. Default 300000.
        webhook_retry_most_ms: u64 = 300_000,
        /// Age at which an event is given up, seconds. Default 86400.
        webhook_give_up_seconds: u64 = 86_400,
        /// Dead letters that are kept for one webhook. Default 1000.
        dead_letters: u64 = 1_000,
        /// Whether webhooks may go over plain HTTP to other machines. Default false.
        webhook_plain_http: bool = false,
    }

    /// `[[groups.webhooks]]`
    Webhook {
        /// Where events are posted. No default.
        url: String = String::new(),
        /// Sign them, at most two while they change: `whsec_` and the base64 of 24 to 64 bytes. No default.
        #[serde(serialize_with = "no_secrets")]
        secrets: Vec<Secret> = Vec::new(),
        /// Which types of events. Default all.
        types: Vec<String> = Vec::new(),
    }
}
