//! Clients of Bayeux that hold a connect each over long-polling: what that takes, and what becomes of them.

use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{Ipv4Addr, SocketAddr, SocketAddrV4, TcpStream},
    time::{Duration, Instant},
};

use socket2::{Domain, Socket, Type};

use super::server::{Server, Wishes};

/// Source addresses that connections leave from, 127.0.0.2 and up: past the limit on ports of one.
const SOURCES: u32 = 50;

/// How many, and for how long.
#[derive(Clone)]
pub struct Plan {
    pub clients: usize,
    /// Lines of `[bayeux]`.
    pub settings: &'static str,
    /// How long they rest before their memory is read, and then until their CPU is.
    pub rest: Duration,
}

impl Plan {
    pub fn full() -> Self {
        let settings = "timeout_ms = 50000\nmax_interval_ms = 3000";
        Self { clients: 10_000, settings, rest: Duration::from_secs(8) }
    }

    pub fn short() -> Self {
        let settings = "timeout_ms = 4000\nmax_interval_ms = 1000";
        Self { clients: 200, settings, rest: Duration::from_millis(500) }
    }
}

/// One client, whose requests go over one connection.
struct Client {
    stream: BufReader<TcpStream>,
    id: String,
}

impl Client {
    /// Comes in with a token, so that the sweep has something to look at, connects for the first time, and again: that is held.
    fn open(server: SocketAddr, number: usize, token: &str) -> Self {
        let source = u32::from(Ipv4Addr::new(127, 0, 0, 2)) + number as u32 % SOURCES;
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        socket
            .bind(&SocketAddr::from(SocketAddrV4::new(Ipv4Addr::from(source), 0)).into())
            .unwrap();
        socket.connect(&server.into()).unwrap();
        let stream = TcpStream::from(socket);
        stream.set_nodelay(true).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(90))).unwrap();
        // A small buffer: there are many.
        let mut client = Self { stream: BufReader::with_capacity(512, stream), id: String::new() };
        client.send(&format!(
            r#"{{"channel":"/meta/handshake","id":"1","version":"1.0","supportedConnectionTypes":["long-polling"],"ext":{{"token":"{token}"}}}}"#
        ));
        let shaken = client.answer();
        client.id = shaken["clientId"].as_str().unwrap_or_else(|| panic!("{shaken}")).to_owned();
        client.connect();
        client.answer();
        client.connect();
        client
    }

    fn connect(&mut self) {
        let message = format!(
            r#"{{"channel":"/meta/connect","id":"2","connectionType":"long-polling","clientId":"{}"}}"#,
            self.id
        );
        self.send(&message);
    }

    fn send(&mut self, message: &str) {
        let request = format!(
            "POST /cobrowse/cometd HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n\
             content-length: {}\r\n\r\n[{message}]",
            message.len() + 2
        );
        self.stream.get_mut().write_all(request.as_bytes()).unwrap();
    }

    /// The one message of the next answer, which says that all is well.
    fn answer(&mut self) -> serde_json::Value {
        let (mut length, mut line) = (0, String::new());
        loop {
            line.clear();
            assert!(self.stream.read_line(&mut line).unwrap() > 0, "the connection ended");
            let line = line.trim_end().to_ascii_lowercase();
            if let Some(text) = line.strip_prefix("content-length: ") {
                length = text.parse().unwrap();
            }
            if line.is_empty() {
                break;
            }
        }
        let mut body = vec![0; length];
        self.stream.read_exact(&mut body).unwrap();
        let mut messages: Vec<serde_json::Value> = serde_json::from_slice(&body).unwrap();
        assert!(messages.len() == 1 && messages[0]["successful"] == true, "{messages:?}");
        messages.remove(0)
    }
}

/// Runs the plan; whether every connect was held, and answered, and every client forgotten in the end.
pub fn run(plan: &Plan) -> bool {
    let wishes = Wishes { bayeux: plan.settings, ..Wishes::default() };
    let server = Server::start(&wishes);
    let token = server.token();
    let many = plan.clients as f64;
    let (before, began, cpu) = (server.resident_kib(), Instant::now(), server.cpu_ns());
    let open = |number| Client::open(server.address, number, &token);
    let mut clients: Vec<_> = (0..plan.clients).map(open).collect();
    let (opening, opening_cpu) = (began.elapsed(), server.cpu_ns() - cpu);

    std::thread::sleep(plan.rest);
    let (held, after) = (server.metrics().sum("bayeux_waiting"), server.resident_kib());
    let (rested, cpu) = (Instant::now(), server.cpu_ns());
    std::thread::sleep(plan.rest);
    let rest = (server.cpu_ns() - cpu) as f64 / rested.elapsed().as_secs_f64();
    let (answering, cpu) = (Instant::now(), server.cpu_ns());
    clients.iter_mut().for_each(|client| drop(client.answer()));
    let (answered, answers) = (answering.elapsed(), server.cpu_ns() - cpu);
    drop(clients);
    let is_empty = || server.metrics().sum("bayeux_clients") == 0.0;
    let until = Instant::now() + Duration::from_secs(30);
    while !is_empty() && Instant::now() < until {
        std::thread::sleep(Duration::from_millis(100));
    }
    println!(
        "bayeux: {} clients, a held connect each, opened in {:.1} s with {:.0} µs of CPU each; {:.2} KiB each ({before} to \
         {after} KiB), connection and token included; while they are held {:.2} ms of CPU a second in all ({:.3} µs each); all \
         answered {:.1} s later, at {:.1} µs of CPU each",
        plan.clients,
        opening.as_secs_f64(),
        opening_cpu as f64 / 1e3 / many,
        (after.saturating_sub(before)) as f64 / many,
        rest / 1e6,
        rest / 1e3 / many,
        answered.as_secs_f64(),
        answers as f64 / 1e3 / many,
    );
    let figures = server.metrics();
    let expired = figures.with("bayeux_ended_total", "expired");
    let is_well = held == many && expired == many && is_empty();
    if !is_well {
        println!("bayeux: {held} were held, {expired} expired\n{}", server.log());
    }
    is_well && server.stop().1
}
