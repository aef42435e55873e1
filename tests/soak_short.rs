//! The soak of `benches/load`, a tenth of it, on the binary that the tests are built with.

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

#[test]
fn nothing_is_lost_and_nobody_leaves() {
    assert!(kit::soak::run(&kit::soak::Plan::short()));
}
