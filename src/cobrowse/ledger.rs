//! Brings past sessions, consents and chats to the history, from threads that must not wait for a disk.
//!
//! What waits is bounded; a line that finds no room is written to the log in its place, and counted.

use std::sync::Arc;

use tokio::sync::{mpsc, oneshot};

use crate::{
    clock::Timestamp,
    store::history::{HistoryStore, Line},
    telemetry::Metrics,
};

/// Lines that may wait for the disk.
const MOST_WAITING: usize = 4_096;
/// Lines that are written in one step at most.
const BATCH: usize = 256;
/// Pause after a failure, before the lines are tried again.
const RETRY: std::time::Duration = std::time::Duration::from_secs(1);
/// How long a reader waits for what is being written.
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(2);
/// Tries before lines are given up, and written to the log.
const TRIES: u32 = 5;

enum Job {
    Write(Line),
    /// Call this when all before is written, or given up.
    Then(Box<dyn FnOnce() + Send>),
}

/// Takes lines for the history. Cheap to clone.
#[derive(Clone)]
pub struct Ledger {
    jobs: mpsc::Sender<Job>,
    store: Arc<dyn HistoryStore>,
    metrics: Metrics,
}

/// Writes what the ledger takes. To be run once.
pub struct Writer {
    jobs: mpsc::Receiver<Job>,
    store: Arc<dyn HistoryStore>,
    metrics: Metrics,
}

impl Ledger {
    /// A ledger over this history, and what writes for it.
    #[must_use]
    pub fn new(store: Arc<dyn HistoryStore>, metrics: Metrics) -> (Self, Writer) {
        let (sender, receiver) = mpsc::channel(MOST_WAITING);
        let writer = Writer { jobs: receiver, store: Arc::clone(&store), metrics: metrics.clone() };
        (Self { jobs: sender, store, metrics }, writer)
    }

    /// The history itself, for reading, once it holds what happened before; or, where the disk hangs, after a while.
    pub async fn store(&self) -> &dyn HistoryStore {
        let _ = tokio::time::timeout(PATIENCE, self.flush()).await;
        &*self.store
    }

    /// Writes a line soon.
    pub fn write(&self, line: Line) {
        if let Err(error) = self.jobs.try_send(Job::Write(line)) {
            let (mpsc::error::TrySendError::Full(job) | mpsc::error::TrySendError::Closed(job)) =
                error;
            if let Job::Write(line) = job {
                lost(&line, &self.metrics);
            }
        }
    }

    /// Calls this when all that was given before is written, or given up.
    pub fn then(&self, then: impl FnOnce() + Send + 'static) {
        let job = self.jobs.try_send(Job::Then(Box::new(then)));
        // Without room, or a writer, nothing is waited for.
        if let Err(
            mpsc::error::TrySendError::Full(Job::Then(then))
            | mpsc::error::TrySendError::Closed(Job::Then(then)),
        ) = job
        {
            then();
        }
    }

    /// Waits until all that was given before is written, or given up.
    pub async fn flush(&self) {
        let (done, flushed) = oneshot::channel();
        let job = Job::Then(Box::new(move || {
            // Whoever waits may have gone.
            let _ = done.send(());
        }));
        if self.jobs.send(job).await.is_ok() {
            let _ = flushed.await;
        }
    }

    /// Drops what ended before these moments.
    pub async fn forget_before(&self, sessions: Timestamp, consents: Timestamp, chats: Timestamp) {
        if let Err(error) = self.store.forget_before(sessions, consents).await {
            tracing::error!(%error, "old history stays for now");
        }
        if let Err(error) = self.store.forget_chats_before(chats).await {
            tracing::error!(%error, "old chats stay for now");
        }
    }
}

impl Writer {
    /// Writes until the ledger is dropped.
    pub async fn run(mut self) {
        let mut jobs = Vec::new();
        while self.jobs.recv_many(&mut jobs, BATCH).await > 0 {
            let mut lines = Vec::new();
            let mut thens = Vec::new();
            for job in jobs.drain(..) {
                match job {
                    Job::Write(line) => lines.push(line),
                    Job::Then(then) => thens.push(then),
                }
            }
            self.write(lines).await;
            thens.into_iter().for_each(|then| then());
        }
    }

    async fn write(&self, lines: Vec<Line>) {
        if lines.is_empty() {
            return;
        }
        for attempt in 1..=TRIES {
            if attempt > 1 {
                tokio::time::sleep(RETRY).await;
            }
            match self.store.put(lines.clone()).await {
                Ok(()) => return,
                Err(error) => tracing::error!(%error, attempt, "the history could not be written"),
            }
        }
        lines.iter().for_each(|line| lost(line, &self.metrics));
    }
}

fn lost(line: &Line, metrics: &Metrics) {
    metrics.history_lost.inc();
    // Not what was said: logs are read by others than chats are.
    let (kind, group, of) = match line {
        Line::Session(past) => ("session", &past.group, past.session.to_string()),
        Line::Consent(line) => ("consent", &line.group, line.session.to_string()),
        Line::Chat(past) => ("chat", &past.group, past.chat.to_string()),
        Line::Said(said) => ("message", &said.group, said.chat.to_string()),
    };
    tracing::error!(kind, %group, of, "a line of the history is lost");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        model::ids::SessionId,
        store::history::{ConsentLine, MemoryHistory},
    };

    fn line(time: u64) -> Line {
        Line::Consent(ConsentLine {
            group: "1".parse().unwrap(),
            session: SessionId::from_u128(1),
            visitor: "ada".parse().unwrap(),
            time: Timestamp(time),
            entry: time.to_string(),
        })
    }

    #[actix_rt::test]
    async fn what_is_to_come_then_comes_when_all_before_is_written() {
        let store: Arc<dyn HistoryStore> = Arc::new(MemoryHistory::default());
        let (ledger, writer) = Ledger::new(Arc::clone(&store), Metrics::new());
        (1..=3).for_each(|time| ledger.write(line(time)));
        let (sender, written) = oneshot::channel();
        ledger.then(move || sender.send(()).unwrap());
        let (group, session) = ("1".parse().unwrap(), SessionId::from_u128(1));
        assert_eq!(store.consents(&group, session).await.unwrap(), [], "nobody writes yet");
        actix_rt::spawn(writer.run());
        written.await.unwrap();
        assert_eq!(store.consents(&group, session).await.unwrap().len(), 3);
    }

    #[test]
    fn where_nobody_writes_nothing_is_waited_for() {
        let (ledger, writer) = Ledger::new(Arc::new(MemoryHistory::default()), Metrics::new());
        drop(writer);
        let (sender, mut called) = oneshot::channel();
        ledger.then(move || sender.send(()).unwrap());
        assert_eq!(called.try_recv(), Ok(()));
    }
}
