//! Reading on while the nodes' server does not say what is kept: a real one, which `VESTIBULE_TEST_REDIS` names.

use std::{
    sync::atomic::Ordering,
    time::{Duration, Instant},
};

use super::*;
use crate::{
    store::shared::{ServerUrl, SharedNode},
    topics::catching_up::READ_AGAIN,
};

/// Longer than anything here takes, on any machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// A user of the server, who may be kept from looking at records. Forgotten in the end.
struct User {
    server: redis::Client,
    name: String,
}

impl User {
    fn on(server: &str) -> Self {
        let server = redis::Client::open(server).unwrap();
        let user = Self { server, name: format!("late-{:016x}", rand::random::<u64>()) };
        user.may(&["on", ">word", "~*", "&*", "+@all"]);
        user
    }

    fn may(&self, rules: &[&str]) {
        let mut connection = self.server.get_connection().unwrap();
        let mut command = redis::cmd("ACL");
        command.arg("SETUSER").arg(&self.name).arg(rules).exec(&mut connection).unwrap();
    }
}

impl Drop for User {
    fn drop(&mut self) {
        if let Ok(mut connection) = self.server.get_connection() {
            let _ = redis::cmd("ACL").arg("DELUSER").arg(&self.name).exec(&mut connection);
        }
    }
}

fn wait_until(what: &str, mut holds: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !holds() {
        assert!(begun.elapsed() < PATIENCE, "{what}");
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// Subscribes to all below `a`, from a place on.
fn reads_on(client: &Client, filter: &str, resume: Option<Position>) -> Position {
    let (sender, receiver) = std::sync::mpsc::channel();
    let wish = SubscribeWish {
        filter: filter.parse().unwrap(),
        no_local: false,
        latest: false,
        retained: true,
        resume: resume.map(Resume::from),
    };
    client.subscribe(wish, move |answer| sender.send(answer).unwrap());
    let subscribed = receiver.recv_timeout(PATIENCE).expect("an answer").unwrap();
    assert!(!subscribed.missed);
    subscribed.position
}

/// The offsets that came to each of a socket's subscriptions.
fn offsets(sockets: &Sockets, socket: u64) -> [Vec<u64>; 2] {
    let sent = sockets.sent.lock();
    let all = sent.get(&SocketId(socket)).into_iter().flatten();
    let mut offsets = [Vec::new(), Vec::new()];
    for message in all {
        let subscription = message["subscription"].as_u64().unwrap();
        offsets[subscription as usize - 1].push(message["offset"].as_u64().unwrap());
    }
    offsets
}

#[test]
fn who_cannot_read_on_asks_now_and_then_and_however_often_he_has_room() {
    let server = std::env::var("VESTIBULE_TEST_REDIS");
    // In a cluster each server has users of its own.
    let Some(server) = server.ok().filter(|server| server.starts_with("redis://")) else {
        eprintln!("VESTIBULE_TEST_REDIS names no single server: not tried on Redis");
        return;
    };
    let user = User::on(&server);
    let host = server.trim_start_matches("redis://");
    let prefix = format!("test-{:032x}:", rand::random::<u128>());
    let url = format!("redis://{}:word@{host}?prefix={prefix}", user.name);
    let (id, clock) = (NodeId { node: 1, incarnation: 1 }, Clock::manual(Timestamp(1_000)));
    let url = ServerUrl::parse(&url).unwrap();
    let node = SharedNode::start(url, id, PATIENCE, clock.clone()).unwrap();
    let place = Place { shared: Some(node), ..Place::alone(id, 1, clock) };
    let sockets = Arc::new(Sockets::default());
    let topics = topics_at(place, 10, hub_limits(), Arc::clone(&sockets) as Arc<dyn Post>);

    let (publisher, reader) = (client(&topics, 0), client(&topics, 1));
    let begin = reads_on(&publisher, "a/#", None);
    for data in 1..=6 {
        publish(&publisher, "a/x", data, false);
    }
    wait_until("all is kept", || offsets(&sockets, 0)[0].len() == 6);
    sockets.full_after.lock().insert(SocketId(1), 1);
    reads_on(&reader, "a/#", Some(begin));
    // He is told that he subscribed before the first message is handed over.
    wait_until("the first page", || !offsets(&sockets, 1)[0].is_empty());
    reads_on(&reader, "a/+", Some(begin));
    let before = offsets(&sockets, 1);
    assert!(!before[0].is_empty() && before[0].len() < 6 && before[1].is_empty(), "{before:?}");

    user.may(&["-hmget"]);
    let away = || topics.engine().figures().away;
    let (started, earlier) = (Instant::now(), away());
    // One try, and one more for each pause that went by.
    let is_bounded = || {
        let tries = away() - earlier;
        let pauses = started.elapsed().as_millis() / READ_AGAIN.as_millis();
        assert!(u128::from(tries) <= 1 + pauses, "{tries} tries in {:?}", started.elapsed());
        tries
    };
    sockets.full_after.lock().clear();
    wait_until("some tries", || {
        reader.written();
        is_bounded() >= 4
    });
    assert_eq!(offsets(&sockets, 1), before, "nothing could be read");

    user.may(&["+hmget"]);
    // By itself: nobody says any more that there is room.
    let all: Vec<u64> = (1..=6).collect();
    wait_until("both are at the end", || {
        is_bounded();
        offsets(&sockets, 1).iter().all(|offsets| offsets.len() >= 6)
    });
    publish(&publisher, "a/x", 7, false);
    wait_until("both are live", || offsets(&sockets, 1).iter().all(|offsets| offsets.len() >= 7));
    topics.engine().settle();
    let all_and_one = [&all[..], &[7]].concat();
    assert_eq!(offsets(&sockets, 1), [all_and_one.clone(), all_and_one], "each once, in order");
    assert_eq!(topics.engine().stats().panics.load(Ordering::Relaxed), 0, "no socket was closed");
    drop((publisher, reader));
}
