//! Posts what waits for one endpoint.

use std::{collections::HashMap, sync::Arc, time::Duration};

use actix_web::http::{StatusCode, header::HeaderName};
use tokio::{sync::watch, task::JoinSet};

use super::{
    endpoint::Endpoint,
    queue::{Attempt, Dead, Outcome, Step},
};
use crate::{
    clock::Clock,
    model::ids::VisitorId,
    outbound::{Answer, Outbound},
    settings::Webhooks,
    store::dead_letters::{DeadLetters, Mailbox, NewLetter},
    telemetry::{Metrics, labels::WebhookEnd},
};

/// How much of an answer is read, so that its connection can serve the next request; a longer one ends the connection.
const ANSWER_BYTES: usize = 16 * 1024;
/// What each request says of itself, as Standard Webhooks name it.
const ID: HeaderName = HeaderName::from_static("webhook-id");
const TIMESTAMP: HeaderName = HeaderName::from_static("webhook-timestamp");
const SIGNATURE: HeaderName = HeaderName::from_static("webhook-signature");
/// Longest description of a failure, bytes.
const ERROR_BYTES: usize = 200;

/// What posts the events of one endpoint.
pub struct Runner {
    /// The endpoint.
    pub endpoint: Arc<Endpoint>,
    /// Its dead letters.
    pub mailbox: Mailbox,
    /// Where they are kept.
    pub letters: DeadLetters,
    /// How webhooks are delivered.
    pub rules: Webhooks,
    /// Posts.
    pub outbound: Outbound,
    /// The clock.
    pub clock: Clock,
    /// The figures.
    pub metrics: Metrics,
}

impl Runner {
    /// Posts until `stop` becomes true. What is under way then stays in the queue: it may come twice, under one id.
    pub async fn run(self, mut stop: watch::Receiver<bool>) {
        let mut tries: JoinSet<Outcome> = JoinSet::new();
        let mut posted: HashMap<tokio::task::Id, (VisitorId, u64)> = HashMap::new();
        loop {
            let now = self.clock.now();
            let step = self.endpoint.work(|queue| queue.step(now));
            // A step may have given events up, too.
            self.bury().await;
            let wait = match step {
                Step::Post(attempt) => {
                    let of = (attempt.item.visitor().clone(), attempt.ticket);
                    posted.insert(tries.spawn_local(self.post(attempt)).id(), of);
                    continue;
                }
                Step::Wait(until) => until.map(|until| Duration::from_millis(until.since(now))),
            };
            tokio::select! {
                () = self.endpoint.changed() => {}
                Some(tried) = tries.join_next_with_id() => {
                    let (id, outcome) = match tried {
                        Ok(tried) => tried,
                        Err(error) => (error.id(), failed("the request broke")),
                    };
                    if let Some((visitor, ticket)) = posted.remove(&id) {
                        self.finish(&visitor, ticket, outcome);
                    }
                }
                () = tokio::time::sleep(wait.unwrap_or_default()), if wait.is_some() => {}
                _ = stop.wait_for(|stop| *stop) => break,
            }
        }
        self.bury().await;
    }

    /// Posts one event.
    fn post(&self, attempt: Attempt) -> impl Future<Output = Outcome> + use<> {
        let id = attempt.item.id.to_string();
        let timestamp = self.clock.wall().0 / 1_000;
        let signature = self.endpoint.signer.sign(&id, timestamp, &attempt.item.body);
        let headers = [(ID, id), (TIMESTAMP, timestamp.to_string()), (SIGNATURE, signature)];
        let (outbound, endpoint) = (self.outbound.clone(), Arc::clone(&self.endpoint));
        async move {
            let body = attempt.item.body.clone();
            match outbound.post(&endpoint.address, headers, body, ANSWER_BYTES).await {
                Ok(answer) => outcome(&answer),
                Err(error) => failed(&error.to_string()),
            }
        }
    }

    fn finish(&self, visitor: &VisitorId, ticket: u64, outcome: Outcome) {
        match &outcome {
            Outcome::Delivered => {
                self.metrics.webhook_events.of(WebhookEnd::Delivered).inc();
            }
            Outcome::Failed { error, .. } => {
                self.metrics.webhook_failures.inc();
                tracing::debug!(group = %self.mailbox.group, webhook = %self.endpoint.id, %error,
                    "a webhook failed");
            }
            Outcome::Gone => {
                self.metrics.webhook_failures.inc();
                tracing::warn!(group = %self.mailbox.group, webhook = %self.endpoint.id,
                    "a webhook says that it is gone, and gets no more events");
            }
        }
        let now = self.clock.now();
        let was_down = self.endpoint.work(|queue| {
            let was_down = queue.is_down();
            queue.finish(visitor, ticket, outcome, now, rand::random());
            was_down
        });
        if !was_down && self.endpoint.state(now).down {
            tracing::warn!(group = %self.mailbox.group, webhook = %self.endpoint.id,
                "a webhook is down");
        }
    }

    /// Keeps the dead letters that there are since the last time.
    async fn bury(&self) {
        let (dead, mut lost) = self.endpoint.work(super::queue::Queue::take_dead);
        let died = self.clock.wall();
        let letter = |Dead { item, cause, tries, error }: Dead| NewLetter {
            event: item.id.to_string(),
            body: item.text().to_owned(),
            cause: cause.as_str().to_owned(),
            error: error.into(),
            tries,
            died,
        };
        let count = dead.len() as u64;
        if count > 0 {
            let letters = dead.into_iter().map(letter).collect();
            match self.letters.bury(&self.mailbox, letters, self.rules.dead_letters).await {
                Ok(gone) => {
                    self.metrics.webhook_events.of(WebhookEnd::Dead).inc_by(count);
                    lost += gone;
                }
                Err(error) => {
                    tracing::error!(%error, count, "dead letters are lost");
                    lost += count;
                }
            }
        }
        self.metrics.webhook_events.of(WebhookEnd::Lost).inc_by(lost);
    }
}

fn outcome(answer: &Answer) -> Outcome {
    match answer.status {
        status if status.is_success() => Outcome::Delivered,
        StatusCode::GONE => Outcome::Gone,
        status => Outcome::Failed {
            error: format!("status {}", status.as_u16()).into(),
            retry_ms: answer.retry_after_seconds.map(|seconds| seconds.saturating_mul(1_000)),
        },
    }
}

fn failed(error: &str) -> Outcome {
    let end = error.floor_char_boundary(ERROR_BYTES);
    Outcome::Failed { error: error.get(..end).unwrap_or_default().into(), retry_ms: None }
}
