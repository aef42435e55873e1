//! How much the server can do, and what it takes.

use std::{
    collections::VecDeque,
    net::SocketAddr,
    time::{Duration, Instant},
};

use hdrhistogram::Histogram;

use crate::{
    Arguments,
    kit::{
        GROUP, ORIGIN, TURN,
        net::{Event, Id, Net},
        server::{Server, Wishes},
        system, wire,
    },
};

/// Sockets that open at the same time.
const AT_ONCE: usize = 128;
/// How long one round warms up before it is measured.
const WARM_UP: Duration = Duration::from_secs(1);

/// Takes the time and the CPU of a stretch of work.
struct Meter {
    started: Instant,
    server: u64,
    ticks: (u64, u64),
    own: u64,
    process: u32,
}

impl Meter {
    fn start(process: u32) -> Self {
        let (server, own) = (system::cpu_ns(process), system::own_cpu_ns());
        Self { started: Instant::now(), server, ticks: system::ticks(process), own, process }
    }

    fn seconds(&self) -> f64 {
        self.started.elapsed().as_secs_f64()
    }

    /// The server's CPU in seconds.
    fn cpu(&self) -> f64 {
        (system::cpu_ns(self.process) - self.server) as f64 / 1e9
    }

    /// What is worth knowing of `count` operations.
    fn report(&self, count: u64, what: &str) -> String {
        let (seconds, cpu) = (self.seconds(), self.cpu());
        let ticks = system::ticks(self.process);
        let (user, kernel) = (ticks.0 - self.ticks.0, ticks.1 - self.ticks.1);
        format!(
            "{:.0} {what}/s, server's CPU {:.2} µs each ({:.3} s per 100,000; {:.0} % of it in the \
             kernel; {:.0} % of its core), load's core {:.0} %",
            count as f64 / seconds,
            cpu * 1e6 / count as f64,
            cpu * 1e5 / count as f64,
            kernel as f64 * 100.0 / (user + kernel).max(1) as f64,
            cpu * 100.0 / seconds,
            (system::own_cpu_ns() - self.own) as f64 / 1e7 / seconds,
        )
    }
}

pub fn histogram() -> Histogram<u64> {
    Histogram::new_with_bounds(1, 60_000_000_000, 3).unwrap()
}

pub fn quantiles(histogram: &Histogram<u64>) -> String {
    let at = |quantile| histogram.value_at_quantile(quantile) as f64 / 1e6;
    format!(
        "p50 {:.3} ms, p99 {:.3} ms, most {:.1} ms",
        at(0.5),
        at(0.99),
        histogram.max() as f64 / 1e6
    )
}

/// A presence update with so many keys, 16 characters of value each.
pub fn presence(keys: usize) -> String {
    let pairs: Vec<_> =
        (0..keys).map(|key| format!("\"key{key:02}\":\"value of key {key:03}\"")).collect();
    format!("{{{}}}", pairs.join(","))
}

pub fn hello(visitor: usize, page: usize, data: &str) -> String {
    format!(
        r#"{{"type":"hello","visitorid":"v{visitor}","tab":"t{visitor}","page":"p{page}","visible":true,"listen":true,"seen":[],"data":{data}}}"#
    )
}

/// What the simple scenarios' loops work with.
pub struct Load {
    pub net: Net,
    events: Vec<Event>,
    bytes: Vec<u8>,
}

impl Load {
    fn new(server: &Server) -> Self {
        Self::at(server.address)
    }

    pub fn at(address: SocketAddr) -> Self {
        Self { net: Net::new(address), events: Vec::new(), bytes: Vec::new() }
    }

    pub fn turn(&mut self, wait: Duration) -> (Vec<Event>, Vec<u8>) {
        let (mut events, mut bytes) =
            (std::mem::take(&mut self.events), std::mem::take(&mut self.bytes));
        self.net.turn(wait, &mut events, &mut bytes);
        (events, bytes)
    }

    pub fn give_back(&mut self, (events, bytes): (Vec<Event>, Vec<u8>)) {
        (self.events, self.bytes) = (events, bytes);
    }

    fn open_visitor(&mut self, visitor: usize) -> Id {
        self.net.open(&format!("/v1/visitor?group={GROUP}"), Some(ORIGIN), visitor)
    }

    /// Opens sockets, says hello on each, and waits until all are welcome. `hello` also tells visitors from agents.
    fn open_all(&mut self, count: usize, hello: impl Fn(usize) -> (bool, String)) -> Vec<Id> {
        let (mut ids, mut welcome) = (Vec::new(), 0);
        let started = Instant::now();
        while welcome < count {
            while ids.len() < count && ids.len() - welcome < AT_ONCE {
                let owner = ids.len();
                ids.push(if hello(owner).0 {
                    self.open_visitor(owner)
                } else {
                    self.net.open("/v1/agent", None, owner)
                });
            }
            let batch = self.turn(TURN);
            for event in &batch.0 {
                match event {
                    Event::Open(id) => {
                        let owner = self.net.owner(*id).unwrap();
                        self.net.text(*id, hello(owner).1.as_bytes());
                    }
                    Event::Message(_, range) => {
                        welcome += usize::from(wire::is_type(&batch.1[range.clone()], "welcome"));
                    }
                    Event::Closed(_, code) => panic!("closed while opening: {code:?}"),
                }
            }
            self.give_back(batch);
            assert!(started.elapsed().as_secs() < 120, "only {welcome} of {count} are welcome");
        }
        ids
    }

    /// Answers pings and throws away what comes.
    pub fn idle(&mut self, time: Duration) {
        let started = Instant::now();
        while started.elapsed() < time {
            let batch = self.turn(Duration::from_millis(50));
            for event in &batch.0 {
                assert!(!matches!(event, Event::Closed(..)), "a socket was closed");
            }
            self.give_back(batch);
        }
    }
}

pub fn agent_hello(token: &str) -> String {
    format!(r#"{{"type":"hello","token":"{token}"}}"#)
}

/// Memory and CPU of visitors who are there and do nothing.
pub fn idle(arguments: &Arguments) -> bool {
    let visitors = arguments.number("visitors", 10_000usize);
    let keys = arguments.number("keys", 20usize);
    let seconds = arguments.number("seconds", 45.0f64);
    let server = Server::start(&Wishes::default());
    let mut load = Load::new(&server);
    let data = presence(keys);
    std::thread::sleep(Duration::from_millis(500));
    let before = server.resident_kib();
    let meter = Meter::start(server.process());
    load.open_all(visitors, |visitor| (true, hello(visitor, 0, &data)));
    println!("idle: opening: {}", meter.report(visitors as u64, "sockets"));
    // Past the peaks of opening: the allocator gives memory back after about ten seconds.
    load.idle(Duration::from_secs(12));
    let after = server.resident_kib();
    let (cpu, started) = (server.cpu_ns(), Instant::now());
    load.idle(Duration::from_secs_f64(seconds));
    let cpu = (server.cpu_ns() - cpu) as f64 / 1e3;
    println!(
        "idle: {visitors} visitors with {keys} keys ({} bytes): {:.2} KiB each ({before} to {after} KiB); \
         {:.2} µs of CPU a second and socket over {seconds:.0} s, pings on",
        data.len(),
        (after - before) as f64 / visitors as f64,
        cpu / started.elapsed().as_secs_f64() / visitors as f64,
    );
    let figures = server.metrics();
    figures.sum("sockets_open") == visitors as f64 && figures.sum("records") == visitors as f64
}

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
    let started = Instant::now();
    let (mut meter, mut arrival, mut outcome) =
        (Meter::start(server.process()), histogram(), histogram());
    let (mut round, mut ended_before, mut until) = (0, 0, WARM_UP);
    let mut ack = Vec::new();
    let first = now();
    loop {
        if started.elapsed() >= until {
            if round > 0 {
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
            if round == rounds {
                break;
            }
            round += 1;
            until += Duration::from_secs_f64(seconds);
            ended_before = ended;
            (meter, arrival, outcome) = (Meter::start(server.process()), histogram(), histogram());
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
        for event in &batch.0 {
            let (id, message) = match event {
                Event::Message(id, range) => (*id, &batch.1[range.clone()]),
                Event::Open(_) => continue,
                Event::Closed(_, code) => panic!("closed: {code:?}"),
            };
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

/// One visitor's presence updates to many watchers.
pub fn fanout(arguments: &Arguments) -> bool {
    let watchers = arguments.number("watchers", 1_000usize);
    let inflight = arguments.number("inflight", 1usize);
    let seconds = arguments.number("seconds", 5.0f64);
    let rounds = arguments.number("rounds", 1usize);
    let server = Server::start(&Wishes::default());
    let token = server.token();
    let mut load = Load::new(&server);
    // The visitor last: owner `watchers`.
    let ids = load.open_all(watchers + 1, |owner| {
        if owner == watchers {
            (true, hello(0, 0, &presence(20)))
        } else {
            (false, agent_hello(&token))
        }
    });
    for id in &ids[..watchers] {
        load.net.text(*id, br#"{"type":"watch","visitorid":"v0","request":1}"#);
    }
    load.idle(Duration::from_secs(1));
    let update = format!(r#"{{"type":"presence","data":{}}}"#, presence(5));
    let (mut sent_at, mut left) = (VecDeque::new(), VecDeque::new());
    let base = Instant::now();
    let now = || base.elapsed().as_nanos() as u64;
    let mut counts = vec![0u64; watchers];
    let (mut done, mut deliveries) = (0u64, 0u64);
    for _ in 0..inflight {
        load.net.text(ids[watchers], update.as_bytes());
        sent_at.push_back(now());
        left.push_back(watchers);
    }
    let started = Instant::now();
    let (mut meter, mut arrival) = (Meter::start(server.process()), histogram());
    let (mut round, mut until) = (0, WARM_UP);
    loop {
        if started.elapsed() >= until {
            if round > 0 {
                println!(
                    "fanout: 1 to {watchers}, {inflight} in flight: {}; {}",
                    meter.report(deliveries, "deliveries"),
                    quantiles(&arrival),
                );
            }
            if round == rounds {
                return true;
            }
            round += 1;
            until += Duration::from_secs_f64(seconds);
            deliveries = 0;
            (meter, arrival) = (Meter::start(server.process()), histogram());
        }
        let batch = load.turn(TURN);
        let at = now();
        for event in &batch.0 {
            let (id, message) = match event {
                Event::Message(id, range) => (*id, &batch.1[range.clone()]),
                Event::Open(_) => continue,
                Event::Closed(_, code) => panic!("closed: {code:?}"),
            };
            let owner = load.net.owner(id).unwrap();
            if owner == watchers || !wire::is_type(message, "presence") {
                continue;
            }
            deliveries += 1;
            let index = (counts[owner] - done) as usize;
            counts[owner] += 1;
            arrival.record((at - sent_at[index]).max(1)).unwrap();
            left[index] -= 1;
            while left.front() == Some(&0) {
                left.pop_front();
                sent_at.pop_front();
                done += 1;
                load.net.text(ids[watchers], update.as_bytes());
                sent_at.push_back(at);
                left.push_back(watchers);
            }
        }
        load.give_back(batch);
    }
}

/// Close, connect, hello, welcome: again and again.
pub fn page_change(arguments: &Arguments) -> bool {
    let visitors = arguments.number("visitors", 200usize);
    let seconds = arguments.number("seconds", 5.0f64);
    let rounds = arguments.number("rounds", 1usize);
    let keys = arguments.number("keys", 5usize);
    let server = Server::start(&Wishes::default());
    let mut load = Load::new(&server);
    let data = presence(keys);
    load.open_all(visitors, |visitor| (true, hello(visitor, 0, &presence(20))));
    // All change at once from here on, each as soon as its last page was welcomed.
    let mut pages = vec![0usize; visitors];
    load.net.kill_all();
    let mut since = vec![Instant::now(); visitors];
    for visitor in 0..visitors {
        load.open_visitor(visitor);
    }
    let started = Instant::now();
    let (mut meter, mut time, mut changes) = (Meter::start(server.process()), histogram(), 0u64);
    let (mut round, mut until) = (0, WARM_UP);
    loop {
        if started.elapsed() >= until {
            if round > 0 {
                println!(
                    "pagechange: {visitors} visitors, hello with {keys} keys: {}; {}",
                    meter.report(changes, "changes"),
                    quantiles(&time),
                );
            }
            if round == rounds {
                break;
            }
            round += 1;
            until += Duration::from_secs_f64(seconds);
            (meter, time, changes) = (Meter::start(server.process()), histogram(), 0);
        }
        let batch = load.turn(TURN);
        for event in &batch.0 {
            match event {
                Event::Open(id) => {
                    let Some(visitor) = load.net.owner(*id) else { continue };
                    load.net.text(*id, hello(visitor, pages[visitor], &data).as_bytes());
                }
                Event::Message(id, range) => {
                    let Some(visitor) = load.net.owner(*id) else { continue };
                    if !wire::is_type(&batch.1[range.clone()], "welcome") {
                        continue;
                    }
                    changes += 1;
                    time.record(since[visitor].elapsed().as_nanos() as u64).unwrap();
                    // As a browser does: says goodbye and waits for nobody.
                    load.net.close(*id);
                    load.net.flush_now(*id);
                    load.net.kill(*id, false);
                    pages[visitor] += 1;
                    since[visitor] = Instant::now();
                    load.open_visitor(visitor);
                }
                Event::Closed(_, code) => panic!("closed: {code:?}"),
            }
        }
        load.give_back(batch);
    }
    let figures = server.metrics();
    println!(
        "pagechange: {} visitors are connected, {} records, memory {} KiB",
        figures.sum("visitors_connected"),
        figures.sum("records"),
        server.resident_kib()
    );
    figures.sum("visitors_connected") == visitors as f64
}
