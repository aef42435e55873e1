//! Pages of other nodes that are to be closed.

use super::scene::Scene;
use crate::{
    model::{ids::NodeId, timeline::PageEnd},
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
