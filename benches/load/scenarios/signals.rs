//! Signals from agents to visitors, and their outcomes.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use super::{
    meter::{Rounds, histogram, quantiles},
    sockets::{Load, agent_hello, hello, messages, presence},
};
use crate::{
    Arguments,
    kit::{
        TURN,
        net::Net,
        server::{Server, Wishes},
        wire,
    },
};

/// A pair of an agent and a visitor, and what is under way between them.
#[derive(Default)]
struct Pair {
    /// The signals that the visitor has not got, and those that the agent has no outcome of: their numbers, and when
    /// each was due to be sent.
    to_visitor: VecDeque<(u64, u64)>,
    to_outcome: VecDeque<(u64, u64)>,
    next: u64,
}

impl Pair {
    fn refused(&mut self, number: u64) {
        self.to_visitor.retain(|(other, _)| *other != number);
        self.to_outcome.retain(|(other, _)| *other != number);
    }
}

/// Agent's socket, visitor's socket, acknowledgement, outcome.
pub fn signals(arguments: &Arguments) -> bool {
    let pairs = arguments.number("pairs", 100usize);
    let inflight = arguments.number("inflight", 1usize);
    let paced = arguments.number("paced", 0.0f64);
    let seconds = arguments.number("seconds", 5.0f64);
    let rounds = arguments.number("rounds", 1usize);
    // The SDK numbers its acknowledgements and is told that they came; `--bare` leaves that out.
    let is_bare = arguments.has("bare");
    let server = Server::start(&Wishes::default());
    let token = server.token();
    let mut load = Load::new(&server);
    let data = presence(20);
    let ids = load.open_all(pairs * 2, |owner| {
        if owner < pairs { (true, hello(owner, 0, &data)) } else { (false, agent_hello(&token)) }
    });
    let mut all: Vec<Pair> = (0..pairs).map(|_| Pair::default()).collect();
    let (mut sent, mut ended, mut refused, mut wrong, mut requests) =
        (0u64, 0u64, 0u64, 0u64, 0u64);
    let base = Instant::now();
    let now = || base.elapsed().as_nanos() as u64;
    let padding = "x".repeat(120);
    let mut text = Vec::new();
    let mut send = |net: &mut Net, pair: &mut Pair, number: usize, at: u64| {
        use std::io::Write as _;
        text.clear();
        write!(
            text,
            r#"{{"type":"signal","request":{},"visitorid":"v{number}","data":{{"n":"{}","text":"{padding}"}}}}"#,
            pair.next + 1, pair.next,
        )
        .unwrap();
        pair.to_visitor.push_back((pair.next, at));
        pair.to_outcome.push_back((pair.next, at));
        pair.next += 1;
        net.text(ids[pairs + number], &text);
    };
    if paced == 0.0 {
        for (number, pair) in all.iter_mut().enumerate() {
            for _ in 0..inflight {
                send(&mut load.net, pair, number, now());
                sent += 1;
            }
        }
    }
    let mut rounds = Rounds::begin(server.process(), rounds, seconds);
    let (mut arrival, mut outcome, mut ended_before) = (histogram(), histogram(), 0);
    let mut ack = Vec::new();
    let first = now();
    loop {
        if let Some(over) = rounds.over() {
            if let Some(meter) = over {
                println!(
                    "signals: {pairs} pairs, {}: {}; to the page {}; to the outcome {}",
                    if paced > 0.0 {
                        format!("{paced:.0}/s paced")
                    } else {
                        format!("{inflight} in flight")
                    },
                    meter.report(ended - ended_before, "signals"),
                    quantiles(&arrival),
                    quantiles(&outcome),
                );
            }
            if rounds.are_over() {
                break;
            }
            (arrival, outcome, ended_before) = (histogram(), histogram(), ended);
        }
        if paced > 0.0 {
            let due = ((now() - first) as f64 * paced / 1e9) as u64;
            while sent < due {
                let number = sent as usize % pairs;
                let at = first + (sent as f64 * 1e9 / paced) as u64;
                send(&mut load.net, &mut all[number], number, at);
                sent += 1;
            }
        }
        let batch = load.turn(if paced > 0.0 { Duration::ZERO } else { TURN });
        let at = now();
        for (id, message) in messages(&batch) {
            let owner = load.net.owner(id).unwrap();
            if owner < pairs {
                if !wire::is_type(message, "signal") {
                    continue;
                }
                let number = wire::string_field(message, b"\"n");
                let number = number.and_then(|n| std::str::from_utf8(n).ok()?.parse().ok());
                match all[owner].to_visitor.pop_front() {
                    Some((expected, since)) if number == Some(expected) => {
                        arrival.record((at - since).max(1)).unwrap();
                    }
                    _ => wrong += 1,
                }
                ack.clear();
                ack.extend_from_slice(br#"{"type":"ack","ids":[""#);
                ack.extend_from_slice(wire::string_field(message, b"\"id").unwrap());
                ack.extend_from_slice(b"\"]");
                if !is_bare {
                    use std::io::Write as _;
                    requests += 1;
                    write!(ack, r#","request":{requests}"#).unwrap();
                }
                ack.push(b'}');
                load.net.text(id, &ack);
            } else if wire::is_type(message, "signaloutcome") {
                let number = owner - pairs;
                wrong += u64::from(wire::string_field(message, b"\"outcome") != Some(b"delivered"));
                ended += 1;
                if let Some((_, since)) = all[number].to_outcome.pop_front() {
                    outcome.record((at - since).max(1)).unwrap();
                }
                if paced == 0.0 {
                    send(&mut load.net, &mut all[number], number, at);
                    sent += 1;
                }
            } else if wire::is_type(message, "error") {
                // At a pace that the server does not keep, more than 32 come to wait for one visitor.
                refused += 1;
                let error: serde_json::Value = serde_json::from_slice(message).unwrap();
                wrong += u64::from(error["code"] != "toomany");
                let number = error["request"].as_u64().unwrap() - 1;
                all[owner - pairs].refused(number);
            }
        }
        load.give_back(batch);
    }
    println!(
        "signals: {sent} sent, {ended} ended, {refused} refused, {wrong} wrong; memory {} KiB",
        server.resident_kib()
    );
    // Told to end and not killed, so that a profiler around the server writes what it found.
    drop(load);
    server.stop();
    wrong == 0
}
