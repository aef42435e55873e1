//! Those who publish now, and which of their messages are under way.

use std::{collections::VecDeque, sync::Arc};

use parking_lot::Mutex;

use super::post::{Subscriber, Then};

/// One who publishes.
pub(super) struct Seat {
    /// What his messages come to, if he can subscribe.
    pub(super) subscriber: Option<Subscriber>,
    under_way: Mutex<UnderWay>,
}

/// Messages of one publisher that the engine has and that are not delivered yet.
#[derive(Default)]
struct UnderWay {
    last: u64,
    /// By number, with what waits for the delivery: a listener is answered then.
    messages: VecDeque<(u64, Option<Then>)>,
}

impl Seat {
    pub(super) fn new(subscriber: Option<Subscriber>) -> Self {
        Self { subscriber, under_way: Mutex::default() }
    }

    /// Whether all that he published is delivered.
    pub(super) fn is_idle(&self) -> bool {
        self.under_way.lock().messages.is_empty()
    }

    /// A message goes to the engine; gives its number.
    pub(super) fn begins(&self) -> u64 {
        let mut under_way = self.under_way.lock();
        under_way.last += 1;
        let number = under_way.last;
        under_way.messages.push_back((number, None));
        number
    }

    /// `then` waits for the delivery of this message.
    pub(super) fn waits(&self, number: u64, then: Then) {
        let mut under_way = self.under_way.lock();
        match under_way.messages.iter_mut().find(|(other, _)| *other == number) {
            Some((_, waiting)) => *waiting = Some(then),
            None => {
                drop(under_way);
                then();
            }
        }
    }

    /// The message is delivered; gives what waits for that.
    pub(super) fn delivers(&self, number: u64) -> Option<Then> {
        let mut under_way = self.under_way.lock();
        under_way.messages.iter_mut().find(|(other, _)| *other == number)?.1.take()
    }

    /// Nobody waits for this message any more. One whose answer was lost may be delivered later all the same.
    pub(super) fn ends(&self, number: u64) {
        let messages = &mut self.under_way.lock().messages;
        match messages.front() {
            Some((first, _)) if *first == number => drop(messages.pop_front()),
            // What is refused at once is the last.
            _ if messages.back().is_some_and(|(last, _)| *last == number) => {
                drop(messages.pop_back());
            }
            _ => messages.retain(|(other, _)| *other != number),
        }
    }
}

/// The message of this seat is delivered, however that ended.
pub(super) struct Delivered(pub(super) Arc<Seat>, pub(super) u64);

impl Drop for Delivered {
    fn drop(&mut self) {
        self.0.ends(self.1);
    }
}
