//! The queue's rules, one by one and in random runs.

use proptest::prelude::*;

use super::*;
use crate::events::{item::tests::item, webhook::backoff::Backoff};

const RULES: Rules = Rules {
    in_flight: 2,
    events: 8,
    bytes: usize::MAX,
    backoff: Backoff { first_ms: 100, most_ms: 1_000 },
    give_up_ms: 5_000,
};
const START: Timestamp = Timestamp(1_000_000);

fn waiting(visitor: &str, sequence: u64, since: Timestamp) -> Waiting {
    Waiting { item: item(visitor, 1, sequence), since, tries: 0 }
}

fn queue(events: &[(&str, u64)]) -> Queue {
    let mut queue = Queue::new(RULES);
    for (visitor, sequence) in events {
        queue.push(waiting(visitor, *sequence, START));
    }
    queue
}

fn failed() -> Outcome {
    Outcome::Failed { error: "status 500".into(), retry_ms: None }
}

fn posted(queue: &mut Queue, now: Timestamp) -> Attempt {
    match queue.step(now) {
        Step::Post(attempt) => attempt,
        wait @ Step::Wait(_) => panic!("{wait:?}"),
    }
}

fn finish(queue: &mut Queue, attempt: &Attempt, outcome: Outcome, now: Timestamp, dice: u64) {
    queue.finish(attempt.item.visitor(), attempt.ticket, outcome, now, dice);
}

fn name(attempt: &Attempt) -> (&str, u64) {
    (attempt.item.visitor().as_str(), attempt.item.id.sequence)
}

fn died(queue: &mut Queue) -> Vec<(String, u64, Cause, u32)> {
    let (dead, lost) = queue.take_dead();
    assert_eq!(lost, 0);
    dead.into_iter()
        .map(|dead| {
            let visitor = dead.item.visitor().to_string();
            (visitor, dead.item.id.sequence, dead.cause, dead.tries)
        })
        .collect()
}

#[test]
fn one_visitors_events_go_one_after_another_and_others_beside_them() {
    let mut queue = queue(&[("ada", 1), ("ada", 2), ("bob", 1), ("eve", 1)]);
    let ada = posted(&mut queue, START);
    let bob = posted(&mut queue, START);
    assert_eq!((name(&ada), name(&bob)), (("ada", 1), ("bob", 1)));
    assert_eq!(queue.step(START), Step::Wait(None), "two are under way");
    finish(&mut queue, &ada, Outcome::Delivered, START, 0);
    assert_eq!(name(&posted(&mut queue, START)), ("ada", 2));
    finish(&mut queue, &bob, Outcome::Delivered, START, 0);
    assert_eq!(name(&posted(&mut queue, START)), ("eve", 1));
}

#[test]
fn what_failed_is_tried_again_after_a_pause_before_what_came_later() {
    let mut queue = queue(&[("ada", 1), ("ada", 2)]);
    let first = posted(&mut queue, START);
    finish(&mut queue, &first, failed(), START, 70);
    assert_eq!(queue.step(START), Step::Wait(Some(START + 70)));
    let again = posted(&mut queue, START + 70);
    assert_eq!((name(&again), again.number), (("ada", 1), 2));
    finish(&mut queue, &again, failed(), START + 70, 170);
    assert_eq!(queue.step(START + 70), Step::Wait(Some(START + 240)), "the ceiling has doubled");
}

#[test]
fn a_pause_that_the_endpoint_asks_for_holds_for_all_of_it() {
    let mut queue = queue(&[("ada", 1), ("bob", 1)]);
    let first = posted(&mut queue, START);
    let busy = Outcome::Failed { error: "status 429".into(), retry_ms: Some(900) };
    finish(&mut queue, &first, busy, START, 0);
    assert_eq!(queue.step(START), Step::Wait(Some(START + 900)));
    let second = posted(&mut queue, START + 900);
    let for_ever = Outcome::Failed { error: "status 503".into(), retry_ms: Some(u64::MAX) };
    finish(&mut queue, &second, for_ever, START + 900, 0);
    let most = RULES.backoff.most_ms;
    assert_eq!(queue.step(START + 900), Step::Wait(Some(START + 900 + most)), "within reason");
}

#[test]
fn what_is_too_old_is_given_up_and_the_next_has_its_turn() {
    let mut queue = queue(&[("ada", 1)]);
    queue.push(waiting("ada", 2, START + 4_000));
    let first = posted(&mut queue, START);
    finish(&mut queue, &first, failed(), START + 5_000, 0);
    assert_eq!(died(&mut queue), [("ada".into(), 1, Cause::Failed, 1)]);
    assert_eq!(name(&posted(&mut queue, START + 5_000)), ("ada", 2));
}

#[test]
fn an_endpoint_that_is_down_is_tried_with_one_event_at_a_time() {
    let visitors = ["a", "b", "c", "d", "e", "f"];
    let mut queue = queue(&visitors.map(|visitor| (visitor, 1)));
    let mut now = START;
    while !queue.is_down() {
        let attempt = posted(&mut queue, now);
        now = now + 1;
        finish(&mut queue, &attempt, failed(), now, 100);
    }
    assert_eq!(queue.step(now), Step::Wait(Some(now + 100)), "a pause for the endpoint");
    let probe = posted(&mut queue, now + 100);
    assert_eq!(queue.step(now + 100), Step::Wait(None), "one at a time");
    finish(&mut queue, &probe, Outcome::Delivered, now + 100, 0);
    assert!(!queue.is_down());
    assert!(matches!(queue.step(now + 100), Step::Post(_)));
    assert!(matches!(queue.step(now + 100), Step::Post(_)), "all at once again");
}

#[test]
fn while_the_endpoint_is_down_what_is_too_old_is_given_up_untried() {
    let mut queue = queue(&[("ada", 1), ("ada", 2), ("bob", 1)]);
    let mut now = START;
    while !queue.is_down() {
        let attempt = posted(&mut queue, now);
        finish(&mut queue, &attempt, failed(), now, 0);
    }
    now = START + 5_000;
    queue.push(waiting("eve", 1, now));
    assert_eq!(name(&posted(&mut queue, now)), ("eve", 1));
    let died = died(&mut queue);
    assert_eq!(died.iter().map(|dead| dead.2).collect::<Vec<_>>(), [Cause::Down; 3]);
    assert!(died.contains(&("ada".into(), 2, Cause::Down, 0)), "{died:?}");
}

#[test]
fn an_endpoint_that_is_gone_gets_nothing_until_it_is_revived() {
    let mut queue = queue(&[("ada", 1), ("ada", 2), ("bob", 1)]);
    let (ada, bob) = (posted(&mut queue, START), posted(&mut queue, START));
    finish(&mut queue, &ada, Outcome::Gone, START, 0);
    queue.push(waiting("eve", 1, START));
    assert_eq!(died(&mut queue).len(), 4);
    assert_eq!((queue.step(START), queue.len()), (Step::Wait(None), 0));
    queue.revive();
    queue.push(waiting("bob", 1, START));
    let again = posted(&mut queue, START);
    finish(&mut queue, &bob, Outcome::Delivered, START, 0);
    assert_eq!(queue.len(), 1, "what comes of an earlier try is of no account");
    finish(&mut queue, &again, Outcome::Delivered, START, 0);
    assert!(queue.is_empty());
}

#[test]
fn beyond_the_bound_the_oldest_that_is_not_under_way_goes() {
    let mut queue = queue(&[("ada", 1)]);
    let _ada = posted(&mut queue, START);
    for sequence in 2..=RULES.events as u64 + 2 {
        queue.push(waiting(if sequence % 2 == 0 { "bob" } else { "eve" }, sequence, START));
    }
    assert_eq!(queue.len(), RULES.events);
    let gone: Vec<_> = died(&mut queue).into_iter().map(|dead| (dead.1, dead.2)).collect();
    assert_eq!(gone, [(2, Cause::Overflow), (3, Cause::Overflow)]);

    let mut narrow = Queue::new(Rules { bytes: 10, ..RULES });
    narrow.push(waiting("ada", 1, START));
    assert!(narrow.is_empty() && died(&mut narrow).len() == 1, "there is no room for it at all");
}

#[derive(Clone, Debug)]
enum Act {
    Push(u8),
    Step,
    Finish(usize, u8, u64),
    Wait(u64),
    Restart,
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        4 => (0_u8..4).prop_map(Act::Push),
        6 => Just(Act::Step),
        5 => (any::<prop::sample::Index>(), 0_u8..10, any::<u64>())
            .prop_map(|(which, outcome, dice)| Act::Finish(which.index(64), outcome, dice)),
        2 => (0_u64..3_000).prop_map(Act::Wait),
        1 => Just(Act::Restart),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    /// Whatever happens: every event is delivered or dies, once, and none does both; one visitor's are tried in their
    /// order, one at a time; the bounds hold; and an endpoint that takes everything at last leaves nothing waiting.
    #[test]
    fn every_event_has_one_end_and_each_visitors_come_in_order(acts in prop::collection::vec(act(), 1..120)) {
        let mut queue = Queue::new(RULES);
        let mut now = START;
        let mut under_way: Vec<Attempt> = Vec::new();
        let mut sequences = [0_u64; 4];
        let mut ended: HashMap<(String, u64), &str> = HashMap::new();
        let mut newest: HashMap<String, u64> = HashMap::new();
        let mut steps_left = 2_000;
        let mut acts = acts.into_iter();
        loop {
            // When the random part is over, the endpoint takes all.
            let next = acts.next();
            let act = match &next {
                Some(act) => act.clone(),
                None if !under_way.is_empty() => Act::Finish(0, 0, 0),
                None if queue.is_empty() => break,
                None => Act::Step,
            };
            steps_left -= 1;
            prop_assert!(steps_left > 0, "it does not come to an end");
            match act {
                Act::Push(visitor) => {
                    let sequence = &mut sequences[usize::from(visitor)];
                    *sequence += 1;
                    queue.push(waiting(&format!("v{visitor}"), *sequence, now));
                }
                Act::Step => match queue.step(now) {
                    Step::Post(attempt) => {
                        let visitor = attempt.item.visitor().to_string();
                        let sequence = attempt.item.id.sequence;
                        let busy = under_way.iter().any(|other| other.item.visitor() == attempt.item.visitor());
                        prop_assert!(!busy && under_way.len() < RULES.in_flight);
                        let before = newest.insert(visitor.clone(), sequence);
                        prop_assert!(before.is_none_or(|before| before <= sequence));
                        prop_assert!(!ended.contains_key(&(visitor, sequence)));
                        under_way.push(attempt);
                    }
                    Step::Wait(Some(until)) => {
                        prop_assert!(until > now);
                        if next.is_none() {
                            now = until;
                        }
                    }
                    Step::Wait(None) => prop_assert!(
                        queue.is_empty() || queue.is_gone() || !under_way.is_empty(), "nobody will wake it"),
                },
                Act::Finish(which, outcome, dice) => {
                    if under_way.is_empty() {
                        continue;
                    }
                    let attempt = under_way.remove(which % under_way.len());
                    let was_known = queue.waiting().iter().any(|waiting| waiting.item == attempt.item);
                    let outcome = match outcome {
                        0..=4 => Outcome::Delivered,
                        5..=7 => failed(),
                        8 => Outcome::Failed { error: "status 429".into(), retry_ms: Some(dice % 2_000) },
                        _ => Outcome::Gone,
                    };
                    if outcome == Outcome::Delivered && was_known {
                        let name = (attempt.item.visitor().to_string(), attempt.item.id.sequence);
                        prop_assert_eq!(ended.insert(name, "delivered"), None);
                    }
                    finish(&mut queue, &attempt, outcome, now, dice);
                }
                Act::Wait(milliseconds) => now = now + milliseconds,
                Act::Restart => {
                    let saved = queue.waiting();
                    under_way.clear();
                    for (visitor, sequence, ..) in died(&mut queue) {
                        prop_assert_eq!(ended.insert((visitor, sequence), "dead"), None);
                    }
                    queue = Queue::new(RULES);
                    saved.into_iter().for_each(|waiting| queue.push(waiting));
                }
            }
            prop_assert!(queue.len() <= RULES.events);
            for (visitor, sequence, ..) in died(&mut queue) {
                prop_assert_eq!(ended.insert((visitor, sequence), "dead"), None);
            }
        }
        let told: u64 = sequences.iter().sum();
        prop_assert_eq!(ended.len() as u64, told);
    }
}
