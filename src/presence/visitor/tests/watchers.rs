//! Design sections 2.5 and 2.6: what watchers are told, and in which order they believe it.

use super::scene::{START, Scene};
use crate::{
    model::event::{EventKind, Position, Visibility},
    presence::visitor::{Rules, Visitor, effect::Effect},
};

const NOTHING: [&str; 0] = [];

#[test]
fn rule_2_5_a_watcher_gets_the_present_state_once() {
    let mut scene = Scene::new();
    scene.attach();
    assert_eq!(scene.told(), ["agent2: visitorconn false", "agent2: visitorsock false 0"]);
    scene.page("a1").connects();
    scene.page("a1").closes();
    scene.told();
    scene.attach();
    assert_eq!(scene.told(), ["agent2: visitorconn true", "agent2: visitorsock false 0"]);
}

#[test]
fn rule_2_5_a_watcher_who_comes_back_is_told_data_that_changed_while_he_was_away() {
    let mut scene = Scene::with_pages(&["a1"]);
    scene.page("a1").says([("cart", "1")]);
    let view = scene.view().unwrap();
    let known = Position { epoch: view.row.epoch, sequence: view.row.sequence };
    let state = ["agent2: visitorconn true", "agent2: visitorsock true 1"];
    let with_data = [state[0], state[1], "agent2: presence"];
    scene.told();
    scene.page("b1").connects();
    scene.page("b1").closes();
    scene.told();
    scene.attach_again(known);
    assert_eq!(scene.told(), state, "what else was told is no change of the data");
    scene.page("a1").says([("cart", "2"), ("name", "Ada")]);
    scene.told();
    scene.attach_again(known);
    let Some(Effect::Present { event, .. }) = scene.effects.last().cloned() else { panic!() };
    let EventKind::Presence(data) = event.kind else { panic!() };
    assert_eq!(data, [("cart", "2"), ("name", "Ada")].into_iter().collect());
    assert!(event.present);
    assert_eq!(scene.told(), with_data);
    scene.attach_again(Position { epoch: known.epoch - 1, sequence: u64::MAX });
    assert_eq!(scene.told(), with_data, "another epoch had other data");
    scene.page("a1").disconnects();
    scene.told();
    scene.attach_again(known);
    assert_eq!(scene.told(), ["agent2: visitorconn false", "agent2: visitorsock false 0"]);
}

#[test]
fn a_record_that_was_saved_before_positions_were_kept_tells_its_data() {
    let mut scene = Scene::with_pages(&["a1"]);
    scene.page("a1").says([("cart", "1")]);
    let view = scene.view().unwrap();
    let mut saved = serde_json::to_value(&scene.visitor).unwrap();
    saved.as_object_mut().unwrap().remove("data_sequence");
    scene.visitor = serde_json::from_value(saved).unwrap();
    scene.told();
    scene.attach_again(Position { epoch: view.row.epoch, sequence: view.row.sequence });
    assert!(scene.told().contains(&"agent2: presence".to_owned()));
}

#[test]
fn rule_2_5_visibility_is_told_on_changes_and_not_at_connect() {
    let mut scene = Scene::new();
    scene.page("a1").hidden().connects();
    assert_eq!(scene.told(), ["visitorconn true", "visitorsock true 1"]);
    scene.page("a1").shows();
    scene.page("a1").shows();
    assert_eq!(scene.told(), ["visibility visible"]);
    scene.page("b1").connects();
    scene.told();
    scene.page("a1").hides();
    assert_eq!(scene.told(), NOTHING);
    scene.page("b1").hides();
    assert_eq!(scene.view().unwrap().row.visibility, Some(Visibility::Hidden));
}

#[test]
fn rule_2_6_epoch_and_sequence_only_grow_even_in_one_millisecond() {
    let mut scene = Scene::new();
    scene.rules.signal_window_ms = 0;
    let mut last = (0, 0);
    for round in 0..20 {
        scene.attach();
        scene.page(&format!("a{round}")).reports_only().connects();
        scene.page(&format!("a{round}")).disconnects();
        for effect in std::mem::take(&mut scene.effects) {
            match effect {
                Effect::Publish(event) => {
                    assert!((event.epoch, event.sequence) > last);
                    last = (event.epoch, event.sequence);
                }
                Effect::Present { event, .. } => assert!((event.epoch, event.sequence) >= last),
                _ => {}
            }
        }
        if scene.visitor.is_vacant(&scene.rules, scene.now) {
            scene.visitor = Visitor::vacant(&scene.rules, scene.now);
        }
        scene.advance(round % 3);
    }
}

#[test]
fn rule_2_6_a_watcher_that_missed_the_leave_believes_the_record_that_was_made_anew() {
    let mut scene = Scene::new();
    scene.page("a1").connects();
    scene.page("a1").disconnects();
    let Some(Effect::Publish(last)) = scene.effects.last().cloned() else { panic!() };
    scene.advance(60_000);
    assert!(scene.visitor.is_vacant(&scene.rules, scene.now));
    scene.visitor = Visitor::vacant(&scene.rules, scene.now);
    scene.effects.clear();
    scene.attach();
    let Some(Effect::Present { event, .. }) = scene.effects.first() else { panic!() };
    assert!(event.epoch > last.epoch);
    scene.page("a2").connects();
    assert_eq!(scene.view().unwrap().row.epoch, scene.now.0);
}

#[test]
fn rule_2_6_an_absence_is_older_than_an_arrival_that_is_made_late() {
    let rules = Rules { late_ms: 2_500, ..Scene::new().rules };
    let mut arrival = Scene::with(rules);
    arrival.page("a1").connects();
    let arrived = arrival.view().unwrap().row.epoch;
    // Another node finds no record yet, when this one has applied the command already.
    let now = START + 2_500;
    let mut absence = Scene::with(rules);
    (absence.now, absence.visitor) = (now, Visitor::vacant(&rules, now));
    absence.attach();
    let epochs = absence.effects.iter().filter_map(|effect| match effect {
        Effect::Present { event, .. } => Some(event.epoch),
        _ => None,
    });
    let epochs: Vec<u64> = epochs.collect();
    assert!(!epochs.is_empty() && epochs.iter().all(|epoch| *epoch < arrived), "{epochs:?}");
    // And newer than a visit that is forgotten.
    arrival.page("a1").disconnects();
    assert!(!arrival.visitor.is_vacant(&rules, START + 2_501));
    arrival.advance(65_000);
    assert!(arrival.visitor.is_vacant(&rules, arrival.now));
    assert!(absence.visitor.is_vacant(&rules, now));
}
