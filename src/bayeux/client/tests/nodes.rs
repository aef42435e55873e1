//! A client whose requests come to other nodes than its home, and that loses this.

use super::*;

/// A socket of another node than the client's home.
fn away(socket: u64) -> SocketAddress {
    SocketAddress { node: NodeId { node: 1, incarnation: 5 }, socket: SocketId(socket) }
}

fn connect_away(socket: u64) -> Command {
    let from = From { at: away(socket), is_socket: false, browser: None };
    Command::Connect(Box::new(Connect { from, ..connect(socket) }))
}

#[test]
fn whoever_hears_for_a_client_learns_that_it_takes_what_waits_elsewhere() {
    for acks in [false, true] {
        let mut bench = Bench::connected(acks);
        let home = at(0).node;
        let is_told = |effects: &[Effect]| effects.contains(&Effect::Taken { home });
        let (reply, effects) = bench.apply(connect_away(2));
        // To connect is to acknowledge.
        assert_eq!((reply, is_told(&effects)), (Reply::Held, acks));
        let (_, effects) = bench.apply(Command::Deliver(message(1)));
        assert!(matches!(effects.first(), Some(Effect::Write { to, .. }) if *to == away(2)));
        assert_eq!(is_told(&effects), !acks);
        let (_, effects) = bench.apply(Command::Connect(Box::new(connect(3))));
        assert!(!is_told(&effects), "at home that is known");
    }
}

#[test]
fn a_client_that_loses_its_home_finds_another_where_it_is() {
    let lost = || Command::NodeLost { node: 0, before: 2 };
    let given_up = || Command::GiveUp { home: at(0).node };
    // It says so itself before it ends.
    let mut bench = Bench::connected(false);
    bench.apply(connect_away(2));
    assert_eq!(bench.apply(given_up()).1, [Effect::Adopt { home: away(2).node }]);
    assert_eq!(bench.apply(given_up()).1, [], "it is not any more");
    let mut bench = Bench::connected(false);
    bench.apply(Command::Begin(connect(3).from));
    bench.apply(Command::Disconnect);
    assert_eq!((bench.apply(given_up()).1, bench.client.home()), (vec![], None));
    let (_, written) =
        bench.write(Command::Finish { to: at(3), is_socket: false, answers: vec!["{}".into()] });
    assert_eq!(written.len(), 1, "what it carries out it ends");
    assert_eq!(bench.client.member(), None, "and whoever left has left");
    let adopted = |effects: &[Effect]| effects.contains(&Effect::Adopt { home: away(2).node });
    // Where its connect is held.
    let mut bench = Bench::connected(false);
    assert_eq!(bench.client.holders(), [at(0).node]);
    bench.apply(connect_away(2));
    assert!(adopted(&bench.apply(lost()).1));
    assert_eq!(bench.client.home(), Some(away(2).node));
    assert!(!adopted(&bench.apply(lost()).1), "once");
    // Where it connects next, or says something.
    let mut bench = Bench::connected(false);
    assert_eq!(bench.apply(lost()).1, []);
    assert_eq!(bench.client.home(), None);
    assert!(adopted(&bench.apply(connect_away(2)).1));
    let mut bench = Bench::connected(false);
    bench.apply(lost());
    let from = From { at: away(2), is_socket: false, browser: None };
    let (reply, _) = bench.apply(Command::Begin(from));
    assert_eq!(reply, Reply::Known { member: Box::new(member()), home: away(2).node });
}

#[test]
fn a_node_that_goes_away_sends_only_those_away_whom_it_holds() {
    let mut bench = Bench::connected(false);
    bench.apply(connect_away(2));
    let send_away = |at| Command::SendAway { at, interval_ms: 0 };
    assert_eq!(bench.apply(send_away(at(2))).1, []);
    assert_eq!(bench.write(send_away(away(2))).1[0]["advice"]["reconnect"], "retry");
}

#[test]
fn a_client_knows_how_far_it_is_with_each_channel() {
    let mut bench = Bench::open(false);
    let place = |epoch, offset| Position { epoch: Epoch(epoch), offset };
    let channel = |name: &str| name.parse::<Channel>().unwrap();
    let (a, b) = (channel("/a"), channel("/b"));
    for (channel, begun) in [(&a, 3), (&b, 7)] {
        bench.apply(Command::Subscribe(channel.clone()));
        let position = place(1, begun);
        bench.apply(Command::Hears { channel: channel.clone(), position });
    }
    let mut hear = |epoch, offset| {
        bench.apply(Command::Hear { message: message(offset), position: place(epoch, offset) });
        (bench.client.heard(&a).unwrap(), bench.client.heard(&b).unwrap())
    };
    assert_eq!(hear(1, 5), (place(1, 5), place(1, 7)), "not back behind where it began");
    assert_eq!(hear(1, 9), (place(1, 9), place(1, 9)));
    assert_eq!(hear(1, 8), (place(1, 9), place(1, 9)), "read later");
    assert_eq!(hear(2, 1), (place(2, 1), place(2, 1)), "another row");
    bench.apply(Command::Unsubscribe(a.clone()));
    assert_eq!(bench.client.heard(&a), None);
    bench.apply(Command::Hears { channel: a.clone(), position: place(2, 1) });
    assert_eq!(bench.client.heard(&a), None, "it hears it no more");
}
