//! Wishes for help: each is told once, taken by one agent at most, and ends in one way.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::scene::{START, Scene};
use crate::{
    model::{
        error::ErrorCode,
        event::EventKind,
        help::HelpStatus,
        ids::{HelpId, NodeId, SocketAddress, SocketId},
        timeline::PageEnd,
    },
    presence::visitor::{
        Rules, Visitor,
        command::{Command, Connect, Departure, Reply},
        effect::Effect,
        help::Helper,
    },
};

fn help(number: u64) -> HelpId {
    HelpId::from_u128(number.into())
}

fn helper(name: &str) -> Helper {
    Helper { subject: name.into(), name: Some(name.into()) }
}

fn asks(number: u64) -> Command {
    Command::AskHelp { id: help(number), text: "Which size?".into() }
}

fn claims(number: u64, name: &str) -> Command {
    Command::ClaimHelp { id: help(number), helper: helper(name) }
}

fn refusal(reply: Reply) -> Option<ErrorCode> {
    match reply {
        Reply::Refused(problem) => Some(problem.code),
        _ => None,
    }
}

#[test]
fn every_page_hears_of_it_and_the_next_one_finds_it() {
    let mut scene = Scene::with_pages(&["a1", "b1"]);
    let Reply::Help(told) = scene.apply(asks(1)) else { panic!() };
    assert_eq!((told.help, told.status), (help(1), HelpStatus::Pending));
    assert_eq!(scene.told(), ["a1: help pending", "b1: help pending", "help pending"]);
    // Asked again, it is the same wish, and nobody is told twice.
    let Reply::Help(again) = scene.apply(asks(2)) else { panic!() };
    assert_eq!(again, told);
    assert_eq!(scene.told(), Vec::<String>::new());
    let row = scene.view().unwrap().row.help.unwrap();
    assert_eq!((row.help, row.asked, &*row.text), (help(1), START, "Which size?"));
    scene.page("a1").closes();
    assert_eq!(scene.page("a2").connects().help, Some(told));
}

#[test]
fn exactly_one_agent_takes_it() {
    let mut scene = Scene::with_pages(&["a1"]);
    scene.apply(asks(1));
    scene.told();
    let Reply::Help(taken) = scene.apply(claims(1, "ann")) else { panic!() };
    assert_eq!((taken.status, taken.agent.as_deref()), (HelpStatus::Accepted, Some("ann")));
    assert_eq!(scene.told(), ["a1: help accepted", "help accepted"]);
    assert_eq!(refusal(scene.apply(claims(1, "bea"))), Some(ErrorCode::Taken));
    assert_eq!(refusal(scene.apply(Command::DeclineHelp { id: help(1) })), Some(ErrorCode::Taken));
    // She lost the answer, and asks again.
    assert!(matches!(scene.apply(claims(1, "ann")), Reply::Help(_)));
    assert_eq!(scene.told(), Vec::<String>::new());
    // It does not expire any more, and he may ask anew.
    scene.advance(120_000);
    assert_eq!(scene.view().unwrap().row.help.unwrap().status, HelpStatus::Accepted);
    let Reply::Help(next) = scene.apply(asks(2)) else { panic!() };
    assert_eq!(next.help, help(2));
}

#[test]
fn it_ends_by_decline_cancel_time_or_leaving() {
    let ends = |how: &dyn Fn(&mut Scene)| {
        let mut scene = Scene::with_pages(&["a1"]);
        scene.apply(asks(1));
        scene.told();
        how(&mut scene);
        assert_eq!(refusal(scene.apply(claims(1, "ann"))), Some(ErrorCode::NotFound));
        assert!(scene.view().is_none_or(|view| view.row.help.is_none()));
        let told = scene.told();
        told.into_iter().filter(|text| text.starts_with("help")).collect::<Vec<_>>()
    };
    let unavailable = ends(&|scene| _ = scene.apply(Command::DeclineHelp { id: help(1) }));
    assert_eq!(unavailable, ["help unavailable"]);
    assert_eq!(ends(&|scene| _ = scene.apply(Command::CancelHelp)), ["help canceled"]);
    assert_eq!(ends(&|scene| scene.advance(60_000)), ["help unavailable"]);
    let left = ends(&|scene| {
        scene.page("a1").closes();
        scene.advance(5_000);
    });
    assert_eq!(left, ["help canceled"]);
}

#[test]
fn it_goes_on_under_a_known_id() {
    let mut anonymous = Scene::with_pages(&["a1"]);
    anonymous.apply(asks(1));
    let Reply::Joined { help: carried, .. } = anonymous.page("a1").joins("ada") else { panic!() };
    assert!(matches!(anonymous.apply(claims(1, "ann")), Reply::Elsewhere { .. }));
    let mut known = Scene::with_pages(&["a1"]);
    let data = crate::model::presence::PresenceUpdate::default();
    known.apply(Command::Inherit { data, terms: None, sharing: None, help: carried });
    assert_eq!(known.told(), ["a1: help pending", "help pending"]);
    assert!(matches!(known.apply(claims(1, "ann")), Reply::Help(_)));
}

#[test]
fn who_is_not_there_gets_none_and_a_restart_forgets_none() {
    assert_eq!(refusal(Scene::new().apply(asks(1))), Some(ErrorCode::VisitorNotPresent));
    let mut scene = Scene::with_pages(&["a1"]);
    scene.apply(asks(1));
    scene.restarts_after(2_000);
    assert_eq!(scene.page("a2").connects().help.unwrap().help, help(1));
}

#[derive(Clone, Debug)]
enum Happening {
    Connect,
    Gone,
    Disconnect,
    Ask,
    Cancel,
    Claim(bool),
    Decline,
    ClaimOld,
    Restart,
}

/// What is known of the wish without looking into the record.
#[derive(Default)]
struct Model {
    asked: u64,
    open: Option<(u64, u64)>,
    taken: Option<&'static str>,
    claims: BTreeSet<u64>,
}

proptest! {
    /// A naive model of the wish beside random lives of a visitor: every wish is told as pending once, then ends in one
    /// way, is taken by one agent at most, and late timers change nothing.
    #[test]
    fn a_wishs_life_follows_the_rules(
        steps in proptest::collection::vec(
            (prop_oneof![
                Just(Happening::Connect), Just(Happening::Connect), Just(Happening::Gone),
                Just(Happening::Disconnect), Just(Happening::Ask), Just(Happening::Ask),
                Just(Happening::Cancel), any::<bool>().prop_map(Happening::Claim),
                Just(Happening::Decline), Just(Happening::ClaimOld), Just(Happening::Restart),
            ], prop_oneof![Just(0_u64), 1..4_000_u64, 4_000..9_000_u64]),
            1..60,
        )
    ) {
        let rules = Rules { help_ms: 7_000, ..Scene::new().rules };
        let id = "ada".parse().unwrap();
        let mut visitor = Visitor::vacant(&rules, START);
        let (mut now, mut socket, mut incarnation) = (START, 0, 1);
        let mut model = Model::default();
        let mut sockets = Vec::new();
        for (happening, wait) in steps {
            now = now + wait;
            let node = NodeId { node: 1, incarnation };
            let command = match &happening {
                Happening::Connect => {
                    socket += 1;
                    let address = SocketAddress { node, socket: SocketId(socket) };
                    sockets.push(address);
                    Command::Connect(Box::new(Connect {
                        socket: address,
                        tab: format!("t{socket}").parse().unwrap(),
                        page: "p".parse().unwrap(),
                        accepted: now,
                        visible: true,
                        listening: false,
                        seen: Vec::new(),
                        data: None,
                        from: None,
                    }))
                }
                Happening::Gone | Happening::Disconnect => {
                    let Some(socket) = sockets.pop() else { continue };
                    let departure = match happening {
                        Happening::Gone => Departure::Gone,
                        _ => Departure::Disconnect,
                    };
                    Command::Close { socket, departure, cause: PageEnd::Lost }
                }
                Happening::Ask => asks(model.asked + 1),
                Happening::Cancel => Command::CancelHelp,
                Happening::Claim(first) => {
                    claims(model.asked, if *first { "ann" } else { "bea" })
                }
                Happening::Decline => Command::DeclineHelp { id: help(model.asked) },
                Happening::ClaimOld => claims(model.asked.saturating_sub(1), "ann"),
                Happening::Restart => {
                    incarnation += 1;
                    sockets.clear();
                    Command::NodeLost { node: 1, before: incarnation }
                }
            };
            let mut late = visitor.clone();
            let mut effects = Vec::new();
            if !matches!(command, Command::NodeLost { .. }) {
                while let Some(due) = visitor.deadline(&rules).filter(|due| *due < now) {
                    visitor.apply(&id, Command::Tick, due, &rules, &mut effects);
                }
            }
            let reply = visitor.apply(&id, command.clone(), now, &rules, &mut effects);
            let mut late_effects = Vec::new();
            prop_assert_eq!(&late.apply(&id, command, now, &rules, &mut late_effects), &reply);
            let statuses = |effects: &[Effect]| -> Vec<(HelpId, HelpStatus)> {
                effects.iter().filter_map(|effect| match effect {
                    Effect::Publish(event) => match &event.kind {
                        EventKind::HelpRequest(news) => Some((news.help, news.status)),
                        _ => None,
                    },
                    _ => None,
                }).collect()
            };
            prop_assert_eq!(statuses(&late_effects), statuses(&effects));
            let before = model.open;
            for (told, status) in statuses(&effects) {
                match status {
                    HelpStatus::Pending => {
                        model.asked += 1;
                        prop_assert!(model.open.is_none() || model.taken.is_some(), "one at a time");
                        prop_assert_eq!(told, help(model.asked));
                        (model.open, model.taken) = (Some((model.asked, now.0)), None);
                    }
                    HelpStatus::Accepted => {
                        let (open, asked) = model.open.unwrap();
                        prop_assert_eq!(told, help(open));
                        prop_assert!(model.claims.insert(open), "taken twice");
                        prop_assert!(now.0 < asked + rules.help_ms, "taken too late");
                        let Happening::Claim(first) = happening else { panic!("taken by nobody") };
                        model.taken = Some(if first { "ann" } else { "bea" });
                    }
                    HelpStatus::Unavailable | HelpStatus::Canceled => {
                        let (open, asked) = model.open.take().unwrap();
                        prop_assert_eq!(told, help(open));
                        let is_declined = matches!(happening, Happening::Decline);
                        let is_unavailable = status == HelpStatus::Unavailable;
                        prop_assert!(!is_unavailable || is_declined || now.0 >= asked + rules.help_ms);
                        model.taken = None;
                    }
                }
            }
            // Whoever comes second is told so.
            if let (Happening::Claim(first), Some(_), Some(by)) = (&happening, before.and(model.open), model.taken) {
                let is_same = by == if *first { "ann" } else { "bea" };
                let refused = refusal(reply.clone()) == Some(ErrorCode::Taken);
                prop_assert_eq!(refused, !is_same, "{:?}", reply);
            }
            if matches!(happening, Happening::ClaimOld) && model.asked > 1 {
                prop_assert_eq!(refusal(reply), Some(ErrorCode::NotFound));
            }
            let key = crate::model::ids::VisitorKey { group: "1".parse().unwrap(), visitor: id.clone() };
            let seen = visitor.view(&key).and_then(|view| view.row.help);
            prop_assert_eq!(seen.map(|help| help.help), model.open.map(|(open, _)| help(open)));
            prop_assert!(visitor.is_connected() || model.open.is_none(), "it ends with his leaving");
        }
    }
}
