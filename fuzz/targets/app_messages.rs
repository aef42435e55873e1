//! Messages of apps, in the words of the facades' sockets.

use vestibule::facades::glance::DIALECTS;

use super::{
    frames,
    messages::{refused, reread},
    visitor_messages::accepted,
};

/// Longest frame that tells a refusal.
const LONGEST_REFUSAL: usize = 700;

pub fn run(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    for dialect in DIALECTS {
        match (dialect.read)(text) {
            Ok(said) => {
                // An app numbers nothing, and may write its ids as numbers; both are told in text.
                assert_eq!(said.message.request, None);
                accepted(&said.message.message, reread(text).as_ref());
            }
            Err(unreadable) => {
                refused(&unreadable);
                let frame = (dialect.refusal)(unreadable.request, unreadable.problem);
                assert!(frame.bytes().len() <= LONGEST_REFUSAL);
                frames::is_heard(&frame);
            }
        }
    }
}
