//! Carries logs and undelivered webhooks over a restart, as presence is (design section 2.8): saved at a clean end, taken
//! over by the next process. After any other end both are lost, and readers are told so by their cursors.
//!
//! Of several nodes, which may have one storage, each adds what waits for webhooks to what others saved, and whichever starts
//! next takes all of it. Their logs are not saved: what the others tell while a node is away would be missing.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::{
    hub::Hub,
    item::Item,
    log::{Bounds, Log},
    webhook::queue::Waiting,
};
use crate::{
    clock::Timestamp,
    model::ids::{GroupId, NodeId},
    settings,
    store::saved::{Boot, SavedState, StorageError},
};

const LOGS: &str = "eventlog";
const WEBHOOKS: &str = "webhook";

#[derive(Serialize, Deserialize)]
struct SavedLog {
    life: u64,
    next: u64,
    events: Vec<Box<RawValue>>,
}

#[derive(Serialize, Deserialize)]
struct SavedQueue {
    group: GroupId,
    endpoint: String,
    events: Vec<SavedWaiting>,
}

#[derive(Serialize, Deserialize)]
struct SavedWaiting {
    since: Timestamp,
    tries: u32,
    event: Box<RawValue>,
}

/// Saves all logs and what waits for webhooks; gives the number of events that wait.
///
/// # Errors
/// The storage cannot be written.
pub async fn save(hub: &Hub, storage: &SavedState) -> Result<u64, StorageError> {
    let logs = hub.feeds().filter_map(|(group, feed)| {
        let log = feed.log().lock();
        let events = log.items().filter_map(raw).collect();
        row(group.to_string(), &SavedLog { life: log.life(), next: log.next(), events })
    });
    let logs: Vec<_> = logs.collect();
    storage.save_all(LOGS, logs).await?;
    let (queues, waiting) = queues(hub, |queue| queue);
    storage.save_all(WEBHOOKS, queues).await?;
    Ok(waiting)
}

/// Adds what waits for webhooks on this node; gives the number of events that wait.
///
/// # Errors
/// The storage cannot be written.
pub async fn save_beside_others(
    hub: &Hub,
    storage: &SavedState,
    NodeId { node, incarnation }: NodeId,
) -> Result<u64, StorageError> {
    let (queues, waiting) = queues(hub, |queue| format!("{queue} {node}.{incarnation}"));
    storage.add(WEBHOOKS, queues).await?;
    Ok(waiting)
}

/// What waits for each webhook, under a key from its name, and how many events that are.
fn queues(hub: &Hub, key: impl Fn(String) -> String) -> (Vec<(String, Vec<u8>)>, u64) {
    let (mut queues, mut waiting) = (Vec::new(), 0);
    for (group, feed) in hub.feeds() {
        for endpoint in feed.endpoints() {
            let events = endpoint.waiting().into_iter().filter_map(|waiting| {
                let Waiting { item, since, tries } = waiting;
                Some(SavedWaiting { since, tries, event: raw(&item)? })
            });
            let events: Vec<_> = events.collect();
            if events.is_empty() {
                continue;
            }
            waiting += events.len() as u64;
            let endpoint = endpoint.id.to_string();
            let key = key(format!("{group} {endpoint}"));
            queues.extend(row(key, &SavedQueue { group: group.clone(), endpoint, events }));
        }
    }
    (queues, waiting)
}

fn raw(item: &Arc<Item>) -> Option<Box<RawValue>> {
    RawValue::from_string(item.text().to_owned()).ok()
}

/// Takes over what the last process saved, if it ended well; gives the number of events that wait for webhooks.
///
/// # Errors
/// The storage cannot be read.
pub async fn load(
    hub: &Hub,
    settings: &settings::Events,
    storage: &SavedState,
    boot: Boot,
) -> Result<u64, StorageError> {
    let logs = storage.take_all(LOGS).await?;
    let queues = storage.take_all(WEBHOOKS).await?;
    if !boot.clean {
        return Ok(0);
    }
    let bounds = Bounds { events: settings.history, bytes: settings.history_bytes };
    for (group, row) in logs {
        let Some(SavedLog { life, next, events }) = read(&row) else { continue };
        let feed = group.parse().ok().and_then(|group| hub.feed(&group).ok());
        if let Some(feed) = feed {
            let items = events.iter().filter_map(|event| Item::from_body(event.get())).collect();
            *feed.log().lock() = Log::restored(life, next, items, bounds);
        }
    }
    Ok(take_queues(hub, queues))
}

/// Takes over what nodes that ended saved for webhooks, however others ended; gives the number of events that wait for
/// webhooks.
///
/// # Errors
/// The storage cannot be read.
pub async fn load_from_others(hub: &Hub, storage: &SavedState) -> Result<u64, StorageError> {
    let waiting = take_queues(hub, storage.take_all(WEBHOOKS).await?);
    if waiting > 0 {
        tracing::info!(waiting, "took over what nodes that ended had for webhooks");
    }
    Ok(waiting)
}

fn take_queues(hub: &Hub, queues: Vec<(String, Vec<u8>)>) -> u64 {
    let mut waiting = 0;
    for (_, row) in queues {
        let Some(SavedQueue { group, endpoint: id, events }) = read(&row) else { continue };
        let endpoints = hub.feed(&group).map_or(&[][..], |feed| feed.endpoints());
        let Some(endpoint) = endpoints.iter().find(|endpoint| *endpoint.id == *id) else {
            tracing::warn!(%group, webhook = %id, events = events.len(),
                "events wait for a webhook that the settings do not have any more; they are dropped");
            continue;
        };
        for SavedWaiting { since, tries, event } in events {
            if let Some(item) = Item::from_body(event.get()) {
                waiting += 1;
                endpoint.change(|queue| queue.push(Waiting { item, since, tries }));
            }
        }
    }
    waiting
}

fn row(key: String, value: &impl Serialize) -> Option<(String, Vec<u8>)> {
    let row = serde_json::to_vec(value);
    row.map_err(|error| tracing::error!(%error, "events could not be saved"))
        .ok()
        .map(|row| (key, row))
}

fn read<'a, T: Deserialize<'a>>(row: &'a [u8]) -> Option<T> {
    let read = serde_json::from_slice(row);
    read.map_err(|error| tracing::error!(%error, "saved events could not be read")).ok()
}
