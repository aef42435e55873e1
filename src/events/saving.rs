//! Carries logs and undelivered webhooks over a restart, as presence is (design section 2.8): saved at a clean end, taken
//! over by the next process. After any other end both are lost, and readers are told so by their cursors.

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
    model::ids::GroupId,
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
    let raw = |item: &Arc<Item>| RawValue::from_string(item.text().to_owned()).ok();
    let (mut logs, mut queues, mut waiting) = (Vec::new(), Vec::new(), 0);
    for (group, feed) in hub.feeds() {
        let log = feed.log().lock();
        let events = log.items().filter_map(raw).collect();
        let saved = SavedLog { life: log.life(), next: log.next(), events };
        drop(log);
        logs.extend(row(group.to_string(), &saved));
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
            let key = format!("{group} {endpoint}");
            queues.extend(row(key, &SavedQueue { group: group.clone(), endpoint, events }));
        }
    }
    storage.save_all(LOGS, logs).await?;
    storage.save_all(WEBHOOKS, queues).await?;
    Ok(waiting)
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
    Ok(waiting)
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
