//! Pages of other nodes that are to be closed.

use super::scene::Scene;
use crate::{
    model::{ids::NodeId, signal::Outcome, timeline::PageEnd},
    presence::visitor::command::{Command, Departure},
    store::Record as _,
};

const NEAR: NodeId = NodeId { node: 1, incarnation: 1 };
const FAR: NodeId = NodeId { node: 2, incarnation: 1 };

/// The page `a1` is on one node, `a2` of the same tab came to the other.
fn superseded() -> Scene {
    let mut scene = Scene::with_pages(&["a1"]);
    scene.page("a2").on(FAR).connects();
    assert!(scene.told().contains(&"a1: close superseded".to_owned()));
    scene
}

#[test]
fn a_superseded_page_is_told_again_until_its_socket_is_closed() {
    let mut scene = superseded();
    for _ in 0..2 {
        scene.apply(Command::Missed { node: NEAR });
        assert_eq!(scene.told(), ["a1: close superseded"]);
    }
    scene.apply(Command::Missed { node: FAR });
    assert!(!scene.told().contains(&"a1: close superseded".to_owned()));
    assert_eq!(scene.visitor.holders(), [FAR, NEAR]);
    let (socket, cause) = (scene.address("a1"), PageEnd::Lost);
    scene.apply(Command::Close { socket, departure: Departure::Gone, cause });
    scene.apply(Command::Missed { node: NEAR });
    assert_eq!(scene.told().len(), 0);
    assert_eq!(scene.visitor.holders(), [FAR]);
}

#[test]
fn a_page_that_was_superseded_by_an_older_one_is_there_until_its_socket_is_closed() {
    // What the older page did came later: it came, and went.
    let mut scene = superseded();
    scene.page("a2").on(FAR).closes();
    assert_eq!(scene.signal(), Ok(Outcome::Held));
    scene.advance(400);
    scene.told();
    scene.page("a1").closes();
    scene.advance(4_999);
    assert_eq!(scene.told(), [""; 0]);
    assert_eq!(scene.outcome(1), Some(Outcome::Held));
    scene.page("a3").connects();
    assert_eq!(scene.told(), ["visitorsock true 1", "a3: signal 1"]);
}

#[test]
fn a_page_that_was_superseded_changes_nothing_when_its_socket_is_closed_beside_others_or_too_late()
{
    let mut scene = superseded();
    scene.told();
    scene.page("a1").closes();
    assert_eq!(scene.told(), [""; 0]);
    let mut scene = superseded();
    scene.page("a2").on(FAR).closes();
    scene.advance(5_000);
    assert_eq!(scene.told_conn(), ["visitorconn false"]);
    scene.page("a1").closes();
    scene.advance(60_000);
    assert_eq!(scene.told(), [""; 0]);
    assert!(scene.visitor.is_vacant(&scene.rules, scene.now));
}

#[test]
fn the_record_stays_until_the_socket_is_closed_or_its_node_is_gone_or_ten_minutes_are() {
    for end in ["close", "loss", "time"] {
        let mut scene = superseded();
        scene.page("a2").on(FAR).disconnects();
        scene.advance(60_000);
        assert!(!scene.visitor.is_vacant(&scene.rules, scene.now));
        let (socket, cause) = (scene.address("a1"), PageEnd::Lost);
        match end {
            "close" => {
                scene.apply(Command::Close { socket, departure: Departure::Gone, cause });
            }
            "loss" => {
                scene.apply(Command::NodeLost { node: 1, before: 2 });
            }
            _ => scene.advance(540_000),
        }
        assert!(scene.visitor.is_vacant(&scene.rules, scene.now), "{end}");
    }
}

#[test]
fn what_a_node_says_to_itself_need_not_be_said_again() {
    let mut scene = Scene::with_pages(&["a1"]);
    scene.page("a2").connects();
    scene.told();
    scene.apply(Command::Missed { node: NEAR });
    assert!(!scene.told().contains(&"a1: close superseded".to_owned()));
    assert_eq!(scene.visitor.holders(), [NEAR]);
}
