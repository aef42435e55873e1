//! Design section 2.

use super::scene::{START, Scene};
use crate::{
    model::{
        error::ErrorCode,
        event::{EventKind, Position, TermsStatus, Visibility},
        ids::{Code, SessionId},
        protocol::visitor::CodePurpose,
    },
    presence::visitor::{
        MAX_SOCKETS, Rules, Visitor,
        command::{Command, Effect, Reply, Unique},
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
fn rule_2_1_a_page_that_connects_before_the_last_one_is_gone_takes_its_place() {
    let mut scene = Scene::with_pages(&["a1"]);
    assert!(scene.page("a2").connects().focus);
    assert_eq!(scene.told(), ["visitorsock true 2", "a1: close superseded", "visitorsock false 1"]);
    scene.page("a1").closes();
    assert_eq!(scene.told(), NOTHING);
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
fn rule_2_2_a_unique_id_that_ends_closes_its_pages_and_is_a_leave() {
    let mut scene = Scene::with_pages(&["a1", "b1"]);
    scene.signal().unwrap();
    scene.told();
    let code: Code = "123456".parse().unwrap();
    let until = scene.now + 300_000;
    let pages: Vec<_> = scene.visitor.sockets().collect();
    for socket in pages {
        let unique = Unique { purpose: CodePurpose::Reach, code: code.clone(), until };
        scene.apply(Command::UniqueGiven { socket, unique });
    }
    scene.apply(Command::UniqueExpired { code: "000000".parse().unwrap() });
    assert!(scene.told().is_empty(), "another code's end is nothing to him");
    scene.apply(Command::UniqueExpired { code });
    let told = scene.told();
    let expected = ["a1: close uniqueexpired", "b1: close uniqueexpired"];
    assert_eq!(told[..2], expected);
    assert_eq!(told[2..], ["visitorsock false 1", "visitorsock false 0", "visitorconn false"]);
}

/// A code is made for a page; gives the one that the visitor has then.
fn given(scene: &mut Scene, page: &str, purpose: CodePurpose, code: &str) -> Reply {
    let (code, until) = (code.parse().unwrap(), scene.now + 300_000);
    let socket = scene.address(page);
    scene.apply(Command::UniqueGiven { socket, unique: Unique { purpose, code, until } })
}

fn has(scene: &Scene, purpose: CodePurpose) -> Option<&str> {
    scene.visitor.unique(purpose).map(|unique| unique.code.as_str())
}

#[test]
fn a_contact_code_is_good_for_one_session_and_ends_when_its_visitor_leaves() {
    let mut scene = Scene::with_pages(&["a1"]);
    given(&mut scene, "a1", CodePurpose::Contact, "123456");
    // A page change keeps it.
    scene.page("a1").closes();
    scene.page("a2").connects();
    assert_eq!(has(&scene, CodePurpose::Contact), Some("123456"));
    scene.told();
    scene.apply(Command::SessionBegins { session: SessionId::from_u128(1) });
    assert_eq!(scene.told(), ["123456 is spent", "a2: session"]);
    assert_eq!(has(&scene, CodePurpose::Contact), None);

    let mut scene = Scene::with_pages(&["a1"]);
    given(&mut scene, "a1", CodePurpose::Contact, "123456");
    scene.told();
    scene.page("a1").closes();
    scene.advance(5_000);
    assert_eq!(scene.told(), ["visitorsock false 0", "123456 is spent", "visitorconn false"]);

    // Others live as long as they were given.
    let mut scene = Scene::with_pages(&["a1"]);
    given(&mut scene, "a1", CodePurpose::Lookup, "1234");
    scene.told();
    scene.apply(Command::SessionBegins { session: SessionId::from_u128(1) });
    assert_eq!(scene.told(), ["a1: session"]);
}

/// Two pages that ask at once both get the first code, and nothing is left of the second.
#[test]
fn of_two_codes_that_are_made_at_once_the_first_counts() {
    for purpose in [CodePurpose::Reach, CodePurpose::Lookup, CodePurpose::Contact] {
        let mut scene = Scene::with_pages(&["a1", "b1"]);
        scene.told();
        let first = given(&mut scene, "a1", purpose, "111111");
        assert_eq!(scene.told(), NOTHING);
        assert_eq!(given(&mut scene, "b1", purpose, "222222"), first);
        assert_eq!(scene.told(), ["222222 is spent"]);
        // One whose time is over counts no more.
        scene.advance(300_000);
        given(&mut scene, "b1", purpose, "333333");
        assert_eq!(scene.told(), NOTHING);
        assert_eq!(has(&scene, purpose), Some("333333"));
    }
}

#[test]
fn a_code_for_a_page_that_is_gone_leads_nowhere() {
    let mut scene = Scene::with_pages(&["a1", "b1"]);
    scene.page("a1").closes();
    scene.told();
    let refused = given(&mut scene, "a1", CodePurpose::Contact, "111111");
    assert!(matches!(refused, Reply::Refused(_)), "{refused:?}");
    assert_eq!(scene.told(), ["111111 is spent"]);
    assert_eq!(has(&scene, CodePurpose::Contact), None);
}

/// A code never becomes one of another purpose, with the other's life and length.
#[test]
fn a_visitor_has_a_code_for_each_purpose() {
    let mut scene = Scene::with_pages(&["a1"]);
    given(&mut scene, "a1", CodePurpose::Lookup, "1234");
    given(&mut scene, "a1", CodePurpose::Contact, "123456");
    given(&mut scene, "a1", CodePurpose::Reach, "654321");
    scene.told();
    scene.apply(Command::UniqueExpired { code: "1234".parse().unwrap() });
    assert_eq!(scene.told(), NOTHING, "the page outlives it");
    scene.apply(Command::SessionBegins { session: SessionId::from_u128(1) });
    assert_eq!(scene.told(), ["123456 is spent", "a1: session"]);
    assert_eq!(has(&scene, CodePurpose::Reach), Some("654321"));
    scene.apply(Command::UniqueExpired { code: "654321".parse().unwrap() });
    assert_eq!(scene.told().first().map(String::as_str), Some("a1: close uniqueexpired"));
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
fn rule_2_5_a_watcher_gets_the_present_state_once() {
    let mut scene = Scene::new();
    scene.attach();
    assert_eq!(scene.told(), ["agent2: visitorconn false", "agent2: visitorsock false 0"]);
    scene.page("a1").connects();
    scene.page("a1").closes();
    scene.told();
    scene.attach();
    assert_eq!(scene.told(), ["agent2: visitorconn true", "agent2: visitorsock false 0"]);
}

#[test]
fn rule_2_5_a_watcher_who_comes_back_is_told_data_that_changed_while_he_was_away() {
    let mut scene = Scene::with_pages(&["a1"]);
    scene.page("a1").says([("cart", "1")]);
    let view = scene.view().unwrap();
    let known = Position { epoch: view.row.epoch, sequence: view.row.sequence };
    let state = ["agent2: visitorconn true", "agent2: visitorsock true 1"];
    let with_data = [state[0], state[1], "agent2: presence"];
    scene.told();
    scene.page("b1").connects();
    scene.page("b1").closes();
    scene.told();
    scene.attach_again(known);
    assert_eq!(scene.told(), state, "what else was told is no change of the data");
    scene.page("a1").says([("cart", "2"), ("name", "Ada")]);
    scene.told();
    scene.attach_again(known);
    let Some(Effect::Present { event, .. }) = scene.effects.last().cloned() else { panic!() };
    let EventKind::Presence(data) = event.kind else { panic!() };
    assert_eq!(data, [("cart", "2"), ("name", "Ada")].into_iter().collect());
    assert!(event.present);
    assert_eq!(scene.told(), with_data);
    scene.attach_again(Position { epoch: known.epoch - 1, sequence: u64::MAX });
    assert_eq!(scene.told(), with_data, "another epoch had other data");
    scene.page("a1").disconnects();
    scene.told();
    scene.attach_again(known);
    assert_eq!(scene.told(), ["agent2: visitorconn false", "agent2: visitorsock false 0"]);
}

#[test]
fn a_record_that_was_saved_before_positions_were_kept_tells_its_data() {
    let mut scene = Scene::with_pages(&["a1"]);
    scene.page("a1").says([("cart", "1")]);
    let view = scene.view().unwrap();
    let mut saved = serde_json::to_value(&scene.visitor).unwrap();
    saved.as_object_mut().unwrap().remove("data_sequence");
    scene.visitor = serde_json::from_value(saved).unwrap();
    scene.told();
    scene.attach_again(Position { epoch: view.row.epoch, sequence: view.row.sequence });
    assert!(scene.told().contains(&"agent2: presence".to_owned()));
}

#[test]
fn rule_2_5_visibility_is_told_on_changes_and_not_at_connect() {
    let mut scene = Scene::new();
    scene.page("a1").hidden().connects();
    assert_eq!(scene.told(), ["visitorconn true", "visitorsock true 1"]);
    scene.page("a1").shows();
    scene.page("a1").shows();
    assert_eq!(scene.told(), ["visibility visible"]);
    scene.page("b1").connects();
    scene.told();
    scene.page("a1").hides();
    assert_eq!(scene.told(), NOTHING);
    scene.page("b1").hides();
    assert_eq!(scene.view().unwrap().row.visibility, Some(Visibility::Hidden));
}

#[test]
fn rule_2_6_epoch_and_sequence_only_grow_even_in_one_millisecond() {
    let mut scene = Scene::new();
    scene.rules.signal_window_ms = 0;
    let mut last = (0, 0);
    for round in 0..20 {
        scene.attach();
        scene.page(&format!("a{round}")).reports_only().connects();
        scene.page(&format!("a{round}")).disconnects();
        for effect in std::mem::take(&mut scene.effects) {
            match effect {
                Effect::Publish(event) => {
                    assert!((event.epoch, event.sequence) > last);
                    last = (event.epoch, event.sequence);
                }
                Effect::Present { event, .. } => assert!((event.epoch, event.sequence) >= last),
                _ => {}
            }
        }
        if scene.visitor.is_vacant(&scene.rules, scene.now) {
            scene.visitor = Visitor::vacant(&scene.rules, scene.now);
        }
        scene.advance(round % 3);
    }
}

#[test]
fn rule_2_6_a_watcher_that_missed_the_leave_believes_the_record_that_was_made_anew() {
    let mut scene = Scene::new();
    scene.page("a1").connects();
    scene.page("a1").disconnects();
    let Some(Effect::Publish(last)) = scene.effects.last().cloned() else { panic!() };
    scene.advance(60_000);
    assert!(scene.visitor.is_vacant(&scene.rules, scene.now));
    scene.visitor = Visitor::vacant(&scene.rules, scene.now);
    scene.effects.clear();
    scene.attach();
    let Some(Effect::Present { event, .. }) = scene.effects.first() else { panic!() };
    assert!(event.epoch > last.epoch);
    scene.page("a2").connects();
    assert_eq!(scene.view().unwrap().row.epoch, scene.now.0);
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
fn rule_2_6_an_absence_is_older_than_an_arrival_that_is_made_late() {
    let rules = Rules { late_ms: 2_500, ..Scene::new().rules };
    let mut arrival = Scene::with(rules);
    arrival.page("a1").connects();
    let arrived = arrival.view().unwrap().row.epoch;
    // Another node finds no record yet, when this one has applied the command already.
    let now = START + 2_500;
    let mut absence = Scene::with(rules);
    (absence.now, absence.visitor) = (now, Visitor::vacant(&rules, now));
    absence.attach();
    let epochs = absence.effects.iter().filter_map(|effect| match effect {
        Effect::Present { event, .. } => Some(event.epoch),
        _ => None,
    });
    let epochs: Vec<u64> = epochs.collect();
    assert!(!epochs.is_empty() && epochs.iter().all(|epoch| *epoch < arrived), "{epochs:?}");
    // And newer than a visit that is forgotten.
    arrival.page("a1").disconnects();
    assert!(!arrival.visitor.is_vacant(&rules, START + 2_501));
    arrival.advance(65_000);
    assert!(arrival.visitor.is_vacant(&rules, arrival.now));
    assert!(absence.visitor.is_vacant(&rules, now));
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
fn joining_a_known_visitor_is_no_leave_and_takes_everything_along() {
    let mut scene = Scene::with_pages(&["a1"]);
    scene.page("a1").says([("cart", "1")]);
    scene.page("a1").accepts_the_terms();
    scene.signal().unwrap();
    scene.told();
    let Reply::Joined { data, terms, .. } = scene.page("a1").joins("bob") else { panic!() };
    assert_eq!((data.is_empty(), terms), (false, Some(TermsStatus::Accepted)));
    assert_eq!(scene.told(), ["visitorjoined bob", "1 to bob"]);
    scene.signal().unwrap();
    assert_eq!(scene.told(), ["2 to bob"]);
    scene.attach();
    assert_eq!(scene.told(), ["agent2: visitorjoined bob"]);
    scene.advance(599_999);
    assert!(!scene.visitor.is_vacant(&scene.rules, scene.now));
    scene.advance(1);
    assert!(scene.visitor.is_vacant(&scene.rules, scene.now));
    assert_eq!(scene.told(), NOTHING);
}

#[test]
fn pages_join_one_by_one() {
    let mut scene = Scene::with_pages(&["a1", "b1"]);
    assert!(matches!(scene.page("b1").joins("bob"), Reply::Joined { .. }));
    assert_eq!(scene.told(), ["visitorsock false 1", "a1: focus"]);
    assert!(matches!(scene.page("b1").joins("bob"), Reply::Refused(_)));
    assert!(matches!(scene.page("a1").joins("bob"), Reply::Joined { .. }));
    assert_eq!(scene.told(), ["visitorjoined bob"]);
}

#[test]
fn a_page_change_may_join_too() {
    let mut scene = Scene::with_pages(&["a1"]);
    scene.signal().unwrap();
    scene.page("a1").closes();
    scene.told();
    let join = || Command::Join { page: None, known: "bob".parse().unwrap() };
    assert!(matches!(scene.apply(join()), Reply::Joined { .. }));
    assert_eq!(scene.told(), ["visitorjoined bob", "1 to bob"]);
    assert!(matches!(scene.apply(join()), Reply::Refused(_)), "there is nobody any more");
}

#[test]
fn what_was_known_of_the_anonymous_visitor_goes_on_in_the_known_record() {
    let mut scene = Scene::with_pages(&["a1"]);
    scene.page("a1").says([("cart", "2"), ("name", "Bob")]);
    scene.told();
    let data = [("cart", "1"), ("seen", "tent")].into_iter().collect();
    let terms = Some(TermsStatus::Accepted);
    scene.apply(Command::Inherit { data, terms, sharing: None, help: None });
    assert_eq!(scene.told(), ["presence"], "of the whole");
    let view = scene.view().unwrap();
    assert_eq!(view.row.terms, terms);
    let data: serde_json::Value = serde_json::from_str(view.row.data.text()).unwrap();
    assert_eq!(data, serde_json::json!({"cart": "2", "name": "Bob", "seen": "tent"}));
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
