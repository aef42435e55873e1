//! The channels of names that nodes listen to: what the server is told of them, and what others notice of that.

use std::collections::BTreeSet;

use super::*;

/// More than go in one command.
const NAMES: u32 = 1_000;

fn listen(member: &Member, names: std::ops::Range<u32>) {
    names.for_each(|name| member.engine.listen(name.to_string(), None));
}

fn unlisten(member: &Member, names: std::ops::Range<u32>) {
    names.for_each(|name| member.engine.unlisten(name.to_string(), None));
}

/// The names whose channels somebody hears.
fn heard(server: &ServerUrl) -> BTreeSet<u32> {
    let mut to = server.client().unwrap().get_connection().unwrap();
    let all = format!("{}to:journal:", server.prefix());
    let mut ask = redis::cmd("PUBSUB");
    let channels: Vec<String> = ask.arg("CHANNELS").arg(format!("{all}*")).query(&mut to).unwrap();
    channels.iter().map(|channel| channel.strip_prefix(&all).unwrap().parse().unwrap()).collect()
}

#[test]
fn a_thousand_names_are_left_and_listened_to_again_by_a_few_commands() {
    let Some(server) = server() else { return };
    let clock = Clock::manual(Timestamp(1_000));
    let wire = Wire::to(&server);
    let one = Member::new(&server.by(wire.port), 1, &clock);
    let told = || wire.told("SUBSCRIBE") + wire.told("UNSUBSCRIBE");
    let before = told();
    listen(&one, 0..NAMES);
    one.write(1, 1, Hearers::Here).unwrap();
    assert_eq!(heard(&server), (0..NAMES).collect());
    unlisten(&one, 0..NAMES);
    one.write(1, 2, Hearers::Here).unwrap();
    assert_eq!(heard(&server), BTreeSet::new());
    listen(&one, 0..NAMES);
    unlisten(&one, 0..NAMES / 2);
    one.write(1, 3, Hearers::Here).unwrap();
    assert_eq!(heard(&server), (NAMES / 2..NAMES).collect());
    // Two each time, and what the node asks by itself in between.
    assert!(told() - before <= 20, "{}", told() - before);
}

#[test]
fn others_are_answered_while_a_thousand_names_are_left_and_listened_to_again() {
    let Some(server) = server() else { return };
    let clock = Clock::manual(Timestamp(1_000));
    let wire = Wire::to(&server);
    let one = Member::new(&server.by(wire.port), 1, &clock);
    listen(&one, 0..NAMES);
    one.write(2, 1, Hearers::Here).unwrap();
    // One by one, that would be ten seconds.
    wire.lag.store(5, Ordering::SeqCst);
    unlisten(&one, 0..NAMES / 2);
    one.write(1, 1, Hearers::Here).unwrap();
    unlisten(&one, NAMES / 2..NAMES);
    listen(&one, 0..NAMES / 2);
    for entry in 2..10 {
        one.write(1, entry, Hearers::Here).unwrap();
    }
    listen(&one, NAMES / 2..NAMES);
    one.write(1, 10, Hearers::Here).unwrap();
    assert_eq!(one.notes.wait_for(1, 10), (1..=10).collect::<Vec<u64>>());
    assert_eq!(heard(&server), (0..NAMES).collect());
}

#[test]
fn names_that_come_and_go_while_the_server_is_away_are_as_wanted_when_it_is_back() {
    let Some(server) = server() else { return };
    let clock = Clock::manual(Timestamp(1_000));
    let wire = Wire::to(&server);
    let one = Member::with_lease(&server.by(wire.port), 1, &clock, 10_000, LEASE * 10);
    listen(&one, 0..10);
    one.write(1, 1, Hearers::Here).unwrap();
    wire.is_broken.store(true, Ordering::SeqCst);
    wire.cut();
    for _ in 0..100 {
        unlisten(&one, 0..10);
        listen(&one, 5..20);
        unlisten(&one, 10..20);
        listen(&one, 0..5);
    }
    wire.is_broken.store(false, Ordering::SeqCst);
    let give_up = std::time::Instant::now() + Duration::from_secs(20);
    while one.write(2, 1, Hearers::Here).is_err() {
        assert!(std::time::Instant::now() < give_up, "the connection does not come back");
    }
    assert_eq!(heard(&server), (0..10).collect());
}
