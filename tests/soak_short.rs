//! The soak and the storms of `benches/load`, a tenth of each and less, on the binary that the tests are built with.

// A load generator stops at the first surprise.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs,
    dead_code
)]

#[path = "../benches/load/kit/mod.rs"]
mod kit;

use kit::{
    bayeux,
    nodes::named_server,
    soak::{self, loss::Loss, rolling::Rolling, storm::Storm},
};

#[test]
fn nothing_is_lost_and_nobody_leaves() {
    assert!(soak::run(&soak::Plan::short()));
}

#[test]
fn a_restart_loses_no_signal_and_tells_no_leave() {
    assert!(soak::storm::run(&Storm::short_restart()));
}

#[test]
fn all_come_back_after_a_crash_and_nobody_hears_of_a_leave() {
    assert!(soak::storm::run(&Storm::short_avalanche()));
}

#[test]
fn nodes_restarted_one_after_another_lose_no_signal_and_tell_no_leave() {
    assert!(named_server().is_none() || soak::rolling::run(&Rolling::short()));
}

/// A balancer that does not ask whether a node is ready finds out by the connections that it refuses.
#[test]
fn behind_a_balancer_that_does_not_ask_a_restart_tells_no_leave_either() {
    let blind = Rolling { is_blind: true, ..Rolling::short() };
    assert!(named_server().is_none() || soak::rolling::run(&blind));
}

#[test]
fn of_a_killed_node_those_who_come_back_never_left_and_the_others_leave_in_time() {
    assert!(named_server().is_none() || soak::loss::run(&Loss::short()));
}

#[test]
fn connects_are_held_and_answered_and_clients_that_stay_away_forgotten() {
    assert!(bayeux::run(&bayeux::Plan::short()));
}

/// The visitors of the load generator come back as the SDK's do.
#[test]
fn clients_come_back_by_the_same_table_as_the_sdk() {
    let fixture = include_str!("fixtures/backoff.json");
    let rows: Vec<serde_json::Value> = serde_json::from_str(fixture).unwrap();
    assert!(rows.len() >= 10);
    for row in rows {
        let number = |name: &str| row[name].as_u64();
        let delay = kit::backoff::delay_ms(
            number("failures").unwrap() as u32,
            number("ageMs").unwrap(),
            number("orderedMs"),
            row["random"].as_f64().unwrap(),
        );
        assert!((delay - row["delayMs"].as_f64().unwrap()).abs() < 0.001, "{row}: {delay}");
    }
}
