//! What restarts, lost nodes and outages leave of a session.

use super::*;

#[test]
fn a_restart_of_the_server_is_a_lost_connection_of_everybody() {
    let mut scene = Scene::shared(STRICT);
    scene.restarts_after(3_600_000);
    assert_eq!(scene.has_ended(), None);
    scene.told();
    scene.advance(5_000);
    scene.enters("a2");
    scene.joins_as(Seated::Agent, "ann", "ann again").unwrap();
    let told = scene.told();
    assert!(
        told.contains(&"a2: record".into()) && !told.iter().any(|told| told.contains("joined"))
    );
    assert_eq!(scene.session.view().unwrap().view, ViewState::On);
}

#[test]
fn a_lost_node_changes_nothing_for_those_who_were_at_others() {
    let mut scene = Scene::shared(Policy::NATIVE);
    scene.loses("ann");
    scene.advance(20_000);
    scene.told();
    scene.apply(Command::NodeLost { node: 2, before: 9 });
    assert!(scene.told().is_empty());
    scene.advance(10_000);
    assert_eq!(scene.told()[0], "a1: left ann lost", "she was waited for as long as ever");
    // His own sockets it takes along.
    scene.apply(Command::NodeLost { node: 1, before: 2 });
    assert!(scene.session.nodes().is_empty());
    scene.advance(60_000);
    assert_eq!(scene.has_ended(), Some(EndReason::NetworkTimeout));
}

#[test]
fn a_page_streams_while_it_is_recorded_from_wherever_it_likes() {
    let mut scene = Scene::shared(Policy::NATIVE);
    let elsewhere = NodeId { node: 7, incarnation: 3 };
    let stream = |epoch| {
        let socket = SocketAddress { node: elsewhere, socket: SocketId(1) };
        Stream { epoch, socket }
    };
    assert_eq!(refused(scene.apply(Command::Stream(stream(2)))), ErrorCode::NotFound);
    assert_eq!(scene.apply(Command::Stream(stream(1))), Reply::Done);
    let Some(Effect::Streams { nodes, .. }) = scene.effects.last() else { panic!("nobody knows") };
    assert!(nodes.contains(&elsewhere) && nodes.len() == 2, "the viewers' node and its own");
    let shown = Shown { recorded: Some(1), stream: Some(stream(1)) };
    assert_eq!(scene.session.shown(), Some(shown));
    assert!(scene.session.nodes().contains(&elsewhere));
    scene.effects.clear();
    scene.apply(Command::Pause { paused: true });
    let stop = scene.effects.iter().find_map(|effect| match effect {
        Effect::Record { on: false, nodes, .. } => Some(nodes.clone()),
        _ => None,
    });
    assert!(stop.is_some_and(|nodes| nodes.contains(&elsewhere)), "it hears that it is to stop");
    assert_eq!(scene.session.shown(), Some(Shown { recorded: None, stream: None }));
    assert_eq!(refused(scene.apply(Command::Stream(stream(1)))), ErrorCode::NotFound);
    scene.apply(Command::Pause { paused: false });
    scene.apply(Command::Stream(stream(1)));
    scene.apply(Command::NodeLost { node: 7, before: 4 });
    assert_eq!(scene.session.shown(), Some(Shown { recorded: Some(1), stream: None }));
}

#[test]
fn how_it_ended_is_said_again_until_all_is_done_that_this_leads_to() {
    let ends = |scene: &mut Scene| {
        let is_end = |effect: &Effect| matches!(effect, Effect::Ended(_));
        std::mem::take(&mut scene.effects).iter().filter(|effect| is_end(effect)).count()
    };
    for is_concluded in [true, false] {
        let mut scene = Scene::shared(Policy::NATIVE);
        scene.ends(EndReason::Agent);
        assert_eq!(ends(&mut scene), 1);
        scene.advance(5_000);
        assert_eq!(ends(&mut scene), 1, "whoever was to see to it may be gone");
        if is_concluded {
            scene.apply(Command::Concluded);
        }
        scene.advance(55_000);
        assert_eq!(ends(&mut scene) > 0, !is_concluded);
        assert!(scene.session.is_vacant(), "it is remembered no longer than any");
    }
}

#[test]
fn after_an_outage_it_is_said_once_more_before_it_is_forgotten() {
    let mut scene = Scene::shared(Policy::NATIVE);
    scene.ends(EndReason::Agent);
    scene.effects.clear();
    scene.now = scene.now + 600_000;
    scene.apply(Command::Tick);
    assert!(matches!(&scene.effects[..], [Effect::Ended(_)]), "{:?}", scene.effects);
    assert!(scene.session.is_vacant());
}
