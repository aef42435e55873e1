//! Codes that lead to the visitor.

use super::scene::Scene;
use crate::{
    model::{
        ids::{Code, SessionId},
        protocol::visitor::CodePurpose,
    },
    presence::visitor::command::{Command, Reply, Unique},
};

const NOTHING: [&str; 0] = [];

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
