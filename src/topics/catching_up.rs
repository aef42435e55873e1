//! The subscriptions of one socket that read what is kept: one page at a time, in turn, and only while the socket has room.
//!
//! So whatever waits for a socket there, it never is more at once than the socket can be sent: a client with many
//! subscriptions and a long absence catches up as fast as it reads.

use std::{collections::VecDeque, sync::Arc, time::Duration};

use parking_lot::Mutex;

use super::{
    group::GroupHub,
    handle::Topics,
    post::Subscriber,
    record::{GroupTopics, Page, Reading},
    subscription::Subscription,
};
use crate::model::{error::ErrorCode, ids::GroupId};

/// How long a subscription waits before it tries to read again, while the engine's server is away.
pub(super) const READ_AGAIN: Duration = Duration::from_millis(500);

/// Who reads, and who waits to.
#[derive(Default)]
pub(super) struct CatchingUp(Mutex<Line>);

#[derive(Default)]
struct Line {
    waiting: VecDeque<Arc<Subscription>>,
    is_reading: bool,
}

/// The right to read one page. The next may read when it is dropped.
pub(super) struct Turn(Arc<CatchingUp>);

impl CatchingUp {
    /// A turn for one who comes first: nobody reads or waits.
    pub(super) fn begin(self: &Arc<Self>) -> Option<Turn> {
        let mut line = self.0.lock();
        if line.is_reading || !line.waiting.is_empty() {
            return None;
        }
        line.is_reading = true;
        Some(Turn(Arc::clone(self)))
    }

    /// A turn for who waits longest, unless somebody reads.
    pub(super) fn next(self: &Arc<Self>) -> Option<(Turn, Arc<Subscription>, Reading)> {
        let mut line = self.0.lock();
        if line.is_reading {
            return None;
        }
        loop {
            let subscription = line.waiting.pop_front()?;
            // Of those that ended meanwhile nothing is left to read.
            if let Some(reading) = subscription.take_waiting() {
                line.is_reading = true;
                return Some((Turn(Arc::clone(self)), subscription, reading));
            }
        }
    }

    /// Waits behind the others.
    pub(super) fn wait(&self, subscription: &Arc<Subscription>, reading: Reading) {
        subscription.wait(reading);
        self.0.lock().waiting.push_back(Arc::clone(subscription));
    }

    /// Whether nobody waits.
    pub(super) fn is_empty(&self) -> bool {
        self.0.lock().waiting.is_empty()
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.0.0.lock().is_reading = false;
    }
}

impl Topics {
    /// Reads a page for a subscription of this subscriber that waits, if he has room and none is being read.
    pub(super) fn go_on(&self, group: &GroupId, of: Subscriber, catching_up: &Arc<CatchingUp>) {
        let hub = &self.shared.hub;
        if catching_up.is_empty() || !hub.has_room(of) {
            return;
        }
        let Some((turn, subscription, reading)) = catching_up.next() else { return };
        let gaps = hub.group(group).map_or(0, GroupHub::gaps);
        let (most, reader) = (hub.page(of), Arc::clone(&subscription));
        let look = move |record: &GroupTopics| record.page(&reader.filter, reading, most);
        let (topics, group, catching_up) = (self.clone(), group.clone(), Arc::clone(catching_up));
        // Not at once, so that who reads much holds nobody up.
        self.read_later(group.clone(), look, move |page| {
            if topics.is_shared()
                && matches!(&page, Err(problem) if problem.code == ErrorCode::Unready)
            {
                catching_up.wait(&subscription, reading);
                return topics.go_on_later(turn, group, of, catching_up);
            }
            drop(turn);
            match page {
                Ok(page) => topics.give(&group, &subscription, page, (&catching_up, gaps)),
                Err(_) => topics.shared.hub.fail(of),
            }
            // What was handed over may have left already: then nobody else calls.
            topics.go_on(&group, of, &catching_up);
        });
    }

    /// The same, when the engine's server may be back. Until then nobody else reads, however often there is room.
    fn go_on_later(
        &self,
        turn: Turn,
        group: GroupId,
        of: Subscriber,
        catching_up: Arc<CatchingUp>,
    ) {
        let topics = self.clone();
        tokio::spawn(async move {
            tokio::time::sleep(READ_AGAIN).await;
            drop(turn);
            topics.go_on(&group, of, &catching_up);
        });
    }

    /// These subscriptions read on from where they are.
    pub(super) fn read_on(&self, group: &GroupId, behind: Vec<(Arc<Subscription>, Reading)>) {
        for (subscription, reading) in behind {
            // One whose holder is gone ends soon.
            if let Some(catching_up) = subscription.catching_up.upgrade() {
                catching_up.wait(&subscription, reading);
                self.go_on(group, subscription.of, &catching_up);
            }
        }
    }

    /// A subscription is in force from now on; of one who came back, with whether he missed something. `tell` is called right
    /// before that, while nothing is published.
    pub(super) fn begun(
        &self,
        group: &GroupId,
        subscription: &Arc<Subscription>,
        resumed: Option<bool>,
        tell: impl FnOnce(),
    ) {
        let hub = &self.shared.hub;
        resumed.into_iter().for_each(|missed| hub.count_resumed(missed));
        match hub.group(group) {
            Ok(group) => hub.enter(group, subscription, tell),
            Err(_) => tell(),
        }
    }

    /// Hands a page over, and tells what is missing before it; with the last one the subscription is live, unless this
    /// node may have heard nothing since there were so many `gaps`. Called before anything is published behind the page.
    pub(super) fn give(
        &self,
        group: &GroupId,
        subscription: &Arc<Subscription>,
        page: Page,
        (catching_up, gaps): (&CatchingUp, u64),
    ) {
        let hub = &self.shared.hub;
        let Ok(of) = hub.group(group) else { return };
        if subscription.is_over() {
            return;
        }
        if page.missed {
            hub.missed(subscription);
        }
        for (message, retained) in &page.messages {
            hub.hand_over(of, subscription, message, *retained);
        }
        match page.more {
            Some(reading) => catching_up.wait(subscription, reading),
            None if of.keeps() && of.gaps() != gaps => {
                catching_up.wait(subscription, Reading::behind(page.position));
            }
            None => subscription.go_live(page.position),
        }
    }
}
