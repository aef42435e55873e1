//! Single rules of a chat that its random lives do not reach.

use super::{
    Conversation, MOVED_MS, Rules,
    command::{Command, Effect, EndedBy, Reply, Saying, Tell, Voice},
};
use crate::{
    clock::Timestamp,
    model::{
        chat::{ChatEnd, ChatStatus, Person, VIEW_BYTES},
        error::ErrorCode,
        ids::{ChatId, VisitorId},
    },
};

const RULES: Rules = Rules {
    invited_ms: 120_000,
    waiting_ms: 900_000,
    idle_ms: 1_800_000,
    visitor_grace_ms: 60_000,
    most_messages: 2_000,
};

/// A chat and the time.
struct Scene {
    visitor: VisitorId,
    chat: Conversation,
    now: Timestamp,
    effects: Vec<Effect>,
}

impl Scene {
    fn of(visitor: &str) -> Self {
        let visitor = visitor.parse().unwrap();
        Self { visitor, chat: Conversation::default(), now: Timestamp(10_000), effects: Vec::new() }
    }

    fn waiting(visitor: &str, chat: u128) -> Self {
        let mut scene = Self::of(visitor);
        scene.apply(Command::Open { chat: id(chat), button: None, available: true });
        scene
    }

    fn apply(&mut self, command: Command) -> Reply {
        self.effects.clear();
        self.chat.apply(&self.visitor, command, self.now, &RULES, &mut self.effects)
    }

    fn says(&mut self, text: &str, id: &str) -> Reply {
        let (text, id) = (text.into(), Some(id.parse().unwrap()));
        self.apply(Command::Say(Box::new(Saying { chat: None, by: Voice::Visitor, text, id })))
    }

    /// Who was told of which end.
    fn ends(&self) -> Vec<(ChatEnd, Tell)> {
        let ends = self.effects.iter().filter_map(|effect| match effect {
            Effect::Stands { view, tell, .. } => view.reason.map(|reason| (reason, *tell)),
            _ => None,
        });
        ends.collect()
    }
}

fn id(chat: u128) -> ChatId {
    ChatId::from_u128(chat)
}

fn ann() -> Person {
    Person { subject: "ann".into(), name: Some("Ann".into()) }
}

#[test]
fn a_chat_goes_along_to_a_known_id() {
    let mut anonymous = Scene::waiting("~0123456789abcdef0123456789abcdef", 1);
    anonymous.says("one", "a");
    let known: VisitorId = "ada".parse().unwrap();
    let Reply::Joined(Some(running)) = anonymous.apply(Command::Join { known: known.clone() })
    else {
        panic!("it did not go along")
    };
    let mut ada = Scene::of("ada");
    ada.apply(Command::Inherit(running.clone()));
    let [Effect::Stands { view, row, tell: Tell::Again, .. }] = &*ada.effects else {
        panic!("{:?}", ada.effects)
    };
    assert_eq!((view.messages.len(), row.visitorid.as_str()), (1, "ada"));
    // Who still asks under the old id is sent on, for a while.
    assert_eq!(anonymous.says("two", "b"), Reply::Elsewhere { known });
    anonymous.now = anonymous.now + MOVED_MS;
    anonymous.apply(Command::Tick);
    assert!(anonymous.chat.is_vacant());
    // Who has a chat there keeps that one, and agents learn that the other is over.
    let mut bea = Scene::waiting("bea", 2);
    bea.apply(Command::Inherit(running));
    assert_eq!(bea.ends(), [(ChatEnd::Visitor, Tell::Agents)]);
    assert_eq!(bea.chat.running().map(|running| running.chat), Some(id(2)));
}

#[test]
fn typing_is_told_now_and_then_and_only_to_those_who_talk() {
    let mut scene = Scene::waiting("ada", 1);
    let types = |scene: &mut Scene, by: &Voice| {
        scene.apply(Command::Typing { chat: None, by: by.clone() });
        scene.effects.len()
    };
    let (visitor, agent) = (Voice::Visitor, Voice::Agent(ann()));
    assert_eq!(types(&mut scene, &visitor), 0, "nobody is there");
    scene.apply(Command::Claim { chat: id(1), by: ann() });
    assert_eq!((types(&mut scene, &visitor), types(&mut scene, &visitor)), (1, 0));
    assert_eq!(types(&mut scene, &agent), 1, "each has his own pace");
    let other = Voice::Agent(Person { subject: "bob".into(), name: None });
    assert_eq!(types(&mut scene, &other), 0);
    scene.now = scene.now + 3_000;
    assert_eq!(types(&mut scene, &visitor), 1);
}

#[test]
fn what_is_kept_in_memory_is_bounded_and_numbers_go_on() {
    let mut scene = Scene::waiting("ada", 1);
    for n in 1..=300_u32 {
        let text = "x".repeat(if n > 200 { 4_000 } else { 10 });
        assert!(
            matches!(scene.says(&text, &n.to_string()), Reply::Said { n: said, .. } if said == n)
        );
    }
    let view = scene.chat.running().unwrap().view();
    assert_eq!(view.messages.last().unwrap().n, 300);
    assert!(view.messages.iter().map(|message| message.text.len()).sum::<usize>() <= VIEW_BYTES);
    let saved = serde_json::to_vec(&scene.chat).unwrap().len();
    assert!(saved < VIEW_BYTES + 10_000, "{saved}");
    // An old name is forgotten after many others; a recent one is not.
    assert!(matches!(scene.says("again", "300"), Reply::Said { n: 300, .. }));
    assert!(matches!(scene.says("again", "1"), Reply::Said { n: 301, .. }));
}

#[test]
fn time_stands_still_over_a_restart() {
    let mut scene = Scene::waiting("ada", 1);
    scene.now = scene.now + RULES.waiting_ms + 1;
    scene.apply(Command::Resume);
    let [Effect::Stands { view, tell: Tell::Again, .. }] = &*scene.effects else {
        panic!("{:?}", scene.effects)
    };
    assert_eq!(view.status, ChatStatus::Waiting);
    scene.now = scene.now + RULES.visitor_grace_ms;
    scene.apply(Command::Tick);
    assert_eq!(scene.ends(), [(ChatEnd::Unanswered, Tell::News)]);
}

#[test]
fn a_back_end_ends_any_chat_and_the_site_speaks_in_any() {
    let mut scene = Scene::waiting("ada", 1);
    let (by, text) = (Voice::System, "Our desk closes in five minutes.".into());
    let saying = Saying { chat: Some(id(1)), by, text, id: None };
    assert!(matches!(
        scene.apply(Command::Say(Box::new(saying.clone()))),
        Reply::Said { n: 1, .. }
    ));
    assert!(
        matches!(scene.apply(Command::Say(Box::new(saying))), Reply::Said { n: 2, .. }),
        "no name"
    );
    scene.apply(Command::Claim { chat: id(1), by: ann() });
    assert_eq!(scene.apply(Command::End { chat: Some(id(1)), by: EndedBy::Group }), Reply::Done);
    assert_eq!(scene.ends(), [(ChatEnd::Agent, Tell::News)]);
    let Reply::Refused(problem) =
        scene.apply(Command::End { chat: Some(id(1)), by: EndedBy::Group })
    else {
        panic!("ended twice")
    };
    assert_eq!(problem.code, ErrorCode::NotFound);
}
