//! How sessions begin where the visitor's record already names one.

use bytes::Bytes;
use parking_lot::Mutex;

use super::*;
use crate::{
    auth::Secret,
    model::protocol::stream::MarkOf,
    presence::handle::testing::{Recorder, START, options, page},
    store::{history::MemoryHistory, place::Place},
    telemetry::metrics::Metrics,
};

/// Nobody hears anything.
struct Nowhere;

impl StreamPost for Nowhere {
    fn part(&self, _: &[SocketId], _: bool, _: &Bytes) -> Vec<SocketId> {
        Vec::new()
    }
    fn gap(&self, _: SocketId, _: u32) {}
    fn key_frame(&self, _: SocketId) {}
    fn want(&self, _: SocketId, _: [u8; 32]) {}
    fn mark(&self, _: SocketId, _: &MarkOf) {}
    fn end(&self, _: SocketId) {}
}

impl Post for Nowhere {
    fn told(&self, _: &[SocketId], _: SessionTold) {}
    fn record(&self, _: SocketId, _: u32, _: Option<String>) {}
    fn ask(&self, _: SocketId, _: ConsentTo, _: Option<MemberView>) {}
    fn offer(&self, _: &GroupId, _: &str, _: VisitorId, _: SessionOffer) {}
}

struct Bench {
    presence: Presence,
    cobrowse: Cobrowse,
}

impl Bench {
    /// A visitor is there, and at most so many sessions run.
    fn new(most_sessions: usize) -> Self {
        let presence = Presence::new(options(), Arc::new(Recorder::default()), Vec::new());
        let connect = page(presence.address(SocketId(1)));
        presence.connect(Self::key(), connect, |welcome| assert!(welcome.is_ok()));
        let options = Options {
            place: Place::alone(presence.node(), 2, Clock::manual(START)),
            most_sessions,
            policy: Policy::NATIVE,
            relay: RelayLimits { page_bytes: 1_000, pages: 4 },
            assets: AssetLimits { bytes: 1_000, total_bytes: 1_000, assets: 10 },
            part_bytes: 1_000,
            code_digits: 6,
            groups: HashMap::new(),
        };
        let (ledger, _) = Ledger::new(Arc::new(MemoryHistory::default()), Metrics::new());
        let tickets = Tickets::new(Secret::from("a key of thirty-two characters.."));
        let cobrowse = Cobrowse::new(options, presence.clone(), Arc::new(Nowhere), tickets, ledger);
        Self { presence, cobrowse }
    }

    fn key() -> VisitorKey {
        VisitorKey { group: "12345".parse().unwrap(), visitor: "ada".parse().unwrap() }
    }

    fn begin(&self, agreed: bool) -> Result<SessionId, ErrorCode> {
        let answer = Arc::new(Mutex::new(None));
        let put = Arc::clone(&answer);
        let start = Start { agreed, ..Start::by_agent(Policy::NATIVE) };
        self.cobrowse.begin(Self::key(), start, move |begun| {
            *put.lock() = Some(begun.map(|of| of.session).map_err(|problem| problem.code));
        });
        let begun = answer.lock().take();
        begun.expect("an answer")
    }

    /// What the visitor's record names.
    fn named(&self) -> Option<SessionId> {
        let named = Arc::new(Mutex::new(None));
        let put = Arc::clone(&named);
        self.presence.session_of(Self::key(), move |has| *put.lock() = has.unwrap());
        *named.lock()
    }
}

#[test]
fn a_session_that_runs_is_begun_once() {
    let bench = Bench::new(10);
    let first = bench.begin(false).unwrap();
    assert_eq!(bench.begin(false), Ok(first));
    assert_eq!(bench.begin(true), Ok(first));
    assert_eq!(bench.named(), Some(first));
}

#[test]
fn a_name_without_a_session_is_forgotten_and_another_begins() {
    for agreed in [false, true] {
        let bench = Bench::new(10);
        let lost = SessionId::generate();
        bench.presence.begin_session(Bench::key(), lost, |begun| assert!(begun.is_ok()));
        assert_eq!(bench.named(), Some(lost));
        let begun = bench.begin(agreed).unwrap();
        assert_ne!(begun, lost);
        assert_eq!(bench.named(), Some(begun));
    }
}

#[test]
fn a_session_that_cannot_begin_is_not_named() {
    let bench = Bench::new(0);
    assert_eq!(bench.begin(true), Err(ErrorCode::Unready));
    assert_eq!(bench.named(), None);
}
