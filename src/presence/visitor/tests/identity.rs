//! Anonymous visitors who become known.

use super::scene::Scene;
use crate::{
    model::event::TermsStatus,
    presence::visitor::command::{Command, Reply},
};

const NOTHING: [&str; 0] = [];

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
