//! A client session against a naive model: a list of what was sent to the client, and what a client on a bad line makes of it.

use proptest::prelude::*;
use serde_json::Value;

use super::{
    command::{Command, Connect, Effect, Reply},
    tests::{Bench, RULES, at, connect, message},
    *,
};
use crate::{bayeux::answer::Text, model::ids::SocketAddress};

#[derive(Clone, Copy, Debug)]
enum Step {
    /// A message for the client.
    Deliver,
    /// The client connects; whether the answer reaches it.
    Connect { reaches: bool },
    /// Its connection breaks.
    Lose,
    /// Some other message of its is carried out.
    Speak,
    /// Time passes.
    Pass(u64),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => Just(Step::Deliver),
        4 => any::<bool>().prop_map(|reaches| Step::Connect { reaches }),
        1 => Just(Step::Lose),
        2 => Just(Step::Speak),
        3 => (0_u64..12_000).prop_map(Step::Pass),
    ]
}

/// The client's side: what it has, and what it is waiting for.
struct Side {
    acks: bool,
    batch: u64,
    got: Vec<u64>,
    /// The request that waits, since when, and whether its answer will reach the client.
    waits: Option<(SocketAddress, Timestamp, bool)>,
    requests: u64,
}

impl Side {
    fn take(&mut self, effects: Vec<Effect>) -> bool {
        let mut is_over = false;
        for effect in effects {
            match effect {
                Effect::Write { to, messages } => {
                    let waits = self.waits.take_if(|(address, ..)| *address == to);
                    let reaches = waits.is_none_or(|(.., reaches)| reaches);
                    if reaches {
                        self.read(&messages);
                    }
                }
                Effect::Ended { .. } => is_over = true,
                Effect::Taken { .. } | Effect::Adopt { .. } => {}
                Effect::Overtaken { at } => {
                    self.waits.take_if(|(address, ..)| *address == at);
                }
            }
        }
        is_over
    }

    fn read(&mut self, messages: &[Text]) {
        for text in messages {
            let message: Value = serde_json::from_str(text).unwrap();
            if let Some(number) = message["data"].as_u64() {
                self.got.push(number);
            }
            if message["channel"] == "/meta/connect" && message["successful"] == true {
                self.batch = message["ext"]["ack"].as_u64().unwrap_or(self.batch);
            }
        }
    }
}

proptest! {
    #[test]
    fn nothing_is_lost_or_repeated_and_every_connect_is_answered(
        acks in any::<bool>(), steps in prop::collection::vec(step(), 1..80)
    ) {
        let mut bench = Bench::open(acks);
        let mut side = Side { acks, batch: 0, got: Vec::new(), waits: None, requests: 10 };
        let mut sent = 0;
        let mut everything_reaches = true;
        for step in steps {
            let effects = match step {
                Step::Deliver => {
                    sent += 1;
                    bench.apply(Command::Deliver(message(sent))).1
                }
                Step::Connect { reaches } => {
                    side.requests += 1;
                    everything_reaches &= reaches;
                    let address = at(side.requests);
                    side.waits = Some((address, bench.now, reaches));
                    let ack = side.acks.then_some(side.batch);
                    let connect = Connect { ack, ..connect(side.requests) };
                    let (reply, effects) = bench.apply(Command::Connect(Box::new(connect)));
                    if reply == Reply::Refused(Fault::Unknown) {
                        break;
                    }
                    prop_assert_eq!(reply == Reply::Held, bench.client.is_held());
                    effects
                }
                Step::Lose => {
                    everything_reaches &= side.waits.is_none();
                    match side.waits.take() {
                        Some((address, ..)) => bench.apply(Command::Lost(address)).1,
                        None => Vec::new(),
                    }
                }
                Step::Speak => {
                    side.requests += 1;
                    let from = connect(side.requests).from;
                    let to = from.at;
                    if let (Reply::Refused(_), _) = bench.apply(Command::Begin(from)) {
                        break;
                    }
                    bench.apply(Command::Finish { to, is_socket: false, answers: Vec::new() }).1
                }
                Step::Pass(milliseconds) => {
                    bench.now = bench.now + milliseconds;
                    bench.apply(Command::Tick).1
                }
            };
            if side.take(effects) {
                break;
            }
            // Every connect that waits is held, and not for longer than the rules say.
            if let Some((_, since, _)) = side.waits {
                prop_assert!(bench.client.is_held());
                prop_assert!(bench.now.since(since) < RULES.timeout_ms);
            }
            let (waiting, bytes) = bench.client.waiting();
            prop_assert!(waiting <= RULES.queue && bytes <= RULES.queue_bytes);
            let deadline = bench.client.deadline(&RULES).unwrap();
            prop_assert!(deadline > bench.now, "a deadline never lies in the past");
            // In order, without a repetition; and without a gap where nothing got lost, or the client acknowledges.
            prop_assert!(side.got.is_sorted_by(|one, next| one < next), "{:?}", side.got);
            if acks || everything_reaches {
                prop_assert!(side.got.iter().copied().eq(1..=side.got.len() as u64));
            }
        }
    }
}
