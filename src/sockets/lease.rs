//! Which sockets of a thread still live: a lease for each, which the registry's sweep looks after.
//!
//! Deadlines belong to the sweep and not to the socket's own task, so that a socket that is stuck in whatever way is
//! ended all the same.

use std::{
    cell::{Cell, RefCell},
    rc::{Rc, Weak},
    sync::Arc,
    task::Waker,
};

use super::{
    framing::Frame,
    keepalive::{Action, Keepalive},
    outbox::{Class, Outbox},
};
use crate::{
    auth::{Agent, TokenService},
    clock::Timestamp,
    model::close::CloseCode,
    telemetry::Metrics,
};

/// How long a closed socket may wait for the peer to close too, in milliseconds.
const LINGER_MS: u64 = 2_000;

thread_local! {
    static LEASES: RefCell<Vec<Weak<Lease>>> = const { RefCell::new(Vec::new()) };
    /// The number of changes that this thread's sockets were last checked under.
    static CHECKED: Cell<u64> = const { Cell::new(0) };
}

/// One socket's lease, on the thread that serves it.
pub struct Lease {
    /// What waits to be written.
    pub outbox: Arc<Outbox>,
    keepalive: RefCell<Keepalive>,
    /// Whose token the socket lives by, where it needs one.
    bearer: RefCell<Option<Rc<Agent>>>,
    closing_since: Cell<Option<Timestamp>>,
    over: Cell<bool>,
    lingering: Cell<Option<Waker>>,
}

impl Lease {
    /// A lease on this thread, swept until it is dropped.
    #[must_use]
    pub fn new(outbox: Arc<Outbox>, keepalive: Keepalive) -> Rc<Self> {
        let lease = Rc::new(Self {
            outbox,
            keepalive: RefCell::new(keepalive),
            bearer: RefCell::new(None),
            closing_since: Cell::new(None),
            over: Cell::new(false),
            lingering: Cell::new(None),
        });
        LEASES.with_borrow_mut(|leases| leases.push(Rc::downgrade(&lease)));
        lease
    }

    /// The socket's deadlines.
    pub fn keepalive(&self, change: impl FnOnce(&mut Keepalive)) {
        change(&mut self.keepalive.borrow_mut());
    }

    /// The socket lives by this bearer's token from now on: it ends when the token is believed no longer.
    pub fn borne_by(&self, bearer: Rc<Agent>) {
        self.bearer.replace(Some(bearer));
    }

    /// Closes the socket if its token is believed no longer.
    fn check_bearer(&self, tokens: &TokenService) {
        if self.bearer.borrow().as_ref().is_some_and(|bearer| !tokens.still_believes(bearer)) {
            self.outbox.close(CloseCode::Revoked.into());
        }
    }

    /// Whether the peer has had its time to close after us; otherwise `waker` is woken when it has.
    pub fn is_over(&self, waker: &Waker) -> bool {
        self.lingering.set(Some(waker.clone()));
        self.over.get()
    }

    fn check(&self, now: Timestamp, metrics: &Metrics) {
        if self.outbox.is_closed() {
            let since = self.closing_since.get().unwrap_or(now);
            self.closing_since.set(Some(since));
            if now.since(since) >= LINGER_MS {
                self.over.set(true);
                self.outbox.abort();
                self.lingering.take().iter().for_each(Waker::wake_by_ref);
            }
            return;
        }
        match self.keepalive.borrow_mut().check(now, self.outbox.stalled_since()) {
            Action::Nothing => {}
            Action::Ping => {
                let _ = self.outbox.push(Class::Control, Frame::ping(b""));
            }
            Action::End(close) => {
                if close.code == CloseCode::Slow {
                    metrics.write_deadline_exceeded.inc();
                }
                self.outbox.close(close);
            }
        }
    }
}

/// Looks after all leases of this thread.
pub fn sweep(now: Timestamp, metrics: &Metrics, tokens: &TokenService) {
    // A bearer that was verified before this number came about is among the leases by now: both happen in one turn of
    // this thread.
    let number = tokens.changes().number();
    let is_news = CHECKED.replace(number) != number;
    LEASES.with_borrow_mut(|leases| {
        leases.retain(|lease| {
            let lease = lease.upgrade();
            if let Some(lease) = &lease {
                if is_news {
                    lease.check_bearer(tokens);
                }
                lease.check(now, metrics);
            }
            lease.is_some()
        });
        if leases.capacity() > 1024 && leases.len() < leases.capacity() / 4 {
            let len = leases.len();
            leases.shrink_to(len * 2);
        }
    });
}
