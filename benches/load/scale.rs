//! What several nodes and the server that they share carry for each thing that happens: commands, bytes, memory. These
//! counts do not depend on what else the machine does; the CPU times beside them do.

mod account;
mod memory;

use std::{
    collections::{HashSet, VecDeque},
    time::{Duration, Instant},
};

use self::{account::Account, memory::memory_by_kind};
use crate::{
    Arguments,
    kit::{
        GROUP, ORIGIN, TURN,
        net::{Event, Id},
        nodes::Nodes,
        random::Random,
        server::Wishes,
        wire,
    },
    scenarios::{Load, agent_hello, hello, presence},
};

/// Between the end of a page and the next one's connection.
const PAGE_CHANGE: Duration = Duration::from_millis(100);
/// The allocators give memory back after about ten seconds.
const MEMORY_RESTS: Duration = Duration::from_secs(12);
/// Longer than a record remembers what became of a signal.
const OUTCOME_MEMORY: Duration = Duration::from_secs(63);
/// What one watching socket may watch.
const MOST_WATCHED: usize = 900;
/// How long a phase may stand still.
const PATIENCE: Duration = Duration::from_secs(30);

/// The visitors' sockets, whose owners have the numbers from 0, and one agent's for each node behind them.
struct Crowd {
    load: Load,
    nodes: Nodes,
    random: Random,
    visitors: usize,
    sockets: Vec<Id>,
    /// On which node each visitor is.
    whereabouts: Vec<usize>,
    pages: Vec<usize>,
    agents: Vec<Id>,
    requests: usize,
    in_flight: usize,
    /// What nodes and server do when nothing happens, a second.
    rest: Account,
}

/// Prints the table.
pub fn scale(arguments: &Arguments) -> bool {
    let (count, visitors) = (arguments.number("nodes", 3), arguments.number("visitors", 3_000));
    let (operations, in_flight) =
        (arguments.number("operations", 3_000), arguments.number("inflight", 16));
    let rest = Duration::from_secs(arguments.number("rest", 20));
    let keys = arguments.number("keys", 20usize);
    let Some(nodes) = Nodes::start(count, &Wishes::default()) else { return false };
    let mut crowd = Crowd {
        load: Load::at(nodes.nodes[0].address),
        nodes,
        random: Random::new(arguments.number("seed", 1)),
        visitors,
        sockets: Vec::new(),
        whereabouts: vec![0; visitors],
        pages: vec![0; visitors],
        agents: Vec::new(),
        requests: 0,
        in_flight,
        rest: Account::default(),
    };
    println!(
        "scale: {count} nodes, {visitors} visitors with {keys} keys ({} bytes of JSON), {operations} of each operation, \
         {in_flight} at a time; load average {}",
        presence(keys).len(),
        std::fs::read_to_string("/proc/loadavg").unwrap().trim(),
    );
    crowd.agents_come();
    crowd.rest(Duration::from_secs(2));
    let before = Account::of(&mut crowd.nodes);
    crowd.rest(rest);
    let idle = Account::of(&mut crowd.nodes).since(&before);
    crowd.rest = idle.each(idle.seconds);
    println!("{}", Account::head());
    println!("{}", idle.each(idle.seconds * count as f64).line("nothing, a second and node"));
    let resident = crowd.resident();
    let comes = crowd.measure(visitors, |crowd| crowd.visitors_come(&presence(keys)));
    println!("{}", comes.line("a visitor comes"));
    crowd.rest(MEMORY_RESTS);
    let (kib, others) = (crowd.resident(), 1..count);
    let kib: Vec<f64> =
        kib.iter().zip(&resident).map(|(now, then)| *now as f64 - *then as f64).collect();
    let of_rows = others.clone().map(|node| kib[node]).sum::<f64>() / others.len().max(1) as f64;
    let stays = crowd.measure(visitors, |crowd| crowd.rest(rest));
    println!("{}", stays.line(&format!("a visitor stays for {} s", rest.as_secs())));
    let update = presence(5);
    let changes =
        crowd.measure(operations, |crowd| crowd.pages_change(operations, visitors, &update));
    println!("{}", changes.line("a page change, to any node"));
    let updates = crowd.measure(operations, |crowd| crowd.data_change(operations));
    println!("{}", updates.line("a change of presence data"));
    let signals = crowd.measure(operations, |crowd| crowd.signals_go(operations));
    println!("{}", signals.line("a signal, from another node"));
    let forgotten = crowd.measure(operations, |crowd| crowd.rest(OUTCOME_MEMORY));
    println!("{}", forgotten.line("it is forgotten after a minute"));
    crowd.agents_list();
    let listed =
        crowd.measure(operations, |crowd| crowd.pages_change(operations, visitors, &update));
    println!("{}", listed.line("a page change, a list on each node"));
    let watched = crowd.agents_watch();
    let seen = crowd.measure(operations, |crowd| crowd.pages_change(operations, watched, &update));
    println!("{}", seen.line("likewise, and watched from one node"));
    println!("memory for each visitor, by what the server keeps:");
    for (kind, (number, bytes)) in memory_by_kind(&mut crowd.nodes) {
        println!("  {kind}: {number} of {:.0} bytes", bytes as f64 / number as f64);
    }
    println!(
        "memory of the node that has all sockets {:.2} KiB a visitor, of each other node {:.2} KiB",
        kib[0] / visitors as f64,
        of_rows / visitors as f64,
    );
    for (name, account) in [
        ("nothing, a second and node", idle.each(idle.seconds * count as f64)),
        ("a visitor comes", comes),
        ("a page change", changes),
        ("a change of presence data", updates),
        ("a signal", signals),
        ("it is forgotten", forgotten),
        ("a page change, watched", seen),
    ] {
        println!("{name}: {}", account.commands_line());
    }
    let cpu = account::cpu_of_each(&mut crowd.nodes);
    if cpu.len() > 1 {
        let all: f64 = cpu.iter().sum();
        let shares = cpu.iter().map(|cpu| format!("{:.0} %", cpu / all * 100.0));
        println!("of the servers' CPU each master took {}", shares.collect::<Vec<_>>().join(", "));
    }
    let connected = crowd.nodes.nodes[0].metrics().sum("visitors_connected");
    connected == visitors as f64
}

impl Crowd {
    /// What `happens` so many times took each time, beyond what happens anyway.
    fn measure(&mut self, times: usize, happens: impl FnOnce(&mut Self)) -> Account {
        let before = Account::of(&mut self.nodes);
        happens(self);
        // What follows of the last one comes in this time: nodes' timers too, up to the grace's end.
        self.rest(Duration::from_secs(6));
        let spent = Account::of(&mut self.nodes).since(&before);
        spent.less(&self.rest.times(spent.seconds)).each(times as f64)
    }

    fn rest(&mut self, time: Duration) {
        self.load.idle(time);
    }

    fn resident(&self) -> Vec<u64> {
        self.nodes.nodes.iter().map(|node| node.resident_kib()).collect()
    }

    fn open(&mut self, visitor: usize, node: usize) {
        let address = self.nodes.nodes[node].address;
        let path = format!("/v1/visitor?group={GROUP}");
        self.sockets[visitor] = self.load.net.open_at(address, &path, Some(ORIGIN), visitor);
        self.whereabouts[visitor] = node;
    }

    /// Goes on until `done`, telling it of each message, with its owner.
    fn turn_until(
        &mut self,
        mut more: impl FnMut(&mut Self),
        mut hear: impl FnMut(&mut Self, usize, Id, Option<&[u8]>) -> usize,
        count: usize,
    ) {
        let (mut done, mut last) = (0, Instant::now());
        while done < count {
            more(self);
            let batch = self.load.turn(TURN);
            for event in &batch.0 {
                let (id, message) = match event {
                    Event::Open(id) => (*id, None),
                    Event::Message(id, range) => (*id, Some(&batch.1[range.clone()])),
                    Event::Closed(_, code) => panic!("closed: {code:?}"),
                };
                let Some(owner) = self.load.net.owner(id) else { continue };
                let news = hear(self, owner, id, message);
                done += news;
                if news > 0 {
                    last = Instant::now();
                }
            }
            self.load.give_back(batch);
            assert!(last.elapsed() < PATIENCE, "it stands still after {done} of {count}");
        }
    }

    fn agents_come(&mut self) {
        let token = self.nodes.nodes[0].token();
        for node in 0..self.nodes.nodes.len() {
            let (address, owner) = (self.nodes.nodes[node].address, self.visitors + node);
            let path = format!("/v1/agent?group={GROUP}");
            self.agents.push(self.load.net.open_at(address, &path, None, owner));
        }
        let hear = |crowd: &mut Self, _, id, message: Option<&[u8]>| match message {
            None => {
                crowd.load.net.text(id, agent_hello(&token).as_bytes());
                0
            }
            Some(message) => usize::from(wire::is_type(message, "welcome")),
        };
        self.turn_until(|_| (), hear, self.agents.len());
    }

    /// All to the first node.
    fn visitors_come(&mut self, data: &str) {
        self.sockets = vec![0; self.visitors];
        let (mut begun, mut under_way) = (0, 0);
        let welcome = std::cell::Cell::new(0);
        let more = |crowd: &mut Self| {
            under_way = begun - welcome.get();
            while begun < crowd.visitors && under_way < crowd.in_flight {
                crowd.open(begun, 0);
                (begun, under_way) = (begun + 1, under_way + 1);
            }
        };
        let hear = |crowd: &mut Self, owner, id, message: Option<&[u8]>| match message {
            None => {
                crowd.load.net.text(id, hello(owner, 0, data).as_bytes());
                0
            }
            Some(message) => {
                let is_welcome = usize::from(wire::is_type(message, "welcome"));
                welcome.set(welcome.get() + is_welcome);
                is_welcome
            }
        };
        self.turn_until(more, hear, self.visitors);
    }

    /// Pages of some of the first `among` visitors end, and the next ones connect to any node.
    fn pages_change(&mut self, count: usize, among: usize, data: &str) {
        let (mut begun, mut later) = (0, VecDeque::new());
        let busy = std::cell::RefCell::new(HashSet::new());
        let more = |crowd: &mut Self| {
            while begun < count && busy.borrow().len() < crowd.in_flight {
                let visitor = crowd.random.below(among);
                if !busy.borrow_mut().insert(visitor) {
                    continue;
                }
                // As a browser does: says goodbye and waits for nobody.
                let id = crowd.sockets[visitor];
                crowd.load.net.close(id);
                crowd.load.net.flush_now(id);
                crowd.load.net.kill(id, false);
                later.push_back((Instant::now() + PAGE_CHANGE, visitor));
                begun += 1;
            }
            while let Some((at, visitor)) = later.front().copied()
                && at <= Instant::now()
            {
                later.pop_front();
                let node = crowd.random.below(crowd.nodes.nodes.len());
                crowd.open(visitor, node);
            }
        };
        let hear = |crowd: &mut Self, owner: usize, id, message: Option<&[u8]>| match message {
            None => {
                crowd.pages[owner] += 1;
                let text = hello(owner, crowd.pages[owner], data);
                crowd.load.net.text(id, text.as_bytes());
                0
            }
            Some(message) if owner < crowd.visitors && wire::is_type(message, "welcome") => {
                usize::from(busy.borrow_mut().remove(&owner))
            }
            Some(_) => 0,
        };
        self.turn_until(more, hear, count);
    }

    fn data_change(&mut self, count: usize) {
        let (mut begun, ended) = (0, std::cell::Cell::new(0));
        let more = |crowd: &mut Self| {
            while begun < count && begun - ended.get() < crowd.in_flight {
                let visitor = crowd.random.below(crowd.visitors);
                let message = format!(
                    r#"{{"type":"presence","request":{},"data":{{"key00":"changed to {begun:06}","url":"https://shop.example/{begun}"}}}}"#,
                    begun + 1
                );
                crowd.load.net.text(crowd.sockets[visitor], message.as_bytes());
                begun += 1;
            }
        };
        let hear = |crowd: &mut Self, owner: usize, _, message: Option<&[u8]>| {
            let is_done = owner < crowd.visitors
                && message.is_some_and(|message| wire::is_type(message, "ok"));
            ended.set(ended.get() + usize::from(is_done));
            usize::from(is_done)
        };
        self.turn_until(more, hear, count);
    }

    /// Each from an agent of another node than the visitor's.
    fn signals_go(&mut self, count: usize) {
        let (mut begun, ended) = (0, std::cell::Cell::new(0));
        let padding = "x".repeat(120);
        let more = |crowd: &mut Self| {
            while begun < count && begun - ended.get() < crowd.in_flight {
                let visitor = crowd.random.below(crowd.visitors);
                let agent = (crowd.whereabouts[visitor] + 1) % crowd.agents.len();
                crowd.requests += 1;
                let message = format!(
                    r#"{{"type":"signal","request":{},"visitorid":"v{visitor}","data":{{"n":"{begun}","text":"{padding}"}}}}"#,
                    crowd.requests
                );
                crowd.load.net.text(crowd.agents[agent], message.as_bytes());
                begun += 1;
            }
        };
        let mut acknowledgements = 0;
        let hear = |crowd: &mut Self, owner: usize, id, message: Option<&[u8]>| {
            let Some(message) = message else { return 0 };
            if owner < crowd.visitors && wire::is_type(message, "signal") {
                acknowledgements += 1;
                let signal = wire::string_field(message, b"\"id").unwrap();
                let signal = std::str::from_utf8(signal).unwrap();
                let ack =
                    format!(r#"{{"type":"ack","ids":["{signal}"],"request":{acknowledgements}}}"#);
                crowd.load.net.text(id, ack.as_bytes());
            }
            assert!(!wire::is_type(message, "error"), "{}", String::from_utf8_lossy(message));
            let is_ended = owner >= crowd.visitors && wire::is_type(message, "signaloutcome");
            if is_ended {
                let outcome = wire::string_field(message, b"\"outcome").unwrap();
                assert_eq!(outcome, b"delivered");
            }
            ended.set(ended.get() + usize::from(is_ended));
            usize::from(is_ended)
        };
        self.turn_until(more, hear, count);
    }

    /// An agent of each node sees a window of all visitors from now on.
    fn agents_list(&mut self) {
        for agent in self.agents.clone() {
            let list = r#"{"type":"list","request":1,"list":1,"window":{"offset":0,"size":50}}"#;
            self.load.net.text(agent, list.as_bytes());
        }
        let hear = |_: &mut Self, _, _, message: Option<&[u8]>| {
            usize::from(message.is_some_and(|message| wire::is_type(message, "rows")))
        };
        self.turn_until(|_| (), hear, self.agents.len());
    }

    /// The agent of one node watches the first visitors from now on. How many.
    fn agents_watch(&mut self) -> usize {
        let watched = self.visitors.min(MOST_WATCHED);
        for visitor in 0..watched {
            let watch =
                format!(r#"{{"type":"watch","visitorid":"v{visitor}","request":{}}}"#, visitor + 1);
            self.load.net.text(self.agents[0], watch.as_bytes());
        }
        let hear = |_: &mut Self, _, _, message: Option<&[u8]>| {
            usize::from(message.is_some_and(|message| wire::is_type(message, "ok")))
        };
        self.turn_until(|_| (), hear, watched);
        watched
    }
}
