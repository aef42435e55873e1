//! The rules of design section 7, one test a rule.

mod losses;

use super::{
    ENDED_MEMORY_MS, MAX_PAGES, MAX_PARTS, MAX_QUESTIONS, MAX_VISITS, Policy, Shown, Stream,
    command::{Command, Effect, Reply, Seated, Way},
    scene::{START, Scene},
};
use crate::model::{
    cobrowse::{ConsentState, ConsentTo, EndReason, ViewState},
    error::ErrorCode,
    ids::{NodeId, SocketAddress, SocketId},
};

const NOTHING: [&str; 0] = [];
/// One agent, and the session ends soon after he is lost.
const STRICT: Policy =
    Policy { agents: 1, ends_with_agents: true, agent_grace_ms: 10_000, ..Policy::NATIVE };

fn refused(reply: Reply) -> ErrorCode {
    match reply {
        Reply::Refused(problem) => problem.code,
        other => panic!("{other:?}"),
    }
}

#[test]
fn customer_and_agent_make_it_active_and_a_controller_does_not() {
    let mut scene = Scene::new(Policy::NATIVE, true);
    scene.joins_as(Seated::Controller, "desk", "desk").unwrap();
    scene.enters("a1");
    assert_eq!(scene.told(), ["desk: joined 2", "a1 desk: 1 pages, a1"]);
    scene.joins("ann").unwrap();
    let told = scene.told();
    assert_eq!(told[..2], ["a1 desk: joined 3", "a1 ann desk: activated"]);
    assert_eq!(told[2..], ["a1: record", "a1 ann desk: view on"]);
    assert_eq!(scene.session.view().unwrap().activated, Some(START));
}

#[test]
fn nothing_is_recorded_before_the_visitor_agrees() {
    let mut scene = Scene::new(Policy::NATIVE, false);
    scene.enters("a1");
    assert!(!scene.told().iter().any(|told| told.contains("ask")), "nobody is there to see");
    scene.joins("ann").unwrap();
    let told = scene.told();
    assert_eq!(told[1..], ["a1 ann: activated", "a1 ann: consent view asked", "a1: ask view"]);
    assert_eq!(scene.consents(ConsentTo::View, true), Reply::Done);
    assert_eq!(scene.told(), ["a1 ann: consent view given", "a1: record", "a1 ann: view on"]);
    let consents: Vec<_> = scene.session.view().map(|view| view.view).into_iter().collect();
    assert_eq!(consents, [ViewState::On]);
}

#[test]
fn a_visitor_who_declines_ends_it_and_nothing_was_recorded() {
    let mut scene = Scene::new(Policy::NATIVE, false);
    scene.enters("a1");
    scene.joins("ann").unwrap();
    scene.told();
    scene.consents(ConsentTo::View, false);
    assert_eq!(scene.told(), ["a1 ann: consent view declined", "a1 ann: ended declined"]);
    let states: Vec<_> = scene.summary().consents.iter().map(|entry| entry.state).collect();
    assert_eq!(states, [ConsentState::Asked, ConsentState::Declined]);
}

#[test]
fn who_is_asked_and_changes_the_page_is_asked_there() {
    let mut scene = Scene::new(Policy::NATIVE, false);
    scene.enters("a1");
    scene.joins("ann").unwrap();
    scene.told();
    scene.loses("a1");
    scene.told();
    scene.enters("a2");
    let told = scene.told();
    assert!(told.contains(&"a2: ask view".into()), "{told:?}");
    scene.consents(ConsentTo::View, true);
    let states: Vec<_> = scene.session.view().into_iter().map(|view| view.view).collect();
    assert_eq!(states, [ViewState::On]);
}

#[test]
fn a_page_change_and_a_reload_end_nothing() {
    let mut scene = Scene::shared(STRICT);
    scene.loses("a1");
    let told = scene.told();
    assert_eq!(told, ["a1: stop", "ann: connection visitor false", "ann: 0 pages, "]);
    scene.advance(59_999);
    scene.enters("a2");
    let told = scene.told();
    assert_eq!(told, ["ann: connection visitor true", "a2: record", "a2 ann: 1 pages, a2"]);
    scene.loses("ann");
    assert_eq!(scene.told(), ["a2: connection ann false"]);
    scene.advance(9_999);
    scene.joins_as(Seated::Agent, "ann", "ann again").unwrap();
    assert_eq!(scene.told(), ["a2: connection ann true"]);
}

#[test]
fn who_does_not_come_back_ends_it_or_is_waited_for_as_the_policy_says() {
    let mut scene = Scene::shared(STRICT);
    scene.loses("ann");
    scene.advance(10_000);
    assert_eq!(scene.has_ended(), Some(EndReason::NetworkTimeout));
    let mut scene = Scene::shared(Policy::NATIVE);
    scene.loses("ann");
    scene.told();
    scene.advance(30_000);
    assert_eq!(scene.told(), ["a1: left ann lost", "a1: stop", "a1: view off"]);
    let a1 = scene.socket("a1");
    scene.apply(Command::Activity { socket: a1 });
    scene.advance(599_999);
    scene.joins("ben").unwrap();
    assert!(scene.told().contains(&"a1: record".into()));
    let mut scene = Scene::shared(Policy::NATIVE);
    scene.loses("a1");
    scene.advance(60_000);
    assert_eq!(scene.has_ended(), Some(EndReason::NetworkTimeout));
}

#[test]
fn a_customer_who_comes_apart_comes_alone_and_into_such_sessions_only() {
    let mut scene = Scene::apart(STRICT);
    assert!(matches!(scene.comes_apart("a1", Way::Apart), Reply::Entered(_)));
    for way in [Way::Apart, Way::ApartAgain] {
        assert_eq!(refused(scene.comes_apart("b1", way)), ErrorCode::TooMany, "{way:?}");
    }
    assert!(matches!(scene.comes_apart("a2", Way::ApartAgain), Reply::Entered(_)), "the same");
    scene.apply(Command::Restored { node: 1, before: 2 });
    assert_eq!(refused(scene.comes_apart("b2", Way::Apart)), ErrorCode::TooMany, "he is away");
    assert!(matches!(scene.comes_apart("a2", Way::ApartAgain), Reply::Entered(_)));
    for agreed in [false, true] {
        let mut visitors = Scene::new(STRICT, agreed);
        assert_eq!(refused(visitors.comes_apart("a1", Way::Apart)), ErrorCode::TooMany);
    }
}

#[test]
fn each_end_has_its_reason() {
    let mut scene = Scene::new(Policy::NATIVE, true);
    scene.enters("a1");
    let a1 = scene.socket("a1");
    scene.advance(300_000);
    scene.apply(Command::Activity { socket: a1 });
    scene.advance(300_000);
    assert_eq!(scene.has_ended(), Some(EndReason::NeverJoined));

    let mut scene = Scene::shared(Policy::NATIVE);
    scene.advance(600_000);
    assert_eq!(scene.has_ended(), Some(EndReason::UserTimeout));

    let mut scene = Scene::shared(Policy::NATIVE);
    let a1 = scene.socket("a1");
    for _ in 0..8 * 6 {
        scene.apply(Command::Activity { socket: a1 });
        scene.advance(599_999);
    }
    assert_eq!(scene.has_ended(), None);
    scene.apply(Command::Activity { socket: a1 });
    scene.advance(48);
    assert_eq!(scene.has_ended(), Some(EndReason::TooLong));

    let mut scene = Scene::shared(Policy::NATIVE);
    scene.leaves("visitor");
    assert_eq!(scene.has_ended(), Some(EndReason::Visitor));
    let mut scene = Scene::shared(STRICT);
    scene.leaves("ann");
    assert_eq!(scene.has_ended(), Some(EndReason::Agent));
    let mut scene = Scene::shared(Policy::NATIVE);
    scene.ends(EndReason::Controller);
    assert_eq!(scene.told().last().unwrap(), "a1 ann: ended controller");
    assert_eq!(scene.summary().reason, EndReason::Controller);
}

#[test]
fn an_end_stops_the_recording_first_and_leaves_a_history() {
    let mut scene = Scene::shared(Policy::NATIVE);
    scene.advance(1_000);
    scene.loses("a1");
    scene.advance(500);
    scene.enters("a2");
    scene.joins("ben").unwrap();
    scene.told();
    scene.advance(2_000);
    scene.apply(Command::End { reason: EndReason::Agent, text: Some("x".repeat(300).into()) });
    assert_eq!(scene.told(), ["a2: stop", "a2 ann ben: ended agent"]);
    let summary = scene.summary().clone();
    let times = |from: u64, to: u64| (START + from, Some(START + to));
    let pages: Vec<_> = summary.pages.iter().map(|visit| (visit.entered, visit.left)).collect();
    assert_eq!(pages, [times(0, 1_000), times(1_500, 3_500)]);
    let parts: Vec<_> = summary.parts.iter().map(|part| (&*part.name, part.joined)).collect();
    assert_eq!(parts, [("", START), ("ann", START), ("ben", START + 1_500)]);
    assert!(summary.parts.iter().all(|part| part.left == Some(START + 3_500)));
    assert_eq!(summary.text.map(|text| text.len()), Some(200));
    assert_eq!(refused(scene.enters("a3")), ErrorCode::NotFound);
    scene.advance(ENDED_MEMORY_MS);
    assert!(scene.session.is_vacant());
}

#[test]
fn a_pause_shows_nothing_and_takes_control_back() {
    let mut scene = Scene::shared(Policy::NATIVE);
    scene.asks_control("ann");
    scene.consents(ConsentTo::Control, true);
    scene.told();
    scene.apply(Command::Pause { paused: true });
    let told = scene.told();
    assert_eq!(told, ["a1 ann: consent control withdrawn", "a1: stop", "a1 ann: view paused"]);
    assert_eq!(refused(scene.asks_control("ann")), ErrorCode::NotFound);
    scene.loses("a1");
    scene.enters("a2");
    assert!(!scene.told().contains(&"a2: record".into()), "the next page is paused too");
    scene.apply(Command::Pause { paused: false });
    assert_eq!(scene.told(), ["a2: record", "a2 ann: view on"]);
}

#[test]
fn control_is_asked_for_apart_and_one_agent_has_it() {
    let mut scene = Scene::shared(Policy::NATIVE);
    scene.joins("ben").unwrap();
    scene.told();
    assert_eq!(scene.asks_control("ann"), Reply::Done);
    assert_eq!(scene.told(), ["a1 ann ben: consent control asked", "a1: ask control"]);
    assert_eq!(refused(scene.asks_control("ben")), ErrorCode::TooMany);
    scene.consents(ConsentTo::Control, true);
    assert_eq!(scene.session.view().unwrap().control, Some(scene.user("ann")));
    // Whoever works on the page blind works on it no more.
    scene.told();
    scene.loses("ann");
    assert_eq!(scene.told()[0], "a1 ben: consent control withdrawn");
    assert_eq!(scene.session.view().unwrap().control, None);
    assert_eq!(scene.asks_control("ben"), Reply::Done);
    assert_eq!(scene.consents(ConsentTo::Control, false), Reply::Done);
    assert_eq!(refused(scene.consents(ConsentTo::Control, true)), ErrorCode::NotFound);
    scene.ends(EndReason::Agent);
    let of_control = scene.summary().consents.iter().filter(|entry| entry.to == ConsentTo::Control);
    let states: Vec<_> = of_control.map(|entry| (entry.agent.as_deref(), entry.state)).collect();
    let expected = [
        (Some("ann"), ConsentState::Asked),
        (Some("ann"), ConsentState::Given),
        (Some("ann"), ConsentState::Withdrawn),
        (Some("ben"), ConsentState::Asked),
        (Some("ben"), ConsentState::Declined),
    ];
    assert_eq!(states, expected);
}

#[test]
fn the_page_with_the_focus_is_shown_and_no_other_is_recorded() {
    let mut scene = Scene::shared(Policy::NATIVE);
    scene.enters("b1");
    let told = scene.told();
    assert_eq!(told, ["a1: stop", "b1: record", "a1 ann b1: 2 pages, b1"]);
    let (a1, b1) = (scene.socket("a1"), scene.socket("b1"));
    scene.apply(Command::Activity { socket: a1 });
    assert_eq!(scene.told(), ["a1: record", "b1: stop", "a1 ann b1: 2 pages, a1"]);
    scene.apply(Command::Visibility { socket: a1, visible: false });
    assert_eq!(scene.told(), ["a1: stop", "b1: record", "a1 ann b1: 2 pages, b1"]);
    scene.apply(Command::Activity { socket: b1 });
    assert_eq!(scene.told(), NOTHING);
    // Another page of the tab takes the place.
    scene.enters("b2");
    assert_eq!(scene.told(), ["b1: stop", "b2: record", "a1 ann b2: 2 pages, b2"]);
}

#[test]
fn a_page_that_navigates_by_itself_is_another_visit_and_the_same_page() {
    let mut scene = Scene::shared(Policy::NATIVE);
    let socket = scene.socket("a1");
    let navigate = |title: &str| Command::Navigate {
        socket,
        url: "https://shop.example/next".into(),
        title: title.into(),
    };
    scene.advance(10);
    scene.apply(navigate("next"));
    scene.apply(navigate("renamed"));
    assert_eq!(scene.told(), ["a1 ann: 1 pages, next", "a1 ann: 1 pages, renamed"]);
    scene.ends(EndReason::Visitor);
    let visits: Vec<_> = scene.summary().pages.iter().map(|visit| visit.url.as_ref()).collect();
    assert_eq!(visits, ["https://shop.example/a1", "https://shop.example/next"]);
}

#[test]
fn one_agent_at_a_time_where_the_policy_says_so_unless_he_hands_over() {
    let mut scene = Scene::shared(STRICT);
    assert_eq!(scene.joins("ben"), Err(ErrorCode::TooMany));
    let ann = scene.user("ann");
    let hand_over = |to: &str| Command::Transfer { user: ann, to: to.into() };
    assert_eq!(refused(scene.apply(hand_over("ann"))), ErrorCode::BadRequest);
    assert_eq!(scene.apply(hand_over("ben")), Reply::Done);
    assert_eq!(scene.joins("eve"), Err(ErrorCode::TooMany));
    scene.told();
    scene.joins("ben").unwrap();
    assert_eq!(scene.told(), ["a1 ann: joined 3", "a1 ann ben: left ann transferred"]);
    assert_eq!(scene.has_ended(), None);
    let left = scene.session.view().unwrap().members.iter().any(|member| member.user == ann);
    assert!(!left);
    assert_eq!(scene.joins("ann"), Err(ErrorCode::TooMany), "the seat is ben's now");
    let late = Command::Transfer { user: scene.user("ben"), to: "ann".into() };
    scene.apply(late);
    let a1 = scene.socket("a1");
    scene.advance(300_000);
    scene.apply(Command::Activity { socket: a1 });
    scene.advance(300_000);
    assert_eq!(scene.joins("ann"), Err(ErrorCode::TooMany), "he came too late");
}

#[test]
fn everything_is_bounded() {
    let mut scene = Scene::shared(Policy { agents: u32::MAX, ..Policy::NATIVE });
    for tab in 'b'..='z' {
        scene.enters(&format!("{tab}1"));
    }
    for tab in 'A'.. {
        if let Reply::Refused(problem) = scene.enters(&format!("{tab}1")) {
            assert_eq!(problem.code, ErrorCode::TooMany);
            break;
        }
    }
    assert_eq!(scene.session.view().unwrap().pages.len(), MAX_PAGES);
    let joined = (0..100).take_while(|n| scene.joins(&format!("agent{n}")).is_ok()).count();
    assert_eq!(joined + 2, MAX_PARTS, "with the visitor and ann");
    let mut asked = 0;
    while scene.asks_control("ann") == Reply::Done {
        asked += 1;
        scene.consents(ConsentTo::Control, false);
    }
    assert_eq!(asked, MAX_QUESTIONS);
    for number in 0..2 * MAX_VISITS {
        let url = format!("https://shop.example/{number}").into();
        let socket = scene.socket("a1");
        scene.apply(Command::Navigate { socket, url, title: "".into() });
    }
    scene.ends(EndReason::Agent);
    let summary = scene.summary();
    assert_eq!(summary.pages.len(), MAX_VISITS);
    assert_eq!(summary.more_pages as usize, 2 * MAX_VISITS + MAX_PAGES - MAX_VISITS);
    assert!(scene.effects.iter().any(|effect| matches!(effect, Effect::Ended(_))));
}

#[test]
fn a_link_is_good_for_the_tab_that_opens_it_first() {
    let mut scene = Scene::new(Policy { agents: 1, ..Policy::NATIVE }, true);
    let mut opens = |link, tab, name: &str| {
        let by = format!("{name} in {tab}");
        scene.joins_by(Some(link), tab, Seated::Agent, name, &by)
    };
    let ann = opens(1, "t", "ann").unwrap();
    assert_eq!(opens(1, "u", "ann"), Err(ErrorCode::Authorization), "another tab of hers");
    assert_eq!(opens(1, "t", "ann"), Ok(ann), "a reload");
    // Who finds no seat has not opened it.
    assert_eq!(opens(2, "v", "bob"), Err(ErrorCode::TooMany));
    scene.leaves("ann");
    let mut opens = |link, tab, name: &str| {
        let by = format!("{name} in {tab}");
        scene.joins_by(Some(link), tab, Seated::Agent, name, &by)
    };
    assert!(opens(2, "w", "bob").is_ok());
    // Forgotten only when many others were opened since, which takes longer than a link lives.
    for link in 3..300 {
        assert!(opens(link, "w", "bob").is_ok());
    }
    assert_eq!(opens(299, "x", "bob"), Err(ErrorCode::Authorization));
}
