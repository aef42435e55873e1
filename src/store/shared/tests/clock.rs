//! The server's clock is put forward or back: whatever it stored seems so much older, or younger, at once.

use super::*;

/// Much longer than a lease.
const STEP_MS: i64 = 60_000;

/// The server's clock is put forward by so much, in ms; back, where that is negative.
fn step(server: &ServerUrl, by: i64) {
    let mut connection = server.client().unwrap().get_connection().unwrap();
    let script = "
        for _, times in ipairs({KEYS[1], KEYS[2]}) do
          for _, node in ipairs(redis.call('ZRANGE', times, 0, -1)) do
            redis.call('ZINCRBY', times, -ARGV[1], node)
          end
        end
        redis.call('INCRBY', KEYS[3], -ARGV[1])";
    let script = redis::Script::new(script);
    let mut script = script.key(of_nodes(server, "leases"));
    script.key(of_nodes(server, "ended")).key(of_nodes(server, "asked"));
    script.arg(by).invoke::<()>(&mut connection).unwrap();
}

fn of_nodes(server: &ServerUrl, what: &str) -> String {
    format!("{}nodes:{what}", server.prefix())
}

/// Waits until all three nodes have renewed their leases several times; nobody is ended meanwhile.
fn all_renew(server: &ServerUrl) {
    let mut connection = server.client().unwrap().get_connection().unwrap();
    let mut ask = || -> (u64, Vec<(String, f64)>, usize) {
        let mut pipe = redis::pipe();
        pipe.cmd("TIME").cmd("ZRANGE").arg(of_nodes(server, "leases")).arg(0).arg(-1);
        pipe.arg("WITHSCORES").zcard(of_nodes(server, "ended"));
        let ((seconds, micros), leases, ended): ((u64, u64), _, _) =
            pipe.query(&mut connection).unwrap();
        (seconds * 1_000 + micros / 1_000, leases, ended)
    };
    let (begun, give_up) = (ask().0, std::time::Instant::now() + Duration::from_secs(20));
    let renewed = (begun + 500) as f64 + LEASE.as_secs_f64() * 1_000.0;
    loop {
        let (_, leases, ended) = ask();
        assert_eq!((leases.len(), ended), (3, 0), "with a lease, and ended");
        if leases.iter().all(|(_, ends)| *ends >= renewed) {
            return;
        }
        assert!(std::time::Instant::now() < give_up, "not all renew their leases: {leases:?}");
        std::thread::yield_now();
    }
}

#[test]
fn a_step_of_the_servers_clock_ends_nobody_who_is_there() {
    let Some(server) = server() else { return };
    let members = [1, 2, 3].map(|node| Member::new(&server, node, &Clock::shared()));
    let [one, two, _] = &members;
    // Only who has been there for a lease and a fifth ends others.
    std::thread::sleep(LEASE * 2);
    for by in [STEP_MS, -STEP_MS, STEP_MS] {
        step(&server, by);
        all_renew(&server);
        for member in &members {
            assert_eq!(*member.standing.borrow(), Standing::Member, "a step by {by} ms");
        }
    }
    one.write(1, 1, Hearers::Nodes(vec![two.id])).unwrap();
    assert_eq!(two.notes.wait_for(1, 1), [1]);
}

#[test]
fn who_died_before_a_step_is_ended_when_it_is_time_all_the_same() {
    let Some(server) = server() else { return };
    let clock = Clock::shared();
    let wire = Wire::to(&server);
    let one = Member::new(&server, 1, &clock);
    let two = Member::new(&server.by(wire.port), 2, &clock);
    two.submit(1, Command::Hold(two.id)).unwrap();
    wire.is_broken.store(true, Ordering::SeqCst);
    wire.cut();
    let died = std::time::Instant::now();
    // Without more, its lease would now last a minute longer.
    step(&server, -STEP_MS);
    assert_eq!(one.notes.wait_for(1, 1), [LET_GO + 2]);
    let after = died.elapsed();
    assert!(after < Duration::from_millis(STEP_MS.unsigned_abs() / 2), "{after:?}");
}
