//! How a client session ends, and what puts that off.

use super::*;

#[test]
fn who_does_not_connect_again_is_forgotten() {
    let mut bench = Bench::connected(false);
    bench.now = bench.now + 10_000;
    assert_eq!(bench.apply(Command::Tick).1, [Effect::Ended { why: Ended::Expired }]);
    let (reply, _) = bench.apply(Command::Connect(Box::new(connect(3))));
    assert_eq!(reply, Reply::Refused(Fault::Unknown));
}

#[test]
fn any_message_puts_the_end_off_and_a_held_connect_stops_the_clock() {
    let mut bench = Bench::connected(false);
    for _ in 0..5 {
        bench.pass(9_000);
        let from = connect(9).from;
        assert!(matches!(bench.apply(Command::Begin(from)).0, Reply::Known { .. }));
        bench.apply(Command::Finish { to: at(9), is_socket: false, answers: vec![] });
    }
    hold(&mut bench, 2);
    bench.pass(29_000);
    bench.apply(Command::Lost(at(2)));
    bench.pass(9_999);
    assert!(bench.client.member().is_some());
    bench.pass(1);
    assert!(bench.client.member().is_none(), "the lost connection started it");
}

#[test]
fn disconnect_is_answered_and_releases_the_connect() {
    let mut bench = Bench::connected(false);
    hold(&mut bench, 2);
    bench.apply(Command::Begin(connect(3).from));
    bench.apply(Command::Disconnect);
    let answers = vec![Answer::done("/meta/disconnect", None).text()];
    let (_, effects) = bench.apply(Command::Finish { to: at(3), is_socket: false, answers });
    let [Effect::Write { to, .. }, Effect::Write { to: held, messages }, Effect::Ended { why, .. }] =
        &effects[..]
    else {
        panic!("{effects:?}")
    };
    assert_eq!((*to, *held, *why), (at(3), at(2), Ended::Left));
    let released: Value = serde_json::from_str(&messages[0]).unwrap();
    assert_eq!(released["advice"]["reconnect"], "none");
    assert_eq!(released["successful"], true);
}

#[test]
fn the_server_may_let_a_client_go() {
    let mut bench = Bench::connected(false);
    hold(&mut bench, 2);
    let (to, written) = bench.write(Command::Dismiss);
    assert_eq!(to, Some(2));
    assert_eq!(written[0], json!({"channel": "/meta/disconnect", "successful": true}), "no id");
    assert_eq!(written[1]["advice"]["reconnect"], "none");
    assert!(bench.client.member().is_none());
}

#[test]
fn who_is_sent_away_may_come_back() {
    let mut bench = Bench::connected(false);
    hold(&mut bench, 2);
    let (_, written) = bench.write(Command::SendAway { at: at(2), interval_ms: 1_500 });
    assert_eq!(written[0]["advice"]["interval"], 1_500);
    assert_eq!(written[0]["advice"]["reconnect"], "retry");
    bench.pass(11_499);
    assert!(bench.client.member().is_some());
}

#[test]
fn too_many_messages_end_the_session() {
    let mut bench = Bench::connected(false);
    for number in 0..8 {
        bench.deliver(number);
    }
    assert_eq!(bench.client.waiting().0, 8);
    let (_, effects) = bench.apply(Command::Deliver(message(8)));
    assert!(matches!(effects[..], [Effect::Ended { why: Ended::Overflowed, .. }]));
    let mut bench = Bench::connected(false);
    let long: Text = "x".repeat(5_000).into();
    hold(&mut bench, 2);
    let (_, written) = bench.write(Command::Deliver(long));
    assert_eq!(written[0]["error"], "402::session_unknown");
    assert_eq!(written[0]["advice"]["reconnect"], "handshake");
}

#[test]
fn what_a_lost_process_had_begun_holds_nothing_up() {
    let mut bench = Bench::connected(false);
    hold(&mut bench, 2);
    bench.apply(Command::Begin(connect(3).from));
    bench.apply(Command::Disconnect);
    bench.deliver(1);
    // However long nobody was there to take it.
    bench.now = bench.now + 3_600_000;
    bench.apply(Command::NodeLost { node: 0, before: 2 });
    let again = SocketAddress { node: NodeId { node: 0, incarnation: 2 }, socket: SocketId(4) };
    let from = From { at: again, is_socket: false, browser: None };
    let (_, written) =
        bench.write(Command::Connect(Box::new(Connect { from: from.clone(), ..connect(4) })));
    assert_eq!(data(&written), [1]);
    let (reply, _) = bench.apply(Command::Connect(Box::new(Connect { from, ..connect(4) })));
    assert_eq!(reply, Reply::Held, "and it goes on");
    assert_eq!(data(&bench.deliver(2).1), [2], "at once");
}

#[test]
fn a_client_that_is_gone_still_lets_its_request_be_answered() {
    let mut bench = Bench::connected(false);
    bench.apply(Command::Begin(connect(3).from));
    bench.apply(Command::Dismiss);
    let answers = vec![Answer::done("/a", None).text()];
    assert_eq!(bench.write(Command::Finish { to: at(3), is_socket: false, answers }).1.len(), 1);
}
