//! Pages that the record lost sight of, since their node came too late to say what it knew.

use super::scene::Scene;
use crate::{
    model::{ids::NodeId, signal::Outcome},
    presence::visitor::{Visitor, command::Command},
    store::Record as _,
};

const NOTHING: [&str; 0] = [];
const NEAR: NodeId = NodeId { node: 1, incarnation: 1 };
const FAR: NodeId = NodeId { node: 2, incarnation: 1 };

/// What the node of the pages knows that made the record `known`.
fn holds(known: &Visitor) -> Command {
    Visitor::holds(NEAR, Some(known)).unwrap()
}

/// The record as it was, which the others went on with, and what the node of the pages says behind that.
fn late(scene: &mut Scene, before: &Visitor) {
    let command = holds(&scene.visitor);
    scene.visitor = before.clone();
    scene.told();
    scene.apply(command);
}

#[test]
fn pages_that_were_lost_are_there_again_and_those_that_had_gone_are_gone() {
    let mut scene = Scene::with_pages(&["a1", "b1"]);
    let before = scene.visitor.clone();
    scene.page("b1").closes();
    scene.page("c1").connects();
    late(&mut scene, &before);
    let has: Vec<_> = scene.visitor.sockets().collect();
    assert_eq!(has, [scene.address("a1"), scene.address("c1")]);
    let told = scene.told();
    assert_eq!(told[..2], ["visitorsock true 3", "b1: blur"], "{told:?}");
    assert!(told.contains(&"visitorsock false 2".to_owned()), "{told:?}");
    assert!(told.contains(&"c1: focus".to_owned()), "it learns how it stands: {told:?}");
    assert!(!told.iter().any(|told| told.starts_with("visitorconn")), "{told:?}");
}

#[test]
fn a_signal_that_was_sent_to_a_page_that_had_gone_comes_to_another_one() {
    let mut scene = Scene::with_pages(&["a1", "b1"]);
    let mut before = scene.visitor.clone();
    scene.page("b1").closes();
    // Meanwhile the others send one to where they know the focus.
    std::mem::swap(&mut scene.visitor, &mut before);
    scene.told();
    scene.signal().unwrap();
    assert_eq!(scene.told(), ["b1: signal 1"]);
    scene.apply(holds(&before));
    scene.advance(2_500);
    assert!(scene.told().contains(&"a1: signal 1".to_owned()));
    scene.page("a1").acknowledges(1);
    assert_eq!(scene.outcome(1), Some(Outcome::Delivered));
}

#[test]
fn a_page_whose_tab_shows_a_newer_one_or_that_is_to_be_closed_stays_out() {
    // The next page of the tab came to the others.
    let mut scene = Scene::with_pages(&["b1"]);
    let without = scene.visitor.clone();
    scene.page("a1").connects();
    let known = scene.visitor.clone();
    scene.visitor = without;
    scene.advance(100);
    scene.page("a2").on(FAR).connects();
    scene.told();
    scene.apply(holds(&known));
    assert_eq!(scene.told(), ["a1: close superseded"]);
    assert_eq!(scene.visitor.sockets().count(), 2);

    // They knew it, and it was superseded there.
    let mut scene = Scene::with_pages(&["b1", "a1"]);
    let known = scene.visitor.clone();
    scene.page("a2").on(FAR).connects();
    scene.page("a2").on(FAR).disconnects();
    scene.told();
    scene.apply(holds(&known));
    assert_eq!(scene.told(), NOTHING);
    assert_eq!(scene.visitor.sockets().count(), 1);
}

#[test]
fn who_is_there_but_was_told_gone_is_there_in_a_new_epoch() {
    let mut scene = Scene::with_pages(&["a1"]);
    let _ = scene.page("a1").says([("cart", "3")]);
    let before = scene.visitor.clone();
    scene.page("a1").disconnects();
    let (gone, command) = (scene.visitor.told(), holds(&scene.visitor));
    // The others know nothing of that, and he comes to them.
    scene.visitor = before;
    scene.page("b1").on(FAR).connects();
    scene.told();
    scene.apply(command.clone());
    let told = scene.told();
    let last = ["visitorconn true", "visitorsock true 1", "presence"];
    assert!(told.ends_with(&last.map(str::to_owned)), "{told:?}");
    let now = scene.visitor.told();
    assert!(now.epoch > gone.epoch && now.connected);
    scene.apply(command);
    assert_eq!(scene.told(), NOTHING, "once");
}

#[test]
fn who_was_told_to_have_come_back_is_in_no_earlier_epoch() {
    let mut scene = Scene::with_pages(&["a1"]);
    let before = scene.visitor.clone();
    scene.page("a1").disconnects();
    scene.advance(10);
    scene.page("a2").connects();
    let known = scene.visitor.told();
    late(&mut scene, &before);
    let told = scene.told();
    assert!(
        told.ends_with(&["visitorconn true".to_owned(), "visitorsock true 1".to_owned()]),
        "{told:?}"
    );
    assert!(scene.visitor.told().epoch > known.epoch);
    let without = Visitor::holds(FAR, Some(&scene.visitor));
    assert_eq!(without, None, "who has no page of his has nothing to say");
}

#[test]
fn what_the_record_knows_already_changes_nothing() {
    let mut scene = Scene::with_pages(&["a1", "b1"]);
    scene.page("c1").on(FAR).connects();
    scene.told();
    let before = scene.visitor.clone();
    scene.apply(holds(&before));
    assert_eq!((scene.told().len(), &scene.visitor), (0, &before));
}

#[test]
fn a_node_that_knows_of_no_page_has_none() {
    let mut scene = Scene::with_pages(&["a1"]);
    scene.apply(Visitor::holds(NEAR, None).unwrap());
    assert_eq!(scene.told(), ["visitorsock false 0"]);
    scene.advance(5_000);
    assert_eq!(scene.told(), ["visitorconn false"]);
}

#[test]
fn what_changed_of_a_page_is_known_again() {
    let mut scene = Scene::with_pages(&["a1", "b1"]);
    let before = scene.visitor.clone();
    scene.page("b1").hides();
    late(&mut scene, &before);
    assert_eq!(scene.told(), ["b1: blur", "a1: focus"]);
}
