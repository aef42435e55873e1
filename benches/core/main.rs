//! What the pure parts cost, each in a file: visitors' records and the engine around them, events for back ends, frames
//! and messages, live lists.
//!
//! `cargo bench --bench core`

// A benchmark stops at the first surprise.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs
)]

mod events;
mod lists;
mod messages;
mod visitors;

use vestibule::model::protocol::visitor::{Hello, VisitorMessage};

/// What a page says first.
const HELLO: &str = r#"{"type":"hello","visitorid":"ada","tab":"tab-1","page":"page-1","visible":true,"listen":true,"seen":[],"data":{"url":"https://shop.example/p/1","title":"A page of the shop","browser":"chrome","browserver":"130","platform":"linux"}}"#;

fn hello() -> Hello {
    match VisitorMessage::read(HELLO).unwrap().message {
        VisitorMessage::Hello(hello) => *hello,
        _ => unreachable!(),
    }
}

fn main() {
    divan::main();
}
