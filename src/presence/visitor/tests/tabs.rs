//! Pages that follow each other in a tab.

use super::scene::{START, Scene};
use crate::{
    model::{ids::NodeId, signal::Outcome},
    presence::visitor::command::Reply,
};

const FAR: NodeId = NodeId { node: 2, incarnation: 1 };
const NOTHING: [&str; 0] = [];

#[test]
fn rule_2_1_a_page_that_connects_before_the_last_one_is_gone_takes_its_place() {
    let mut scene = Scene::with_pages(&["a1"]);
    assert!(scene.page("a2").connects().focus);
    assert_eq!(scene.told(), ["visitorsock true 2", "a1: close superseded", "visitorsock false 1"]);
    scene.page("a1").closes();
    assert_eq!(scene.told(), NOTHING);
}

/// A page that was delayed on its way, behind the next one of its tab.
#[test]
fn a_page_that_comes_behind_the_next_one_of_its_tab_is_superseded() {
    let mut scene = Scene::new();
    scene.advance(100);
    scene.page("a2").on(FAR).connects();
    scene.told();
    let before = scene.view().unwrap();
    let late = scene.page("a1").with_data([("title", "Old")]).accepted_at(START);
    assert_eq!(late.tries_to_connect(), Reply::Superseded);
    assert_eq!((scene.told().len(), scene.view().unwrap()), (0, before));
    // Its end, whatever it says, is none of the visitor's.
    scene.page("a1").disconnects();
    scene.advance(60_000);
    assert_eq!(scene.told(), NOTHING);
    assert!(scene.visitor.is_connected());
}

#[test]
fn a_page_that_was_superseded_is_not_let_in_when_it_tries_again() {
    let mut scene = Scene::with_pages(&["a1"]);
    scene.advance(100);
    scene.page("a2").on(FAR).connects();
    scene.told();
    // The answer to its first try was lost.
    assert_eq!(scene.page("a1").accepted_at(START).tries_to_connect(), Reply::Superseded);
    assert_eq!(scene.told(), NOTHING);
}

#[test]
fn what_a_page_that_comes_late_has_seen_is_acknowledged() {
    let mut scene = Scene::new();
    scene.advance(100);
    scene.page("a2").connects();
    scene.signal().unwrap();
    let late = scene.page("a1").saw(1).accepted_at(START);
    assert_eq!(late.tries_to_connect(), Reply::Superseded);
    assert_eq!(scene.outcome(1), Some(Outcome::Delivered));
}

#[test]
fn of_pages_that_were_accepted_at_once_the_one_that_comes_later_is_newer() {
    let mut scene = Scene::new();
    scene.page("a1").connects();
    scene.page("a2").on(FAR).connects();
    assert!(scene.told().contains(&"a1: close superseded".to_owned()));
}

/// A node's clock may be ahead of another's.
#[test]
fn a_moment_that_has_not_come_yet_makes_no_page_newer() {
    let mut scene = Scene::new();
    scene.page("a1").accepted_at(START + 1).connects();
    scene.page("a2").on(FAR).connects();
    assert!(scene.told().contains(&"a1: close superseded".to_owned()));
}

/// A page that lives on when the newer one is gone is there again.
#[test]
fn an_older_page_is_let_in_when_its_tab_shows_none() {
    let mut scene = Scene::new();
    scene.advance(100);
    scene.page("a2").connects();
    scene.page("a2").closes();
    scene.told();
    scene.page("a1").accepted_at(START).connects();
    assert_eq!(scene.told(), ["visitorsock true 1"]);
}
