//! Design section 2: who is there, for how long, and which of his pages has the focus.

use super::scene::{START, Scene};
use crate::{
    model::{error::ErrorCode, event::TermsStatus},
    presence::visitor::{
        MAX_SOCKETS, Rules,
        command::{Command, Reply},
    },
};

const NOTHING: [&str; 0] = [];

#[test]
fn rule_2_1_each_socket_is_told_and_becoming_connected_once() {
    let mut scene = Scene::new();
    scene.page("a1").connects();
    assert_eq!(scene.told(), ["visitorconn true", "visitorsock true 1"]);
    scene.page("b1").hidden().connects();
    assert_eq!(scene.told(), ["visitorsock true 2"]);
    scene.page("b1").closes();
    assert_eq!(scene.told(), ["visitorsock false 1"]);
}

#[test]
fn rule_2_1_a_page_change_tells_no_visitorconn() {
    let mut scene = Scene::with_pages(&["a1"]);
    scene.page("a1").closes();
    scene.advance(4_999);
    scene.page("a2").connects();
    scene.advance(60_000);
    assert_eq!(scene.told(), ["visitorsock false 0", "visitorsock true 1"]);
}

#[test]
fn rule_2_1_a_move_to_another_node_tells_no_visitorconn() {
    let mut scene = Scene::with_pages(&["a1", "b1"]);
    scene.apply(Command::NodeLost { node: 1, before: 2 });
    assert_eq!(scene.told(), ["visitorsock false 1", "visitorsock false 0"]);
    scene.advance(4_999);
    scene.page("a2").connects();
    scene.advance(60_000);
    assert_eq!(scene.told(), ["visitorsock true 1"]);
}

#[test]
fn rule_2_1_the_loss_of_another_node_or_an_earlier_start_of_it_is_nothing() {
    let mut scene = Scene::with_pages(&["a1"]);
    scene.apply(Command::NodeLost { node: 1, before: 1 });
    scene.apply(Command::NodeLost { node: 2, before: 9 });
    assert_eq!(scene.told(), NOTHING);
}

#[test]
fn rule_2_2_the_visitor_is_away_when_the_grace_is_over_and_not_before() {
    let mut scene = Scene::with_pages(&["a1"]);
    scene.page("a1").closes();
    scene.advance(4_999);
    assert!(scene.visitor.is_connected());
    scene.advance(1);
    assert!(!scene.visitor.is_connected());
    assert_eq!(scene.told(), ["visitorsock false 0", "visitorconn false"]);
}

#[test]
fn rule_2_2_an_explicit_disconnect_has_no_grace() {
    let mut scene = Scene::with_pages(&["a1"]);
    scene.page("a1").disconnects();
    assert_eq!(scene.told(), ["visitorsock false 0", "visitorconn false"]);
}

#[test]
fn rule_2_2_an_explicit_disconnect_of_one_tab_leaves_the_others_theirs() {
    let mut scene = Scene::with_pages(&["a1", "b1"]);
    scene.page("a1").disconnects();
    scene.page("b1").closes();
    scene.advance(4_999);
    assert!(scene.visitor.is_connected());
    assert_eq!(scene.told_conn(), NOTHING);
}

#[test]
fn rule_2_2_without_grace_the_last_socket_ends_it() {
    let mut scene = Scene::with_pages(&["a1"]);
    scene.rules.grace_ms = 0;
    scene.page("a1").closes();
    assert_eq!(scene.told_conn(), ["visitorconn false"]);
}

#[test]
fn rule_2_2_the_grace_is_not_the_signal_window() {
    let mut scene = Scene::with_pages(&["a1"]);
    scene.rules.signal_window_ms = 60_000;
    scene.page("a1").closes();
    scene.advance(5_000);
    assert_eq!(scene.told_conn(), ["visitorconn false"]);
    assert!(scene.signal().is_ok());

    let mut scene = Scene::with_pages(&["a1"]);
    scene.rules.signal_window_ms = 0;
    scene.page("a1").closes();
    assert!(scene.visitor.is_connected());
    assert_eq!(scene.signal(), Err(ErrorCode::VisitorNotPresent));
}

#[test]
fn rule_2_3_visible_beats_hidden_then_the_latest_activity() {
    let mut scene = Scene::with_pages(&["a1"]);
    assert!(!scene.page("b1").hidden().connects().focus);
    assert_eq!(scene.told(), ["visitorsock true 2"]);
    scene.page("b1").shows();
    assert_eq!(scene.told(), ["a1: blur", "b1: focus"]);
    scene.page("a1").gets_a_click();
    assert_eq!(scene.told(), ["b1: blur", "a1: focus"]);
    scene.page("a1").hides();
    assert_eq!(scene.told(), ["a1: blur", "b1: focus"]);
    scene.page("b1").closes();
    assert_eq!(scene.told(), ["visitorsock false 1", "visibility hidden", "a1: focus"]);
}

#[test]
fn rule_2_3_to_repeat_what_is_known_is_no_activity() {
    let mut scene = Scene::with_pages(&["a1", "b1"]);
    scene.page("a1").shows();
    scene.page("a1").listens();
    assert_eq!(scene.told(), NOTHING);
}

#[test]
fn rule_2_3_the_page_that_gets_the_focus_by_connecting_hears_it_in_its_welcome() {
    let mut scene = Scene::with_pages(&["a1"]);
    assert!(scene.page("b1").connects().focus);
    assert_eq!(scene.told(), ["visitorsock true 2", "a1: blur"]);
}

#[test]
fn rule_2_4_data_merges_and_what_is_too_much_is_refused_whole() {
    let mut scene = Scene::with_pages(&["a1"]);
    scene.page("a1").says([("cart", "1"), ("title", "Shop")]);
    scene.page("a1").says([("cart", "2")]);
    assert_eq!(scene.told(), ["presence", "presence"]);
    let long = "x".repeat(16 * 1024);
    let reply = scene.page("a1").says([("a", &long)]);
    assert!(matches!(reply, Reply::Refused(problem) if problem.code == ErrorCode::TooLarge));
    let welcome = scene.page("a2").with_data([("a", &long)]).connects();
    assert_eq!(welcome.refused_data.unwrap().code, ErrorCode::TooLarge);
    let view = scene.view().unwrap();
    assert_eq!(view.row.data.text(), r#"{"title":"Shop","cart":"2"}"#);
}

#[test]
fn rule_2_4_data_and_terms_last_as_long_as_the_visit() {
    let mut scene = Scene::with_pages(&["a1"]);
    scene.page("a1").says([("cart", "1")]);
    scene.page("a1").accepts_the_terms();
    scene.page("a1").closes();
    assert_eq!(scene.page("a2").connects().terms, Some(TermsStatus::Accepted));
    scene.page("a2").disconnects();
    assert_eq!(scene.page("a3").connects().terms, None);
    assert_eq!(scene.view().unwrap().row.data.text(), "{}");
}

#[test]
fn rule_2_4_a_page_that_only_reports_counts_and_gets_no_signals() {
    let mut scene = Scene::new();
    assert!(!scene.page("a1").reports_only().connects().focus);
    assert_eq!(scene.told(), ["visitorconn true", "visitorsock true 1"]);
    assert_eq!(scene.signal(), Err(ErrorCode::VisitorNotPresent));
    scene.page("a1").listens();
    assert_eq!(scene.told(), ["a1: focus"]);
    assert!(scene.signal().is_ok());
    assert_eq!(scene.told(), ["a1: signal 2"]);
}

#[test]
fn rule_2_8_a_restart_gives_a_fresh_grace_however_long_it_took() {
    let mut scene = Scene::with_pages(&["a1"]);
    scene.restarts_after(30_000);
    scene.advance(4_999);
    scene.page("a2").connects();
    assert_eq!(scene.told(), ["visitorsock false 0", "visitorsock true 1"]);

    scene.page("a2").closes();
    scene.advance(4_000);
    scene.restarts_after(30_000);
    scene.advance(4_999);
    assert!(scene.visitor.is_connected());
    scene.advance(1);
    assert_eq!(scene.told(), ["visitorsock false 0", "visitorconn false"]);
}

#[test]
fn rule_2_8_what_was_lost_with_the_records_is_not_told_as_away_for_one_grace() {
    let unknown_until = START + 5_000;
    let rules = Rules { unknown_until, ..Scene::new().rules };
    let mut scene = Scene::with(rules);
    assert!(scene.visitor.is_vacant(&rules, START));
    scene.attach();
    assert!(!scene.visitor.is_vacant(&rules, START));
    scene.advance(4_999);
    assert_eq!(scene.told(), NOTHING);
    scene.advance(1);
    assert_eq!(scene.told(), ["visitorconn false", "visitorsock false 0"]);
    assert!(scene.visitor.is_vacant(&rules, scene.now));

    let mut scene = Scene::with(rules);
    scene.attach();
    scene.advance(1_000);
    scene.page("a1").connects();
    scene.advance(60_000);
    assert_eq!(scene.told(), ["visitorconn true", "visitorsock true 1"]);
}

#[test]
fn rule_2_2_nobody_leaves_while_his_next_page_may_wait_behind_an_outage() {
    let mut scene = Scene::with_pages(&["a1"]);
    scene.page("a1").closes();
    assert_eq!(scene.told(), ["visitorsock false 0"]);
    // The records are there again, 3 s after the grace was over; what pages said meanwhile comes one after the other.
    scene.now = scene.now + 8_000;
    scene.rules.spared_until = scene.now + 2_500;
    scene.apply(Command::Tick);
    assert_eq!(scene.visitor.deadline(&scene.rules), Some(scene.rules.spared_until));
    scene.page("a2").connects();
    assert_eq!(scene.told(), ["visitorsock true 1"]);
    scene.page("a2").closes();
    scene.advance(5_000);
    assert_eq!(scene.told(), ["visitorsock false 0", "visitorconn false"]);
}

#[test]
fn rule_2_8_who_left_after_the_records_were_lost_is_known_to_be_away() {
    let rules = Rules { unknown_until: START + 5_000, signal_window_ms: 0, ..Scene::new().rules };
    let mut scene = Scene::with(rules);
    scene.page("a1").connects();
    scene.page("a1").disconnects();
    scene.advance(1_000);
    assert!(!scene.visitor.is_vacant(&rules, scene.now));
    assert_eq!(scene.signal(), Err(ErrorCode::VisitorNotPresent));
    scene.advance(4_000);
    assert!(scene.visitor.is_vacant(&rules, scene.now));
}

#[test]
fn one_socket_more_than_allowed_is_refused_but_not_a_tabs_next_page() {
    let mut scene = Scene::new();
    let tabs: Vec<_> = ('A'..='Z').chain('a'..='z').chain('0'..='9').chain(['_', '-']).collect();
    assert_eq!(tabs.len(), MAX_SOCKETS);
    for tab in &tabs {
        scene.page(&format!("{tab}1")).connects();
    }
    assert!(matches!(scene.page("-2").tries_to_connect(), Reply::Welcome(_)));
    scene.told();
    let reply = scene.page("x2").in_tab("another").tries_to_connect();
    assert!(matches!(reply, Reply::Refused(problem) if problem.code == ErrorCode::TooMany));
    assert_eq!(scene.told(), NOTHING);
}

#[test]
fn what_a_gone_socket_says_is_not_heard() {
    let mut scene = Scene::with_pages(&["a1"]);
    scene.page("a1").closes();
    scene.told();
    assert!(matches!(scene.page("a1").says([("a", "b")]), Reply::Refused(_)));
    scene.page("a1").accepts_the_terms();
    scene.page("a1").shows();
    scene.page("a1").gets_a_click();
    scene.page("a1").disconnects();
    assert_eq!(scene.told(), NOTHING);
    assert_eq!(scene.view().unwrap().row.terms, None);
}

#[test]
fn a_repeated_connect_of_a_socket_changes_nothing() {
    let mut scene = Scene::with_pages(&["a1"]);
    let before = scene.visitor.clone();
    assert!(scene.page("a1").connects().focus);
    assert_eq!((scene.told().len(), &scene.visitor), (0, &before));
}
