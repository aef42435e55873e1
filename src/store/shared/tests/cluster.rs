//! The engine on a cluster of real servers: three masters, of which one fails, is emptied, or gives slots away.

#[path = "../../../../tests/support/redis_cluster.rs"]
mod redis_cluster;

use std::collections::BTreeSet;

use self::redis_cluster::Cluster;
use super::*;
use crate::store::shared::{links::part_of, parts::Part};

/// Records that the tests work on; some in every part.
const KEYS: u32 = 60;

fn cluster(replicas: usize) -> Option<Cluster> {
    server().map(|_| Cluster::start(replicas, None))
}

/// Its data that nobody else uses.
fn url(cluster: &Cluster) -> ServerUrl {
    let prefix = format!("test-{:032x}:", rand::random::<u128>());
    ServerUrl::parse(&format!("{}/?prefix={prefix}", cluster.url())).unwrap()
}

fn part_of_record(key: u32) -> Part {
    let parts: Vec<Part> = Part::of_a_cluster().collect();
    parts[part_of("journal", &key, parts.len())]
}

/// The records that a server has.
fn records_of(cluster: &Cluster, at: usize) -> Vec<u32> {
    let is_there = |key: &u32| cluster.master_of(part_of_record(*key).slot(), at) == Some(at);
    (0..KEYS).filter(is_there).collect()
}

/// Writes until it is done; with how long that took, and what was written.
fn write_until_done(member: &Member, key: u32, first: u64) -> (Duration, u64) {
    let begun = std::time::Instant::now();
    let mut entry = first;
    while member.write(key, entry, Hearers::Here).is_err() {
        assert!(begun.elapsed() < Duration::from_secs(60), "the part does not come back");
        entry += 1;
    }
    (begun.elapsed(), entry)
}

#[test]
fn passes_the_suite_on_a_cluster() {
    let Some(cluster) = cluster(0) else { return };
    suite::run(&Factory(cluster.url()));
}

#[test]
fn nodes_of_a_cluster_hear_the_same_of_each_record() {
    let Some(cluster) = cluster(0) else { return };
    let (url, clock) = (url(&cluster), Clock::manual(Timestamp(1_000)));
    let members = [1, 2, 3].map(|node| Member::new(&url, node, &clock));
    std::thread::scope(|scope| {
        for (at, member) in (0..).zip(&members) {
            scope.spawn(move || {
                for entry in 0..20 {
                    for key in 0..KEYS {
                        member.write(key, at * 1_000 + entry, Hearers::Everyone).unwrap();
                    }
                }
            });
        }
    });
    for key in 0..KEYS {
        let heard = members.each_ref().map(|member| member.notes.wait_for(key, 60));
        assert_eq!((&heard[0], &heard[0]), (&heard[1], &heard[2]));
        assert_eq!(members[0].read(key).unwrap().unwrap().entries, heard[0]);
    }
    let (sender, read) = std::sync::mpsc::channel();
    let visit = Box::new(move |key: &u32, _: &Journal| sender.send(*key).unwrap());
    let wanted: Vec<u32> = (0..KEYS + 5).rev().collect();
    members[1].engine.read_all(wanted, visit, Box::new(|| ()));
    assert_eq!(read.iter().collect::<Vec<u32>>(), (0..KEYS).rev().collect::<Vec<u32>>());
    // Each part counts its own.
    let give_up = std::time::Instant::now() + Duration::from_secs(20);
    while members.iter().any(|member| member.engine.records() != KEYS as usize) {
        assert!(std::time::Instant::now() < give_up, "{}", members[0].engine.records());
        std::thread::yield_now();
    }
    // Every master has a part in it.
    let of = |at| records_of(&cluster, at).len();
    assert!((0..3).all(|at| of(at) > 5), "{:?}", [0, 1, 2].map(of));
}

/// As before Redis 7: whoever may not ask what the server knows does without.
#[test]
fn where_there_are_no_channels_of_slots_nodes_hear_each_other_at_the_master() {
    let Some(cluster) = cluster(0) else { return };
    for at in 0..3 {
        cluster.does(at, "ACL SETUSER old on nopass ~* &* +@all -command");
    }
    let hosts = cluster.url().replace("://", "://old:x@");
    let url = ServerUrl::parse(&hosts).unwrap();
    let clock = Clock::manual(Timestamp(1_000));
    let [one, two] = [1, 2].map(|node| Member::new(&url, node, &clock));
    for key in 0..KEYS {
        one.write(key, 1, Hearers::Everyone).unwrap();
        two.write(key, 2, Hearers::Nodes(vec![one.id])).unwrap();
        assert_eq!(one.notes.wait_for(key, 2), [1, 2]);
        assert_eq!(two.notes.wait_for(key, 1), [1]);
    }
    // A slot that moves is found out by the next one who asks, or by the next renewal.
    let slot = part_of_record(7).slot();
    let from = cluster.master_of(slot, 0).unwrap();
    cluster.move_slot(slot, from, (from + 1) % 3);
    let (_, entry) = write_until_done(&two, 7, 3);
    assert_eq!(one.read(7).unwrap().unwrap().entries, [1, 2, entry]);
    one.write(7, 50, Hearers::Nodes(vec![two.id])).unwrap();
    two.write(7, 51, Hearers::Nodes(vec![one.id])).unwrap();
    assert_eq!(one.notes.wait_for(7, 3), [1, 2, 51]);
    assert_eq!(*two.notes.wait_for(7, 3).last().unwrap(), 50);
}

#[test]
fn what_a_node_held_and_what_is_due_is_cared_for_in_every_part() {
    let Some(cluster) = cluster(0) else { return };
    let (url, clock) = (url(&cluster), Clock::manual(Timestamp(1_000)));
    let [one, two] = [1, 2].map(|node| Member::new(&url, node, &clock));
    for key in 0..KEYS {
        one.submit(key, Command::Hold(one.id)).unwrap();
        one.submit(key, Command::Hold(two.id)).unwrap();
        one.submit(key, Command::CloseAt(Timestamp(2_000))).unwrap();
    }
    drop(one);
    clock.advance(1_000 + sweep::OVERDUE_MS);
    for key in 0..KEYS {
        let heard: BTreeSet<u64> = two.notes.wait_for(key, 2).into_iter().collect();
        assert_eq!(heard, BTreeSet::from([LET_GO + 1, CLOSED]), "{key}");
        assert_eq!(two.read(key).unwrap().unwrap().holders(), [two.id]);
    }
}

#[test]
fn a_replica_that_takes_over_without_the_last_writes_is_told_them() {
    let Some(mut cluster) = cluster(1) else { return };
    let (url, clock) = (url(&cluster), Clock::manual(Timestamp(1_000)));
    let [one, two] = [1, 2].map(|node| Member::new(&url, node, &clock));
    for key in 0..KEYS {
        one.write(key, 1, Hearers::Everyone).unwrap();
        two.notes.wait_for(key, 1);
        two.submit(key, Command::Hold(two.id)).unwrap();
    }
    // The one that has the leases.
    let first = Part::of_a_cluster().next().unwrap();
    let at = cluster.master_of(first.slot(), 2).unwrap();
    let lost = records_of(&cluster, at);
    // What is written from here on its replica never gets.
    let replica = at + Cluster::MASTERS;
    cluster.does(replica, "CONFIG SET masterauth wrong");
    cluster.ask(at, "CLIENT KILL TYPE replica").unwrap();
    cluster.wait_for(replica, "INFO replication", "master_link_status:down");
    for key in &lost {
        two.write(*key, 2, Hearers::Nodes(vec![one.id])).unwrap();
        one.notes.wait_for(*key, 2);
    }
    let killed = std::time::Instant::now();
    cluster.kill(at);
    let (_, entry) = write_until_done(&one, lost[0], 3);
    println!("taken over and repaired in {:?}", killed.elapsed());
    for key in &lost[1..] {
        let journal = one.read(*key).unwrap().unwrap();
        assert_eq!((journal.entries.as_slice(), journal.holders()), (&[1, 2][..], vec![two.id]));
    }
    assert_eq!(two.read(lost[0]).unwrap().unwrap().entries, [1, 2, entry]);
    for key in (0..KEYS).filter(|key| !lost.contains(key)) {
        assert_eq!(two.read(key).unwrap().unwrap().entries, [1]);
    }
    two.submit(lost[1], Command::LetGo(two.id)).unwrap();
    assert_eq!(*two.standing.borrow(), Standing::Member, "nobody was ended for it");
}

#[test]
fn a_master_without_a_replica_that_comes_back_empty_is_told_what_it_had() {
    let Some(mut cluster) = cluster(0) else { return };
    let (url, clock) = (url(&cluster), Clock::manual(Timestamp(1_000)));
    let [one, two] = [1, 2].map(|node| Member::new(&url, node, &clock));
    for key in 0..KEYS {
        one.write(key, 1, Hearers::Everyone).unwrap();
        two.notes.wait_for(key, 1);
        two.write(key, 2, Hearers::Everyone).unwrap();
        one.notes.wait_for(key, 2);
    }
    for at in 0..3 {
        let lost = records_of(&cluster, at);
        let before = one.read(lost[0]).unwrap().unwrap().entries;
        cluster.kill(at);
        let killed = std::time::Instant::now();
        assert!(one.write(lost[0], 100, Hearers::Here).is_err(), "nobody has it");
        cluster.start_again(at);
        let (_, entry) = write_until_done(&one, lost[0], 101);
        println!("away for a moment, and repaired {:?} after its end", killed.elapsed());
        let after = two.read(lost[0]).unwrap().unwrap().entries;
        assert_eq!(after, [before, vec![entry]].concat());
        for key in &lost[1..] {
            assert_eq!(two.read(*key).unwrap().unwrap().entries, [1, 2]);
        }
    }
    for member in [&one, &two] {
        assert_eq!(*member.standing.borrow(), Standing::Member, "nobody was ended for it");
    }
}

#[test]
fn a_master_that_sleeps_for_a_while_has_what_it_had() {
    let Some(cluster) = cluster(0) else { return };
    let (url, clock) = (url(&cluster), Clock::manual(Timestamp(1_000)));
    let [one, two] = [1, 2].map(|node| Member::new(&url, node, &clock));
    for key in 0..KEYS {
        one.write(key, 1, Hearers::Everyone).unwrap();
        two.notes.wait_for(key, 1);
    }
    let lost = records_of(&cluster, 1);
    let others = |at| at == 1;
    cluster.pause(1);
    let first_slot = part_of_record(lost[0]).slot();
    // For longer than anybody waits for an answer, and until the others count it as failed.
    std::thread::sleep(Duration::from_millis(2_500));
    assert!(!cluster.all_see(first_slot, 1, others));
    cluster.resume(1);
    cluster.until("it is back", || cluster.all_see(first_slot, 1, |_| false));
    let back = std::time::Instant::now();
    let (_, entry) = write_until_done(&two, lost[0], 2);
    println!("paused for 2.5 s, and there again {:?} after its return", back.elapsed());
    assert_eq!(one.read(lost[0]).unwrap().unwrap().entries, [1, entry]);
    for key in (0..KEYS).filter(|key| *key != lost[0]) {
        assert_eq!(two.read(key).unwrap().unwrap().entries, [1]);
    }
    // And they hear each other on the new connections.
    one.write(lost[1], 2, Hearers::Nodes(vec![two.id])).unwrap();
    assert_eq!(two.notes.wait_for(lost[1], 2), [1, 2]);
}

#[test]
fn a_slot_that_moves_while_it_is_in_use_takes_its_channels_and_loses_nothing() {
    let Some(cluster) = cluster(0) else { return };
    let (url, clock) = (url(&cluster), Clock::manual(Timestamp(1_000)));
    let [one, two] = [1, 2].map(|node| Member::new(&url, node, &clock));
    let key = 7;
    let slot = part_of_record(key).slot();
    let is_over = AtomicBool::new(false);
    let written = std::thread::scope(|scope| {
        let writes = |member: Member, first: u64| {
            let is_over = &is_over;
            scope.spawn(move || {
                let mut written = Vec::new();
                for entry in first.. {
                    if is_over.load(Ordering::SeqCst) {
                        break;
                    }
                    if member.write(key, entry, Hearers::Everyone).is_ok() {
                        written.push(entry);
                    }
                }
                (member, written)
            })
        };
        let writers = [writes(one, 0), writes(two, 1_000_000)];
        for _ in 0..3 {
            let from = cluster.master_of(slot, 0).unwrap();
            assert!(cluster.slots_in_use(from).contains(&slot));
            cluster.move_slot(slot, from, (from + 1) % 3);
            for at in 0..3 {
                let to = (from + 1) % 3;
                cluster.until("it has moved", || cluster.master_of(slot, at) == Some(to));
            }
            std::thread::sleep(Duration::from_millis(700));
        }
        is_over.store(true, Ordering::SeqCst);
        writers.map(|writer| writer.join().unwrap())
    });
    let [(one, by_one), (two, by_two)] = written;
    assert!(by_one.len() > 20 && by_two.len() > 20, "{} and {}", by_one.len(), by_two.len());
    // From now on each hears what the other one says.
    let ends = [(&one, 2_000_001), (&two, 2_000_002)];
    for (member, entry) in ends {
        let (_, entry) = write_until_done(member, 1_000 + key, entry);
        assert!(entry >= 2_000_001);
    }
    for (member, entry) in ends {
        member.write(key, entry, Hearers::Everyone).unwrap();
    }
    let entries = one.read(key).unwrap().unwrap().entries;
    for entry in by_one.iter().chain(&by_two).chain(&[2_000_001, 2_000_002]) {
        let times = entries.iter().filter(|found| *found == entry).count();
        assert_eq!(times, 1, "{entry} was accepted");
    }
    for member in [&one, &two] {
        let give_up = std::time::Instant::now() + Duration::from_secs(20);
        while member.notes.of(key).last() != Some(&2_000_002) {
            assert!(std::time::Instant::now() < give_up, "it does not hear any more");
            std::thread::yield_now();
        }
        let heard = member.notes.of(key);
        let places = heard.iter().map(|entry| entries.iter().position(|of| of == entry));
        assert!(
            places.collect::<Vec<_>>().is_sorted_by(|a, b| a < b),
            "in the order of the versions, each once"
        );
    }
}
