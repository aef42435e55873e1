//! Design section 3.

use super::scene::{Scene, agent, signal};
use crate::{
    model::{
        error::ErrorCode,
        ids::NodeId,
        json::Json,
        signal::{Message, Outcome, Target},
    },
    presence::visitor::{
        Rules,
        command::Command,
        effect::{Effect, ToPage},
        held::{MAX_HELD, MAX_HELD_BYTES, MAX_OUTCOMES},
    },
};

const NOTHING: [&str; 0] = [];

#[test]
fn rule_3_1_to_a_visitor_with_a_socket_at_once_to_the_focus() {
    let mut scene = Scene::with_pages(&["a1", "b1"]);
    assert_eq!(scene.signal(), Ok(Outcome::Held));
    assert_eq!(scene.told(), ["b1: signal 1"]);
    scene.page("a1").gets_a_click();
    scene.told();
    scene.signal().unwrap();
    assert_eq!(scene.told(), ["a1: signal 2"]);
}

#[test]
fn rule_3_1_within_the_signal_window_held_in_order_whatever_the_cause() {
    for disconnects in [false, true] {
        let mut scene = Scene::with_pages(&["a1"]);
        if disconnects {
            scene.page("a1").disconnects()
        } else {
            scene.page("a1").closes()
        }
        scene.advance(4_999);
        scene.told();
        for _ in 0..3 {
            assert_eq!(scene.signal(), Ok(Outcome::Held));
        }
        assert_eq!(scene.told(), NOTHING);
        scene.advance(4_999);
        scene.told();
        scene.page("a2").connects();
        let told = scene.told();
        assert_eq!(told[2..], ["a2: signal 1", "a2: signal 2", "a2: signal 3"]);
    }
}

#[test]
fn rule_3_1_to_anyone_else_refused() {
    let mut scene = Scene::new();
    assert_eq!(scene.signal(), Err(ErrorCode::VisitorNotPresent));
    scene.page("a1").connects();
    scene.page("a1").closes();
    scene.advance(5_000);
    assert_eq!(scene.signal(), Err(ErrorCode::VisitorNotPresent));
    assert_eq!(scene.outcome(2), None);
}

#[test]
fn rule_3_1_while_nobody_knows_whether_the_visitor_is_there_signals_wait() {
    let unknown_until = super::scene::START + 3_000;
    let mut scene = Scene::with(Rules { unknown_until, ..Scene::new().rules });
    scene.signal().unwrap();
    scene.signal().unwrap();
    scene.advance(2_000);
    scene.page("a1").connects();
    scene.page("a1").acknowledges(1);
    scene.advance(60_000);
    assert_eq!(
        scene.told()[2..],
        ["a1: signal 1", "a1: signal 2", "agent1: 1 delivered", "agent1: 2 expired"]
    );
}

#[test]
fn rule_3_2_a_page_change_loses_no_signal() {
    let mut scene = Scene::with_pages(&["a1"]);
    scene.signal().unwrap();
    scene.advance(4_000);
    scene.page("a1").closes();
    scene.advance(4_999);
    scene.page("a2").connects();
    assert_eq!(
        scene.told(),
        ["a1: signal 1", "visitorsock false 0", "visitorsock true 1", "a2: signal 1"]
    );
    scene.page("a2").acknowledges(1);
    assert_eq!(scene.told(), ["agent1: 1 delivered"]);
}

#[test]
fn rule_3_2_a_page_change_without_a_word_loses_no_signal() {
    let mut scene = Scene::with_pages(&["a1"]);
    scene.signal().unwrap();
    scene.told();
    scene.page("a2").connects();
    assert_eq!(scene.told().last().unwrap(), "a2: signal 1");
}

#[test]
fn rule_3_2_put_back_it_keeps_its_deadline_or_gets_the_window_whichever_is_later() {
    for (window, at) in [(5_000, 9_000), (1_000, 5_000)] {
        let mut scene = Scene::with_pages(&["a1"]);
        scene.rules.signal_window_ms = window;
        scene.rules.grace_ms = 60_000;
        scene.signal().unwrap();
        scene.advance(if window == 5_000 { 4_000 } else { 1_000 });
        scene.page("a1").closes();
        let rest = at - (scene.now.0 - super::scene::START.0);
        scene.advance(rest - 1);
        assert_eq!(scene.outcome(1), Some(Outcome::Held));
        scene.advance(1);
        assert_eq!(scene.outcome(1), Some(Outcome::Expired));
    }
}

#[test]
fn rule_3_2_a_live_page_that_does_not_acknowledge_lets_it_expire_and_no_other_tab_gets_it() {
    let mut scene = Scene::with_pages(&["a1", "b1"]);
    scene.signal().unwrap();
    scene.page("a1").gets_a_click();
    scene.told();
    scene.advance(4_999);
    assert_eq!(scene.told(), NOTHING);
    scene.advance(1);
    assert_eq!(scene.told(), ["agent1: 1 expired"]);
    scene.page("b1").acknowledges(1);
    assert_eq!((scene.told().len(), scene.outcome(1)), (0, Some(Outcome::Expired)));
}

#[test]
fn rule_3_2_the_page_is_told_a_deadline_that_leaves_time_for_its_acknowledgement() {
    let mut scene = Scene::with_pages(&["a1"]);
    scene.signal().unwrap();
    let deadline = scene.effects.iter().find_map(|effect| match effect {
        Effect::Page { message: ToPage::Signal { deadline, .. }, .. } => Some(*deadline),
        _ => None,
    });
    let deadline = deadline.unwrap();
    assert!(deadline > scene.now && deadline < scene.now + 5_000);
}

#[test]
fn rule_3_3_the_tab_that_had_it_is_preferred_for_a_while_and_order_is_kept() {
    let mut scene = Scene::with_pages(&["a1", "b1"]);
    scene.signal().unwrap();
    scene.page("b1").closes();
    scene.signal().unwrap();
    scene.told();
    scene.advance(2_000);
    scene.page("b2").hidden().connects();
    let told = scene.told();
    assert_eq!(told[1..], ["b2: signal 1", "a1: signal 2"]);

    let mut scene = Scene::with_pages(&["a1", "b1"]);
    scene.signal().unwrap();
    scene.page("b1").closes();
    scene.signal().unwrap();
    scene.told();
    scene.advance(2_500);
    assert_eq!(scene.told(), ["a1: signal 1", "a1: signal 2"]);
}

#[test]
fn rule_3_3_a_tab_that_left_for_good_is_not_waited_for() {
    let mut scene = Scene::with_pages(&["a1", "b1"]);
    scene.signal().unwrap();
    scene.told();
    scene.page("b1").disconnects();
    assert_eq!(scene.told(), ["visitorsock false 1", "a1: focus", "a1: signal 1"]);
}

#[test]
fn rule_3_3_a_long_window_makes_no_signal_wait_longer_than_it_lives() {
    let mut scene = Scene::with_pages(&["a1", "b1"]);
    scene.rules.signal_window_ms = 60_000;
    scene.signal().unwrap();
    scene.page("b1").closes();
    scene.signal().unwrap();
    scene.told();
    scene.advance(2_500);
    assert_eq!(scene.told(), ["a1: signal 1", "a1: signal 2"]);
}

#[test]
fn rule_3_3_tabs_that_change_pages_one_after_the_other_do_not_keep_the_server_awake() {
    let mut scene = Scene::with_pages(&["c1", "b1", "a1"]);
    scene.signal().unwrap();
    scene.page("b1").gets_a_click();
    scene.signal().unwrap();
    scene.page("b1").closes();
    scene.advance(1_000);
    scene.page("a1").closes();
    scene.told();
    // `advance` insists on deadlines to come.
    scene.advance(2_499);
    assert_eq!(scene.told(), NOTHING);
    scene.advance(1);
    assert_eq!(scene.told(), ["c1: signal 1", "c1: signal 2"]);
}

#[test]
fn rule_3_3_what_the_tab_saw_is_delivered_and_not_sent_again() {
    let mut scene = Scene::with_pages(&["a1"]);
    scene.signal().unwrap();
    scene.page("a1").closes();
    scene.told();
    scene.page("a2").saw(1).connects();
    assert_eq!(scene.told(), ["visitorsock true 1", "agent1: 1 delivered"]);
    scene.page("a2").acknowledges(1);
    scene.page("a3").saw(1).connects();
    assert!(!scene.told().iter().any(|told| told.contains("delivered")));
}

#[test]
fn rule_3_3_an_outcome_is_remembered_for_a_minute() {
    let mut scene = Scene::with_pages(&["a1"]);
    scene.signal().unwrap();
    scene.page("a1").acknowledges(1);
    scene.page("a1").disconnects();
    scene.advance(59_999);
    assert_eq!(scene.outcome(1), Some(Outcome::Delivered));
    assert!(!scene.visitor.is_vacant(&scene.rules, scene.now));
    scene.advance(1);
    assert_eq!(scene.outcome(1), None);
    assert!(scene.visitor.is_vacant(&scene.rules, scene.now));
}

#[test]
fn rule_3_3_the_memory_of_outcomes_is_bounded_and_forgets_the_oldest() {
    let mut scene = Scene::with_pages(&["a1"]);
    let most = MAX_OUTCOMES as u64;
    for number in 1..=most + 1 {
        scene.signal().unwrap();
        scene.page("a1").acknowledges(number);
    }
    assert_eq!(scene.outcome(1), None);
    assert_eq!(scene.outcome(2), Some(Outcome::Delivered));
}

#[test]
fn rule_3_4_all_pages_get_it_and_the_first_that_acknowledges_decides() {
    let mut scene = Scene::with_pages(&["a1", "b1"]);
    scene.page("c1").reports_only().connects();
    scene.told();
    scene.send(|signal| signal.target = Target::All).unwrap();
    assert_eq!(scene.told(), ["a1: signal 1", "b1: signal 1"]);
    scene.page("a1").closes();
    scene.page("b1").acknowledges(1);
    scene.page("b1").acknowledges(1);
    let told = scene.told();
    assert_eq!(told.iter().filter(|told| told.starts_with("agent1")).count(), 1);
}

#[test]
fn rule_3_4_a_signal_to_all_waits_again_only_when_all_who_had_it_are_gone() {
    let mut scene = Scene::with_pages(&["a1", "b1"]);
    scene.send(|signal| signal.target = Target::All).unwrap();
    scene.page("a1").closes();
    scene.page("b1").closes();
    scene.told();
    // It waits for the tab that had it last.
    scene.page("a2").connects();
    assert!(!scene.told().contains(&"a2: signal 1".to_owned()));
    scene.page("b2").connects();
    let told = scene.told();
    assert_eq!(told[told.len() - 2..], ["a2: signal 1", "b2: signal 1"]);
}

#[test]
fn rule_3_4_a_signal_to_all_also_goes_to_pages_that_come_while_it_is_on_its_way() {
    let mut scene = Scene::with_pages(&["a1", "b1"]);
    scene.send(|signal| signal.target = Target::All).unwrap();
    scene.page("a1").closes();
    scene.told();
    scene.page("a2").connects();
    assert_eq!(scene.told().last().unwrap(), "a2: signal 1");
    // So that it does not come there behind a later one, once the other page is gone.
    scene.signal().unwrap();
    scene.page("b1").closes();
    scene.page("b2").connects();
    let told = scene.told();
    let signals: Vec<_> = told.iter().filter(|told| told.contains("signal")).collect();
    assert_eq!(signals, ["a2: signal 2", "b2: signal 1"]);
}

#[test]
fn rule_3_4_a_retry_with_the_key_is_harmless_and_is_told_the_outcome_where_it_came_from() {
    let mut scene = Scene::with_pages(&["a1"]);
    let key = || Some("once".parse().unwrap());
    scene.send(|signal| signal.key = key()).unwrap();
    scene.told();
    let again = scene.send(|signal| (signal.key, signal.sender) = (key(), Some(agent(7))));
    assert_eq!((again, scene.told().len()), (Ok(Outcome::Held), 0));
    scene.page("a1").acknowledges(1);
    assert_eq!(scene.told(), ["agent7: 1 delivered"]);
    assert_eq!(scene.send(|signal| signal.key = key()), Ok(Outcome::Delivered));
    assert_eq!(scene.send(|again| again.id = signal(1)), Ok(Outcome::Delivered));
    assert_eq!(scene.told(), NOTHING);
}

#[test]
fn rule_3_5_one_more_than_32_is_refused_and_an_acknowledgement_makes_room() {
    let mut scene = Scene::with_pages(&["a1"]);
    for _ in 0..MAX_HELD {
        scene.signal().unwrap();
    }
    assert_eq!(scene.signal(), Err(ErrorCode::TooMany));
    scene.page("a1").acknowledges(7);
    assert!(scene.signal().is_ok());
}

#[test]
fn rule_3_5_one_byte_more_than_256_kib_is_refused() {
    let mut scene = Scene::with_pages(&["a1"]);
    let sized = |bytes: usize| Message::Signal { data: Json::of(&"x".repeat(bytes - 2)) };
    scene.send(|signal| signal.message = sized(MAX_HELD_BYTES - 10)).unwrap();
    let refused = scene.send(|signal| signal.message = sized(11));
    assert_eq!(refused, Err(ErrorCode::TooMany));
    assert!(scene.send(|signal| signal.message = sized(10)).is_ok());
}

#[test]
fn rule_3_6_a_function_that_fails_is_told_to_the_sender_once() {
    let mut scene = Scene::with_pages(&["a1"]);
    let invoke = || Message::invoke("GLANCE.x", None).unwrap();
    scene.send(|signal| signal.message = invoke()).unwrap();
    scene.signal().unwrap();
    scene.told();
    scene.page("a1").fails(1);
    scene.page("a1").fails(1);
    assert_eq!(scene.told(), ["agent1: 1 delivered", "agent1: 1 GLANCE.x exception"]);
    scene.page("a1").fails(2);
    assert_eq!(scene.told(), ["agent1: 2 delivered"]);
}

#[test]
fn rule_3_6_a_failure_makes_way_for_the_signals_behind() {
    let mut scene = Scene::with_pages(&["a1", "b1"]);
    scene.send(|signal| signal.message = Message::invoke("GLANCE.x", None).unwrap()).unwrap();
    scene.page("b1").closes();
    scene.signal().unwrap();
    scene.told();
    scene.page("b1").fails(1);
    assert_eq!(scene.told().last().unwrap(), "a1: signal 2");
}

#[test]
fn rule_2_8_held_signals_outlast_a_restart_however_long_it_took() {
    let mut scene = Scene::with_pages(&["a1"]);
    scene.signal().unwrap();
    scene.restarts_after(30_000);
    scene.signal().unwrap();
    scene.advance(4_999);
    scene.told();
    scene.page("a2").connects();
    assert_eq!(scene.told(), ["visitorsock true 1", "a2: signal 1", "a2: signal 2"]);
}

#[test]
fn rule_3_4_a_sender_that_was_lost_with_its_node_is_told_nothing() {
    let mut scene = Scene::with_pages(&["a1"]);
    scene.signal().unwrap();
    scene.apply(Command::NodeLost { node: 9, before: 2 });
    scene.told();
    scene.page("a1").acknowledges(1);
    assert_eq!((scene.told().len(), scene.outcome(1)), (0, Some(Outcome::Delivered)));
}

#[test]
fn what_a_node_may_have_missed_is_said_to_its_sockets_again() {
    let mut scene = Scene::with_pages(&["a1"]);
    scene.signal().unwrap();
    scene.signal().unwrap();
    scene.page("a1").acknowledges(1);
    scene.advance(4_000);
    scene.told();
    let node = |node| Command::Missed { node: NodeId { node, incarnation: 1 } };
    scene.apply(node(2));
    assert_eq!(scene.told().len(), 0, "of another node");
    scene.apply(node(1));
    assert_eq!(scene.told(), ["a1: focus", "a1: no session", "a1: signal 2"]);
    // The page has as much time for it as if it had been sent now.
    scene.advance(4_999);
    assert_eq!(scene.outcome(2), Some(Outcome::Held));
    scene.advance(1);
    assert_eq!(scene.outcome(2), Some(Outcome::Expired));
}
