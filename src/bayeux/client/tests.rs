mod ends;
mod nodes;

use serde_json::{Value, json};

use super::{command::*, *};
use crate::{
    bayeux::answer::{Answer, Text, Time},
    model::{
        ids::{NodeId, SocketAddress, SocketId},
        topic::Epoch,
    },
    settings::Errors,
};

pub(super) const RULES: Rules = Rules {
    timeout_ms: 30_000,
    max_interval_ms: 10_000,
    queue: 8,
    queue_bytes: 4_096,
    subscriptions: 3,
    errors: Errors::Modern,
};

pub(super) fn at(socket: u64) -> SocketAddress {
    SocketAddress { node: NodeId { node: 0, incarnation: 1 }, socket: SocketId(socket) }
}

pub(super) fn member() -> Member {
    Member { group: "12345".parse().unwrap(), agent: None }
}

pub(super) fn connect(socket: u64) -> Connect {
    let from = From { at: at(socket), is_socket: false, browser: None };
    Connect { from, id: None, timeout: None, ack: None, time: None, alone: true, pause: None }
}

/// One client, and what it led to.
pub(super) struct Bench {
    pub(super) client: Client,
    pub(super) now: Timestamp,
    rules: Rules,
}

impl Bench {
    pub(super) fn open(acks: bool) -> Self {
        let rules = RULES;
        let mut bench = Self { client: Client::default(), now: Timestamp(1_000), rules };
        let member = Box::new(member());
        let open = Command::Open { member, browser: None, socket: None, acks, home: at(0).node };
        assert_eq!(bench.apply(open).0, Reply::Done);
        bench
    }

    /// One that has connected once already, so that its next connect is held.
    fn connected(acks: bool) -> Self {
        let mut bench = Self::open(acks);
        let (_, written) = bench.write(Command::Connect(Box::new(connect(1))));
        assert_eq!(written.len(), 1, "{written:?}");
        bench
    }

    pub(super) fn apply(&mut self, command: Command) -> (Reply, Vec<Effect>) {
        let mut effects = Vec::new();
        let key = ClientId::from_u128(1);
        let reply = self.client.apply(&key, command, self.now, &self.rules, &mut effects);
        (reply, effects)
    }

    /// Where messages went, and which.
    pub(super) fn write(&mut self, command: Command) -> (Option<u64>, Vec<Value>) {
        let (mut to, mut messages) = (None, Vec::new());
        for effect in self.apply(command).1 {
            if let Effect::Write { to: address, messages: texts } = effect {
                to = Some(address.socket.0);
                messages
                    .extend(texts.iter().map(|text| serde_json::from_str::<Value>(text).unwrap()));
            }
        }
        (to, messages)
    }

    fn deliver(&mut self, number: u64) -> (Option<u64>, Vec<Value>) {
        self.write(Command::Deliver(message(number)))
    }

    fn pass(&mut self, milliseconds: u64) -> (Option<u64>, Vec<Value>) {
        self.now = self.now + milliseconds;
        self.write(Command::Tick)
    }
}

pub(super) fn message(number: u64) -> Text {
    format!(r#"{{"channel":"/a","data":{number}}}"#).into()
}

fn data(messages: &[Value]) -> Vec<u64> {
    messages.iter().filter_map(|message| message["data"].as_u64()).collect()
}

fn hold(bench: &mut Bench, socket: u64) {
    assert_eq!(bench.apply(Command::Connect(Box::new(connect(socket)))).0, Reply::Held);
}

#[test]
fn the_first_connect_is_answered_at_once_and_the_next_is_held() {
    let mut bench = Bench::open(false);
    let (to, answer) = bench.write(Command::Connect(Box::new(connect(1))));
    assert_eq!(to, Some(1));
    let advice = json!({"reconnect": "retry", "interval": 0, "timeout": 30_000});
    assert_eq!(answer, [json!({"channel": "/meta/connect", "successful": true, "advice": advice})]);
    hold(&mut bench, 2);
    assert_eq!(bench.pass(29_999), (None, vec![]));
    let (to, answer) = bench.pass(1);
    assert_eq!(to, Some(2));
    assert_eq!(answer, [json!({"channel": "/meta/connect", "successful": true})], "no advice");
}

#[test]
fn a_message_answers_the_held_connect_and_comes_before_the_answer() {
    let mut bench = Bench::connected(false);
    hold(&mut bench, 2);
    let (to, answer) = bench.deliver(7);
    assert_eq!(to, Some(2));
    assert_eq!(answer[0], json!({"channel": "/a", "data": 7}));
    assert_eq!(answer[1]["channel"], "/meta/connect");
    assert_eq!(bench.deliver(8), (None, vec![]), "waits");
    let (_, answer) = bench.write(Command::Connect(Box::new(connect(3))));
    assert_eq!(data(&answer), [8]);
}

#[test]
fn a_connect_in_company_or_without_time_is_not_held() {
    let mut bench = Bench::connected(false);
    let company = Connect { alone: false, ..connect(2) };
    let (reply, effects) = bench.apply(Command::Connect(Box::new(company)));
    assert!(matches!(reply, Reply::Now(messages) if messages.len() == 1));
    assert_eq!(effects, []);
    let hasty = Connect { timeout: Some(0), ..connect(2) };
    let (_, answer) = bench.write(Command::Connect(Box::new(hasty)));
    assert!(answer[0]["advice"].is_object(), "who asks is told");
    let short = Connect { timeout: Some(200), ..connect(2) };
    assert_eq!(bench.apply(Command::Connect(Box::new(short))).0, Reply::Held);
    assert_eq!(bench.pass(200).1.len(), 1);
    let long = Connect { timeout: Some(u64::MAX), ..connect(2) };
    assert_eq!(bench.apply(Command::Connect(Box::new(long))).0, Reply::Held);
    assert_eq!(bench.pass(30_000).1.len(), 1, "not longer than the rules say");
}

#[test]
fn a_newer_connect_overtakes_the_held_one() {
    let mut bench = Bench::connected(false);
    hold(&mut bench, 2);
    let (reply, effects) = bench.apply(Command::Connect(Box::new(connect(3))));
    assert_eq!(reply, Reply::Held);
    assert_eq!(effects, [Effect::Overtaken { at: at(2) }]);
    bench.apply(Command::Lost(at(2)));
    assert!(bench.client.is_held(), "the older request's end does not concern the newer");
}

#[test]
fn a_crowded_browser_is_told_so() {
    let mut bench = Bench::connected(false);
    let pause = Some(Pause { interval_ms: 2_000, many_tabs: true });
    let crowded = Connect { pause, ..connect(2) };
    let (_, answer) = bench.write(Command::Connect(Box::new(crowded)));
    let advice = json!({"reconnect": "retry", "interval": 2_000, "timeout": 30_000, "multiple-clients": true});
    assert_eq!(answer[0]["advice"], advice);
    assert_eq!(bench.pass(11_999).1, Vec::<Value>::new());
    assert!(bench.client.member().is_some(), "the pause is not counted");
}

#[test]
fn what_its_own_messages_lead_to_comes_before_their_answers() {
    let mut bench = Bench::connected(false);
    hold(&mut bench, 2);
    bench.apply(Command::Begin(connect(3).from));
    assert_eq!(bench.deliver(1), (None, vec![]), "nothing is sent meanwhile");
    let answers = vec![Answer::done("/a", None).text()];
    let (to, written) = bench.write(Command::Finish { to: at(3), is_socket: false, answers });
    assert_eq!(to, Some(3));
    assert_eq!(data(&written), [1]);
    assert_eq!(written[1], json!({"channel": "/a", "successful": true}));
    assert!(bench.client.is_held());
}

#[test]
fn a_socket_gets_messages_at_any_time() {
    let mut bench = Bench::open(false);
    let from = From { at: at(5), is_socket: true, browser: None };
    let by_socket = || Connect { from: from.clone(), ..connect(5) };
    bench.apply(Command::Connect(Box::new(by_socket())));
    assert_eq!(bench.deliver(1).0, Some(5), "between two connects");
    assert_eq!(bench.apply(Command::Connect(Box::new(by_socket()))).0, Reply::Held);
    let (to, written) = bench.deliver(2);
    assert_eq!((to, written.len()), (Some(5), 1));
    assert!(bench.client.is_held(), "and the connect stays");
    bench.apply(Command::Lost(at(5)));
    assert_eq!(bench.deliver(3), (None, vec![]), "waits for the next socket");
    let from = From { at: at(6), is_socket: true, browser: None };
    let (_, written) = bench.write(Command::Connect(Box::new(Connect { from, ..connect(6) })));
    assert_eq!(data(&written), [3]);
}

#[test]
fn who_is_held_on_one_socket_hears_there_when_another_is_lost() {
    let mut bench = Bench::connected(false);
    let socket = |number| From { at: at(number), is_socket: true, browser: None };
    let held = Connect { from: socket(6), ..connect(6) };
    assert_eq!(bench.apply(Command::Connect(Box::new(held))).0, Reply::Held);
    // A frame of the socket before is carried out late.
    bench.apply(Command::Begin(socket(5)));
    bench.apply(Command::Finish { to: at(5), is_socket: true, answers: vec![] });
    bench.apply(Command::Lost(at(5)));
    let (to, written) = bench.deliver(1);
    assert_eq!((to, written.len()), (Some(6), 1));
    assert!(bench.client.is_held());
}

#[test]
fn what_comes_while_messages_of_a_lost_socket_are_carried_out_waits_for_the_next_one() {
    let mut bench = Bench::connected(false);
    let socket = |number| From { at: at(number), is_socket: true, browser: None };
    let by = |number| Box::new(Connect { from: socket(number), ..connect(number) });
    let finish = |number| Command::Finish { to: at(number), is_socket: true, answers: vec![] };
    bench.apply(Command::Begin(socket(5)));
    bench.deliver(1);
    bench.apply(Command::Lost(at(5)));
    assert_eq!(data(&bench.write(finish(5)).1), Vec::<u64>::new());
    assert_eq!(data(&bench.write(Command::Connect(by(6))).1), [1]);
    // Likewise where the client is back before that.
    bench.apply(Command::Begin(socket(6)));
    bench.deliver(2);
    bench.apply(Command::Lost(at(6)));
    bench.apply(Command::Begin(socket(7)));
    bench.apply(finish(6));
    let (to, written) = bench.write(finish(7));
    assert_eq!((to, data(&written)), (Some(7), vec![2]));
}

#[test]
fn what_was_not_acknowledged_comes_again() {
    let mut bench = Bench::connected(true);
    let with = |batch| Connect { ack: Some(batch), ..connect(2) };
    assert_eq!(bench.apply(Command::Connect(Box::new(with(1)))).0, Reply::Held);
    let (_, lost) = bench.deliver(1);
    assert_eq!((data(&lost), &lost[1]["ext"]), (vec![1], &json!({"ack": 2})));
    bench.deliver(2);
    let (_, again) = bench.write(Command::Connect(Box::new(with(1))));
    assert_eq!((data(&again), &again[2]["ext"]), (vec![1, 2], &json!({"ack": 3})));
    assert_eq!(bench.apply(Command::Connect(Box::new(with(3)))).0, Reply::Held);
    assert_eq!(bench.client.waiting(), (0, 0));
}

#[test]
fn who_acknowledges_gets_messages_with_connects_only() {
    let mut bench = Bench::connected(true);
    let from = From { at: at(5), is_socket: true, browser: None };
    bench.apply(Command::Begin(from.clone()));
    bench.deliver(1);
    let (_, written) = bench.write(Command::Finish { to: at(5), is_socket: true, answers: vec![] });
    assert_eq!(data(&written), Vec::<u64>::new());
    let connect = Connect { from, ack: Some(1), ..connect(5) };
    let (_, written) = bench.write(Command::Connect(Box::new(connect)));
    assert_eq!(data(&written), [1]);
}

#[test]
fn another_browser_is_a_stranger() {
    let mut bench = Bench { client: Client::default(), now: Timestamp(0), rules: RULES };
    let member = Box::new(member());
    bench.apply(Command::Open {
        member,
        browser: Some("b1".into()),
        socket: None,
        acks: false,
        home: at(0).node,
    });
    let from = |browser: Option<&str>| From { browser: browser.map(Into::into), ..connect(1).from };
    let unknown = Reply::Refused(Fault::Unknown);
    assert_eq!(bench.apply(Command::Begin(from(Some("b2")))).0, unknown);
    let stolen = Connect { from: from(Some("b2")), ..connect(1) };
    assert_eq!(bench.apply(Command::Connect(Box::new(stolen))).0, unknown);
    for own in [None, Some("b1")] {
        assert!(matches!(bench.apply(Command::Begin(from(own))).0, Reply::Known { .. }));
    }
}

#[test]
fn subscriptions_are_bounded_and_counted_once() {
    let mut bench = Bench::connected(false);
    let channel = |name: &str| name.parse::<Channel>().unwrap();
    for name in ["/a", "/b", "/a", "/c", "/a"] {
        assert_eq!(bench.apply(Command::Subscribe(channel(name))).0, Reply::Done, "{name}");
    }
    let one_more = || Command::Subscribe(channel("/d"));
    assert_eq!(bench.apply(one_more()).0, Reply::Refused(Fault::SubscribeFailed));
    for _ in 0..2 {
        bench.apply(Command::Unsubscribe(channel("/a")));
    }
    assert_eq!(bench.apply(one_more()).0, Reply::Done);
    assert_eq!(
        Vec::from_iter(bench.client.channels()),
        [&channel("/b"), &channel("/c"), &channel("/d")]
    );
}

#[test]
fn the_time_extension_tells_how_long_a_connect_was_held() {
    let mut bench = Bench::connected(false);
    let time = Some(Time { tc: 1, ts: 2, p: 0, a: Some(3) });
    bench.apply(Command::Connect(Box::new(Connect { time, ..connect(2) })));
    bench.now = bench.now + 40;
    let (_, written) = bench.deliver(1);
    assert_eq!(written[1]["ext"]["timesync"], json!({"tc": 1, "ts": 2, "p": 40, "a": 3}));
}
