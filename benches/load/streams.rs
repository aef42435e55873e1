//! Recorded streams of pages, replayed by pages that are none to viewers that are none, all at once: what the server adds
//! to the lag, and what it takes.
//!
//! A recording is a file of lines `{"at":MS,"key":BOOL,"events":[…]}`, made from real pages in a browser
//! (`streams/README.md`).

use std::{
    cell::RefCell,
    collections::VecDeque,
    rc::Rc,
    time::{Duration, Instant},
};

use futures_util::{SinkExt as _, StreamExt as _, stream::SplitStream};
use hdrhistogram::Histogram;
use serde_json::{Value, json, value::RawValue};
use tokio::net::TcpStream;
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{Message, client::IntoClientRequest as _, http::HeaderValue},
};
use vestibule::cobrowse::envelope::Envelope;

use crate::{
    Arguments,
    kit::{
        GROUP, ORIGIN,
        server::{Server, Wishes},
        system,
    },
    scenarios::{histogram, quantiles},
};

const RECORDINGS: [&str; 1] = [include_str!("streams/shop.jsonl")];
/// How long before its first part a stream may wait, so that not all of them send in step.
const STAGGER_MS: u64 = 1_000;

type Socket = WebSocketStream<TcpStream>;

/// A part as it was recorded: when, and the message to send.
struct Part {
    at_ms: u64,
    message: Vec<u8>,
}

fn recording(text: &str) -> Vec<Part> {
    #[derive(serde::Deserialize)]
    struct Line<'a> {
        at: u64,
        key: bool,
        #[serde(borrow)]
        events: &'a RawValue,
    }
    let read = |line: &str| {
        let Line { at, key, events } = serde_json::from_str(line).unwrap();
        let payload = events.get().to_owned().into();
        // Each stream is its visitor's first page.
        let message = Envelope { epoch: 1, key_frame: key, payload }.write().to_vec();
        Part { at_ms: at, message }
    };
    text.lines().map(read).collect()
}

async fn open(server: &Server, path: &str, origin: Option<&str>) -> Socket {
    let mut request = format!("ws://{}{path}", server.address).into_client_request().unwrap();
    if let Some(origin) = origin {
        request.headers_mut().insert("origin", HeaderValue::from_str(origin).unwrap());
    }
    let connection = TcpStream::connect(server.address).await.unwrap();
    connection.set_nodelay(true).unwrap();
    tokio_tungstenite::client_async(request, connection).await.unwrap().0
}

async fn say(socket: &mut Socket, message: Value) {
    socket.send(Message::text(message.to_string())).await.unwrap();
}

/// The next text message of this type.
async fn hear(socket: &mut Socket, kind: &str) -> Value {
    loop {
        if let Message::Text(text) = socket.next().await.expect("open").unwrap() {
            let message: Value = serde_json::from_str(&text).unwrap();
            assert_ne!(message["type"], "error", "{message}");
            if message["type"] == kind {
                return message;
            }
        }
    }
}

/// One session: the page's own socket, its stream, and its viewers.
struct Session {
    _page: Socket,
    stream: Socket,
    viewers: Vec<Socket>,
}

async fn begin(server: &Server, token: &str, number: usize, viewers: usize) -> Session {
    let visitor = format!("v{number}");
    let mut page = open(server, &format!("/v1/visitor?group={GROUP}"), Some(ORIGIN)).await;
    say(
        &mut page,
        json!({"type": "hello", "visitorid": visitor, "tab": "t", "page": "p", "visible": true}),
    )
    .await;
    hear(&mut page, "welcome").await;
    let sessions = format!("http://{}/v1/groups/{GROUP}/sessions", server.address);
    let post = async |url: &str, body: Value| -> Value {
        let request = reqwest::Client::new().post(url).bearer_auth(token).json(&body);
        let answer = request.send().await.unwrap();
        assert_eq!(answer.status(), 201);
        answer.json().await.unwrap()
    };
    let begun = post(&sessions, json!({"visitorid": visitor})).await;
    let session = begun["session"].as_str().unwrap();
    let (url, title) = ("https://shop.example/", "Shop");
    say(&mut page, json!({"type": "enter", "session": session, "url": url, "title": title})).await;
    say(&mut page, json!({"type": "consent", "to": "view", "given": true})).await;
    let mut seats = Vec::new();
    for viewer in 0..viewers {
        let ticket = post(&format!("{sessions}/{session}/tickets"), json!({})).await;
        let mut socket = open(server, "/v1/stream", None).await;
        let hello =
            json!({"type": "hello", "ticket": ticket["ticket"], "tab": format!("w{viewer}")});
        say(&mut socket, hello).await;
        hear(&mut socket, "welcome").await;
        seats.push(socket);
    }
    let record = hear(&mut page, "record").await;
    let mut stream = open(server, "/v1/stream", Some(ORIGIN)).await;
    say(&mut stream, json!({"type": "hello", "ticket": record["ticket"], "tab": "t"})).await;
    hear(&mut stream, "welcome").await;
    Session { _page: page, stream, viewers: seats }
}

/// What is on its way to one viewer: when each part was sent.
type Sent = Rc<RefCell<VecDeque<Instant>>>;

async fn watch(mut viewer: SplitStream<Socket>, sent: Sent, lag: Rc<RefCell<Histogram<u64>>>) {
    while let Some(Ok(message)) = viewer.next().await {
        match message {
            Message::Binary(_) => {
                let since = sent.borrow_mut().pop_front().expect("a part that was sent");
                lag.borrow_mut().record(since.elapsed().as_nanos() as u64).unwrap();
            }
            Message::Text(text) => assert!(!text.contains("\"gap\""), "a viewer was too slow"),
            _ => {}
        }
    }
}

/// Recorded streams, each with its viewers, all at once, in a loop.
pub fn streams(arguments: &Arguments) -> bool {
    let count = arguments.number("streams", 50_usize);
    let viewers = arguments.number("viewers", 2_usize);
    let seconds = arguments.number("seconds", 20.0_f64);
    let most_ms = arguments.number("most", 100.0_f64);
    let server = Server::start(&Wishes::default());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let set = tokio::task::LocalSet::new();
    let is_well = set.block_on(&runtime, replay(&server, count, viewers, seconds, most_ms));
    drop(set);
    server.stop();
    is_well
}

async fn replay(server: &Server, count: usize, viewers: usize, seconds: f64, most_ms: f64) -> bool {
    let token = server.token();
    let recordings: Vec<Rc<[Part]>> = RECORDINGS.map(|text| recording(text).into()).into();
    let lag = Rc::new(RefCell::new(histogram()));
    let (mut pages, mut bytes_a_second) = (Vec::new(), 0.0);
    for number in 0..count {
        let Session { _page, stream, viewers } = begin(server, &token, number, viewers).await;
        let queues: Vec<Sent> = viewers.iter().map(|_| Sent::default()).collect();
        for (viewer, sent) in viewers.into_iter().zip(&queues) {
            let (_, viewer) = viewer.split();
            tokio::task::spawn_local(watch(viewer, Rc::clone(sent), Rc::clone(&lag)));
        }
        pages.push((_page, stream, queues, Rc::clone(&recordings[number % recordings.len()])));
    }
    let before = (server.resident_kib(), system::cpu_ns(server.process()));
    let end = Instant::now() + Duration::from_secs_f64(seconds);
    let mut playing = Vec::new();
    for (number, (page, mut stream, queues, parts)) in pages.into_iter().enumerate() {
        let length = parts.last().map_or(1, |part| part.at_ms + 50).max(1);
        let size: usize = parts.iter().map(|part| part.message.len()).sum();
        bytes_a_second += size as f64 * 1_000.0 / length as f64;
        let wait = STAGGER_MS * number as u64 / count.max(1) as u64;
        playing.push(tokio::task::spawn_local(async move {
            let mut start = Instant::now() + Duration::from_millis(wait);
            let mut sent = 0_u64;
            'rounds: loop {
                for part in parts.iter() {
                    let at = start + Duration::from_millis(part.at_ms);
                    if at >= end {
                        break 'rounds;
                    }
                    tokio::time::sleep_until(at.into()).await;
                    let now = Instant::now();
                    queues.iter().for_each(|queue| queue.borrow_mut().push_back(now));
                    stream.send(Message::binary(part.message.clone())).await.unwrap();
                    sent += 1;
                }
                start += Duration::from_millis(length);
            }
            // Kept open until all is there.
            tokio::time::sleep(Duration::from_millis(500)).await;
            let missing: usize = queues.iter().map(|queue| queue.borrow().len()).sum();
            drop((page, stream));
            (sent, missing)
        }));
    }
    let (mut sent, mut missing) = (0, 0);
    for played in playing {
        let (of_one, not_there) = played.await.unwrap();
        (sent, missing) = (sent + of_one, missing + not_there);
    }
    let cpu = (system::cpu_ns(server.process()) - before.1) as f64 / 1e9;
    let lag = lag.borrow();
    println!(
        "streams: {count} at once with {viewers} viewers each, {:.1} parts and {:.0} KiB a second in; {sent} parts sent, {} \
         arrived, {missing} missing; lag {}, p95 {:.3} ms; server's CPU {:.1} µs a part, {:.0} % of its core; memory \
         {} KiB before, {} at the end",
        sent as f64 / seconds,
        bytes_a_second / 1024.0,
        lag.len(),
        quantiles(&lag),
        lag.value_at_quantile(0.95) as f64 / 1e6,
        cpu * 1e6 / sent.max(1) as f64,
        cpu * 100.0 / seconds,
        before.0,
        server.resident_kib(),
    );
    missing == 0 && lag.value_at_quantile(0.95) as f64 / 1e6 <= most_ms
}
