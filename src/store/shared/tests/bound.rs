//! How many records there may be, however many nodes make them.

use super::*;

/// How many records there are, as the server notes it, and as one counts them.
pub(super) fn number(server: &ServerUrl) -> (i64, i64) {
    let mut connection = server.client().unwrap().get_connection().unwrap();
    let count = "local there = 0
        for _, key in ipairs(redis.call('KEYS', ARGV[1] .. 'journal:*')) do
          if redis.call('TYPE', key).ok == 'hash' then
            there = there + redis.call('HEXISTS', key, 'r')
          end
        end
        return {tonumber(redis.call('GET', ARGV[1] .. 'number:journal') or '0'), there}";
    redis::Script::new(count).arg(server.prefix()).invoke(&mut connection).unwrap()
}

/// How many keys the lists of a node's holdings and of times have.
fn listed(server: &ServerUrl) -> i64 {
    let mut connection = server.client().unwrap().get_connection().unwrap();
    let count = "local listed = redis.call('ZCARD', ARGV[1] .. 'due:journal')
        for _, key in ipairs(redis.call('KEYS', ARGV[1] .. 'held:*')) do
          listed = listed + redis.call('SCARD', key)
        end
        return listed";
    redis::Script::new(count).arg(server.prefix()).invoke(&mut connection).unwrap()
}

fn wait_until(what: &str, mut holds: impl FnMut() -> bool) {
    let give_up = std::time::Instant::now() + Duration::from_secs(20);
    while !holds() {
        assert!(std::time::Instant::now() < give_up, "{what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn all_nodes_together_make_no_more_records_than_may_be() {
    let Some(server) = server() else { return };
    let clock = Clock::manual(Timestamp(1_000));
    let [one, two] = [1, 2].map(|node| Member::for_records(&server, node, &clock, 4));
    let hold = |of: &Member, key: u32| of.submit(key, Command::Hold(of.id)).map(|done| done.reply);
    for key in 0..2 {
        assert_eq!(hold(&one, key), Ok(Reply::Done));
        assert_eq!(hold(&two, key + 10), Ok(Reply::Done));
    }
    // Neither has heard of all of them.
    for key in 20..120 {
        assert_eq!(hold(&one, key), Err(Refusal::Full));
        assert_eq!(hold(&two, key), Err(Refusal::Full));
    }
    assert_eq!((number(&server), one.engine.records()), ((4, 4), 4));
    let full = |of: &Member| of.engine.figures().full;
    assert_eq!((full(&one), full(&two)), (100, 100));
    // What is refused leaves next to nothing behind: what the first one of each node began before it knew.
    assert!(listed(&server) <= 6, "{}", listed(&server));
    // What is there goes on, on any node, and what ends makes room, on any other.
    assert_eq!(two.write(0, 1, Hearers::Here).unwrap().reply, Reply::Place(1));
    one.submit(1, Command::LetGo(one.id)).unwrap();
    assert_eq!(number(&server), (3, 3));
    assert_eq!(hold(&two, 20), Ok(Reply::Done));
    assert_eq!(hold(&one, 21), Err(Refusal::Full));
    wait_until("each node knows how many there are", || {
        (one.engine.records(), two.engine.records()) == (4, 4)
    });
}

#[test]
fn records_that_are_made_and_ended_at_once_are_counted_once() {
    let Some(server) = server() else { return };
    let clock = Clock::manual(Timestamp(1_000));
    let members = [1, 2, 3].map(|node| Member::for_records(&server, node, &clock, 8));
    std::thread::scope(|scope| {
        for member in &members {
            let server = &server;
            scope.spawn(move || {
                for turn in 0..100 {
                    for key in 0..12 {
                        match member.submit(key, Command::Hold(member.id)) {
                            Ok(_) if turn < 99 => {
                                member.submit(key, Command::LetGo(member.id)).unwrap();
                            }
                            Ok(_) => {}
                            Err(refusal) => assert_eq!(refusal, Refusal::Full),
                        }
                    }
                    let (noted, there) = number(server);
                    assert!(noted == there && there <= 8, "{noted} of {there}");
                }
            });
        }
    });
    assert_eq!(number(&server), (8, 8));
}

#[test]
fn what_is_said_again_is_counted_again() {
    let Some(server) = server() else { return };
    let clock = Clock::manual(Timestamp(1_000));
    let [one, two] = [1, 2].map(|node| Member::for_records(&server, node, &clock, 5));
    for key in 0..5 {
        one.submit(key, Command::Hold(one.id)).unwrap();
    }
    one.submit(4, Command::LetGo(one.id)).unwrap();
    // Both know these.
    for key in 0..4 {
        two.write(key, 1, Hearers::Here).unwrap();
    }
    flush(&server);
    assert_eq!(two.write(0, 2, Hearers::Here).unwrap().reply, Reply::Place(2));
    assert_eq!(number(&server), (4, 4));
    one.submit(5, Command::Hold(one.id)).unwrap();
    assert_eq!(two.submit(6, Command::Hold(two.id)), Err(Refusal::Full));
    for key in 0..4 {
        one.submit(key, Command::LetGo(one.id)).unwrap();
    }
    assert_eq!(number(&server), (5, 5), "what was written stays");
}
