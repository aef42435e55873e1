//! How much the server can do, and what it takes.

mod meter;
mod signals;
mod sockets;

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use self::{
    meter::{Meter, Rounds},
    sockets::messages,
};
pub use self::{
    meter::{histogram, quantiles},
    signals::signals,
    sockets::{Load, agent_hello, hello, presence},
};
use crate::{
    Arguments,
    kit::{
        TURN,
        net::Event,
        server::{Server, Wishes},
        wire,
    },
};

/// Memory and CPU of visitors who are there and do nothing.
pub fn idle(arguments: &Arguments) -> bool {
    let visitors = arguments.number("visitors", 10_000usize);
    let keys = arguments.number("keys", 20usize);
    let seconds = arguments.number("seconds", 45.0f64);
    let server = Server::start(&Wishes::default());
    let mut load = Load::new(&server);
    let data = presence(keys);
    // Its threads are there a moment after its greeting, and nothing says when.
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
    let mut rounds = Rounds::begin(server.process(), rounds, seconds);
    let mut arrival = histogram();
    loop {
        if let Some(over) = rounds.over() {
            if let Some(meter) = over {
                println!(
                    "fanout: 1 to {watchers}, {inflight} in flight: {}; {}",
                    meter.report(deliveries, "deliveries"),
                    quantiles(&arrival),
                );
            }
            if rounds.are_over() {
                return true;
            }
            (arrival, deliveries) = (histogram(), 0);
        }
        let batch = load.turn(TURN);
        let at = now();
        for (id, message) in messages(&batch) {
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
    let mut rounds = Rounds::begin(server.process(), rounds, seconds);
    let (mut time, mut changes) = (histogram(), 0u64);
    loop {
        if let Some(over) = rounds.over() {
            if let Some(meter) = over {
                println!(
                    "pagechange: {visitors} visitors, hello with {keys} keys: {}; {}",
                    meter.report(changes, "changes"),
                    quantiles(&time),
                );
            }
            if rounds.are_over() {
                break;
            }
            (time, changes) = (histogram(), 0);
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
