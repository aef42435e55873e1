//! The visitor's chat, as his record knows of it.

use std::sync::Arc;

use super::scene::Scene;
use crate::{
    model::{
        chat::{ChatMessage, ChatStatus, ChatView, Speaker},
        ids::ChatId,
    },
    presence::visitor::{Visitor, command::Command},
};

fn stands(status: ChatStatus, turn: u64) -> Command {
    let chat = ChatId::from_u128(1);
    let view = ChatView { chat, button: None, status, agent: None, reason: None, messages: vec![] };
    Command::Chat { view: Arc::new(view), said: None, news: true, turn }
}

#[test]
fn it_is_written_with_the_record() {
    let mut scene = Scene::with_pages(&["a1"]);
    scene.apply(stands(ChatStatus::Open, 1));
    let row = serde_json::to_string(&scene.visitor).unwrap();
    let read: Visitor = serde_json::from_str(&row).unwrap();
    assert_eq!(read, scene.visitor);
    assert!(read.chat.is_some());
}

#[test]
fn what_is_told_too_late_changes_nothing() {
    let mut scene = Scene::with_pages(&["a1"]);
    scene.apply(stands(ChatStatus::Waiting, 1));
    scene.apply(stands(ChatStatus::Ended, 4));
    scene.told();
    // Another node was slower.
    scene.apply(stands(ChatStatus::Open, 2));
    assert_eq!(scene.told(), Vec::<String>::new());
    assert!(scene.visitor.chat.is_none());
    let Command::Chat { view, .. } = stands(ChatStatus::Open, 3) else { panic!() };
    let (from, name, at) = (Speaker::Visitor, None, crate::clock::Timestamp(1));
    let said = Some(Arc::new(ChatMessage { n: 1, at, from, name, text: "late".into() }));
    scene.apply(Command::Chat { view, said, news: false, turn: 3 });
    assert_eq!(scene.told().len(), 1, "words are not lost");
    assert!(scene.visitor.chat.is_none());
}
