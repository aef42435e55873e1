//! What waits for one client, in order, each message in one of two places: not yet sent, or sent in a batch that the client
//! has not acknowledged.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use crate::bayeux::answer::Text;

/// What a message counts besides its bytes, so that many small ones are bounded too.
const EACH: usize = 64;

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Queue {
    waiting: VecDeque<Text>,
    sent: VecDeque<(u64, Text)>,
    /// The number of the last batch; `None` for a client that does not acknowledge.
    batch: Option<u64>,
    bytes: usize,
}

impl Queue {
    pub(super) fn new(acks: bool) -> Self {
        Self { batch: acks.then_some(0), ..Self::default() }
    }

    /// Whether the client acknowledges, and so takes messages with answers to connects only.
    pub(super) fn is_acknowledged(&self) -> bool {
        self.batch.is_some()
    }

    /// Whether there is nothing to send.
    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    pub(super) fn len(&self) -> usize {
        self.waiting.len() + self.sent.len()
    }

    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Takes a message in; `false` where there is no room.
    #[must_use]
    pub(super) fn push(&mut self, message: Text, most: usize, most_bytes: usize) -> bool {
        let bytes = self.bytes + message.len() + EACH;
        if self.len() >= most || bytes > most_bytes {
            return false;
        }
        self.bytes = bytes;
        self.waiting.push_back(message);
        true
    }

    /// The client has all batches up to `batch`. What was sent after that got lost, and waits again.
    pub(super) fn acknowledged(&mut self, batch: u64) {
        if self.batch.is_none() {
            return;
        }
        while let Some((_, message)) = self.sent.pop_front_if(|(sent, _)| *sent <= batch) {
            self.bytes = self.bytes.saturating_sub(message.len() + EACH);
        }
        while let Some((_, message)) = self.sent.pop_back() {
            self.waiting.push_front(message);
        }
    }

    /// All that waits, as the next batch, and its number.
    pub(super) fn take_batch(&mut self) -> (Vec<Text>, Option<u64>) {
        let Some(batch) = &mut self.batch else { return (self.take_all(), None) };
        *batch += 1;
        let number = *batch;
        let messages: Vec<Text> = self.waiting.drain(..).collect();
        self.sent.extend(messages.iter().map(|message| (number, message.clone())));
        (messages, Some(number))
    }

    /// All that waits, for good.
    pub(super) fn take_all(&mut self) -> Vec<Text> {
        let freed = self.waiting.iter().map(|message| message.len() + EACH).sum();
        self.bytes = self.bytes.saturating_sub(freed);
        self.waiting.drain(..).collect()
    }
}
