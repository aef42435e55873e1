//! What nobody else does: records whose time came while their node did nothing about it, and what ended nodes held. After an
//! outage of all nodes that may be nearly all there is; so a sweep goes on until all is seen to, a batch behind the other.

use std::rc::Rc;

use tokio::sync::mpsc;

use super::{link::Link, worker::News};
use crate::{
    clock::Clock,
    store::{Record, Sink},
};

/// How late a record must be before others than the node that changed it last care for it, in milliseconds.
pub(super) const OVERDUE_MS: u64 = 1_500;
/// Records that are cared for at a time.
const AT_ONCE: usize = 256;

/// One look at all of a part's records of a kind.
pub(super) struct Sweep<R: Record> {
    link: Rc<Link>,
    clock: Clock,
    /// Whether nodes hold something of these records.
    is_held: bool,
    /// To the one who works on them.
    worker: mpsc::UnboundedSender<News<R>>,
    /// What was overdue last.
    last: Vec<R::Key>,
}

impl<R: Record> Sweep<R> {
    pub(super) fn new(
        link: &Rc<Link>,
        clock: &Clock,
        is_held: bool,
        worker: &mpsc::UnboundedSender<News<R>>,
    ) -> Self {
        let (link, clock, worker) = (Rc::clone(link), clock.clone(), worker.clone());
        Self { link, clock, is_held, worker, last: Vec::new() }
    }

    pub(super) async fn run(mut self) {
        loop {
            let has_overdue = self.see_to_overdue().await;
            // The graces of all who were on a lost node are to begin at nearly the same time.
            let has_orphans = self.is_held && self.see_to_orphans().await;
            if !has_overdue && !has_orphans {
                return;
            }
        }
    }

    /// Lets time pass for some records, and waits until it has. Whether there are more of them, and no trouble.
    async fn see_to_overdue(&mut self) -> bool {
        let keys = self.link.overdue::<R>(self.clock.now() - OVERDUE_MS, AT_ONCE).await;
        // Those that come again, though they were seen to, would come for ever.
        let has_more = keys.len() == AT_ONCE && keys != self.last;
        self.last.clone_from(&keys);
        let (failed, mut failure) = mpsc::channel(1);
        !keys.is_empty()
            && self.worker.send(News::Overdue(keys, failed)).is_ok()
            && failure.recv().await.is_none()
            && has_more
    }

    /// Frees some records of nodes that are gone, and waits until they are. Whether there may be more of them, and no trouble.
    async fn see_to_orphans(&self) -> bool {
        let orphans = self.link.orphans::<R>(AT_ONCE).await;
        let (failed, mut failure) = mpsc::channel(1);
        !orphans.is_empty()
            && self.worker.send(News::Orphans(orphans, failed)).is_ok()
            && failure.recv().await.is_none()
    }
}

/// Says there that something could not be done; and by its end that it is over.
pub(super) fn unless_well<T: Send + 'static>(failed: &mpsc::Sender<()>) -> Sink<T> {
    let failed = failed.clone();
    Box::new(move |result| {
        if result.is_err() {
            let _ = failed.try_send(());
        }
    })
}
