//! Chats and their visitors, where commands wait for one another: here nothing runs before `settle`.

use std::collections::BTreeSet;

use parking_lot::Mutex;

use super::*;
use crate::{
    chat::conversation::command::EndedBy,
    clock::Clock,
    model::{
        chat::{ChatEnd, ChatRow, ChatStatus, Person},
        ids::VisitorId,
    },
    presence::{
        handle::testing::{Recorder, START, options, page},
        visitor::command::Departure,
    },
    store::{history::MemoryHistory, place::Place},
};

/// Nobody listens.
struct Nowhere;

impl Post for Nowhere {
    fn button(&self, _: &mut dyn Iterator<Item = SocketId>, _: &ButtonId, _: bool) {}
    fn agents(&self, _: &[SocketId], _: &ToAgent) {}
}

const PAGE: SocketId = SocketId(1);

/// A visitor `~…07` with a page, and an agent who is available.
struct Bench {
    presence: Presence,
    chat: Chat,
    _desk: Desk,
}

type Kept<T> = Arc<Mutex<Option<T>>>;

fn kept<T: Send + 'static>() -> (Kept<T>, impl FnOnce(T) + Send + 'static) {
    let kept = Kept::default();
    let put = Arc::clone(&kept);
    (kept, move |value| *put.lock() = Some(value))
}

fn person(subject: &str) -> Person {
    Person { subject: subject.into(), name: None }
}

fn known() -> VisitorKey {
    VisitorKey { group: "12345".parse().unwrap(), visitor: "ada".parse().unwrap() }
}

impl Bench {
    fn new() -> Self {
        Self::with(|_| ())
    }

    fn with(change: impl FnOnce(&mut Options)) -> Self {
        let arrivals = Arc::new(Arrivals::default());
        let tap = Arc::clone(&arrivals) as _;
        let presence = Presence::new(options(), Arc::new(Recorder::default()), vec![tap]);
        let mut options = Options {
            place: Place::alone(presence.node(), 1, Clock::manual(START)),
            chats: conversation::Rules {
                invited_ms: 60_000,
                waiting_ms: 900_000,
                idle_ms: 900_000,
                visitor_grace_ms: 60_000,
                most_messages: 100,
            },
            staff: staff::Rules { grace_ms: 0, most_agents: 1 },
            most_chats: 100,
            most_waiting: 100,
            most_waiting_of_address: 100,
            most_of_agent: 10,
            groups: HashMap::from([(known().group, Vec::new())]),
        };
        change(&mut options);
        let (ledger, _) = Ledger::new(Arc::new(MemoryHistory::default()), Metrics::new());
        let post = Arc::new(Nowhere);
        let chat = Chat::new(options, presence.clone(), post, arrivals, ledger, Metrics::new());
        let desk = chat.desk(known().group, "ann", SocketId(10));
        chat.available(&desk, BTreeSet::from(["sales".parse().unwrap()]), |told| {
            assert!(told.is_ok(), "{told:?}");
        });
        let connect = page(presence.address(PAGE));
        presence.connect(Self::visitor(), connect, |welcome| assert!(welcome.is_ok()));
        Self { presence, chat, _desk: desk }
    }

    /// An anonymous one.
    fn visitor() -> VisitorKey {
        let visitor: VisitorId = format!("~{:032x}", 7).parse().unwrap();
        VisitorKey { visitor, ..known() }
    }

    fn opens(&self, visitor: VisitorKey) -> Kept<Result<Arc<ChatView>, Problem>> {
        let (opened, put) = kept();
        let address = IpAddr::from([127, 0, 0, 1]);
        self.chat.open(visitor, address, None, put);
        opened
    }

    /// From now on, what is asked of chats waits for [`Bench::settle`].
    fn halts(&self) {
        std::thread::scope(|scope| {
            scope
                .spawn(|| self.chat.conversations().keep(0).iter().for_each(|shard| shard.adopt()));
        });
    }

    fn settle(&self) {
        self.chat.conversations().settle();
    }

    /// He becomes known, and his page goes along.
    fn identifies(&self) {
        let connect = page(self.presence.address(PAGE));
        self.presence.connect(known(), connect, |welcome| assert!(welcome.is_ok()));
        let (joined, put) = kept();
        self.presence.join(Self::visitor().visitor, Some(self.presence.address(PAGE)), known(), {
            move || put(())
        });
        assert!(joined.lock().is_some());
    }

    fn rows(&self) -> Vec<ChatRow> {
        let group = known().group;
        self.chat.list(&group, &Reader::Supervisor, |_| true, None, 100).unwrap()
    }

    /// Whose chats there are, and how they stand.
    fn standing(&self) -> Vec<(VisitorId, ChatStatus)> {
        self.rows().into_iter().map(|row| (row.visitorid, row.status)).collect()
    }
}

#[test]
fn a_chat_that_is_opened_while_he_becomes_known_goes_along() {
    let bench = Bench::new();
    bench.halts();
    let opened = bench.opens(Bench::visitor());
    bench.identifies();
    assert!(opened.lock().is_none(), "it is still on its way");
    bench.settle();
    assert!(opened.lock().take().is_some_and(|opened| opened.is_ok()));
    assert_eq!(bench.standing(), [(known().visitor, ChatStatus::Waiting)]);
}

#[test]
fn a_chat_that_is_opened_while_he_leaves_ends_with_his_leaving() {
    let clock = Clock::manual(START);
    let same = clock.clone();
    let bench = Bench::with(move |options| options.place.clock = same);
    bench.halts();
    let opened = bench.opens(Bench::visitor());
    let socket = bench.presence.address(PAGE);
    let cause = crate::model::timeline::PageEnd::Lost;
    bench.presence.close(Bench::visitor(), socket, Departure::Disconnect, cause);
    bench.settle();
    assert!(opened.lock().take().is_some_and(|opened| opened.is_ok()));
    clock.advance(60_000);
    bench.settle();
    assert_eq!(bench.standing(), [], "long before the 900 s of those who wait");
}

#[test]
fn a_chat_goes_along_where_there_are_as_many_as_may_be() {
    let bench = Bench::with(|options| options.most_chats = 1);
    let opened = bench.opens(Bench::visitor()).lock().take().unwrap().unwrap();
    bench.identifies();
    assert_eq!(bench.standing(), [(known().visitor, ChatStatus::Waiting)]);
    let again = bench.opens(known()).lock().take().unwrap().unwrap();
    assert_eq!(again.chat, opened.chat, "it is his");
}

#[test]
fn a_chat_that_cannot_go_along_is_over_and_no_ghost() {
    let bench = Bench::new();
    let opened = bench.opens(Bench::visitor()).lock().take().unwrap().unwrap();
    let (left, put) = kept();
    let join = Command::Join { known: known().visitor };
    let sink = Box::new(|result| put(plain(result)));
    bench.chat.conversations().submit(Bench::visitor(), Expect::Any, join, sink);
    let Some(Ok(Reply::Joined(Some(running)))) = left.lock().take() else { panic!("it goes") };
    assert_eq!(bench.rows().len(), 1);
    let strand = Command::Strand(running);
    bench.chat.conversations().submit(Bench::visitor(), Expect::Any, strand, Box::new(|_| ()));
    assert_eq!(bench.rows(), []);
    assert!(!bench.chat.0.shared.arrivals.has(&Bench::visitor()));
    let group = &known().group;
    assert_eq!(bench.chat.visitor_of(group, opened.chat).unwrap_err().code, ErrorCode::NotFound);
    let ended = bench.chat.0.shared.metrics.chats_ended.of(ChatEnd::Error).get();
    assert_eq!(ended, 1);
}

#[test]
fn who_finds_no_room_among_the_agents_has_no_chats() {
    let bench = Bench::new();
    let opened = bench.opens(Bench::visitor()).lock().take().unwrap().unwrap();
    let bob = bench.chat.desk(known().group, "bob", SocketId(11));
    let (there, put) = kept();
    bench.chat.attend(&bob, put);
    let refused = there.lock().take().unwrap().unwrap_err();
    assert_eq!(refused.code, ErrorCode::TooMany);
    // Ann is there: what she has waits again when she goes.
    let (claimed, put) = kept();
    bench.chat.claim(&known().group, opened.chat, person("ann"), put);
    assert!(claimed.lock().take().unwrap().is_ok());
    drop(bench._desk);
    let rows = bench.chat.list(&known().group, &Reader::Supervisor, |_| true, None, 9).unwrap();
    assert_eq!(rows.iter().map(|row| row.status).collect::<Vec<_>>(), [ChatStatus::Waiting]);
}

#[test]
fn one_address_takes_its_own_places_only_as_long_as_its_chats_wait() {
    let bench = Bench::with(|options| options.most_waiting_of_address = 1);
    let group = known().group;
    let open = |visitor: &str, address: [u8; 4]| {
        let (opened, put) = kept();
        let key = VisitorKey { visitor: visitor.parse().unwrap(), ..known() };
        bench.chat.open(key, address.into(), None, put);
        opened.lock().take().unwrap()
    };
    let (here, there) = ([127, 0, 0, 1], [127, 0, 0, 2]);
    let first = open("ada", here).unwrap();
    assert_eq!(open("bob", here).unwrap_err().code, ErrorCode::TooMany);
    assert_eq!(open("ada", here).unwrap().chat, first.chat, "he has it");
    assert!(open("cy", there).is_ok());
    bench.chat.claim(&group, first.chat, person("ann"), |claimed| assert!(claimed.is_ok()));
    let second = open("bob", here).unwrap();
    assert_eq!(open("dan", here).unwrap_err().code, ErrorCode::TooMany);
    bench.chat.end(&group, second.chat, EndedBy::Group, |ended| assert!(ended.is_ok()));
    assert!(open("dan", here).is_ok());
    let limited = &bench.chat.0.shared.metrics.limited;
    assert_eq!(limited.of(crate::telemetry::labels::Limited::ChatOfAddress).get(), 2);
}
