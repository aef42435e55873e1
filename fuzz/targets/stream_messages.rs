//! Text messages of streams.

use vestibule::model::protocol::{
    Numbered,
    stream::{MAX_POINTS, MAX_TICKET_BYTES, Mark, StreamMessage},
};

use super::messages::{numbered, refused, reread};

pub fn run(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let Numbered { request, message } = match StreamMessage::read(text) {
        Ok(read) => read,
        Err(unreadable) => return refused(&unreadable),
    };
    numbered(request);
    reread(text);
    match message {
        StreamMessage::Hello { ticket, .. } => assert!(ticket.len() <= MAX_TICKET_BYTES),
        StreamMessage::Mark(Mark::Cursor { x, y } | Mark::Spotlight { x, y }) => {
            assert_eq!(x.is_some(), y.is_some());
            assert!(x.into_iter().chain(y).all(f32::is_finite), "what is no number is no place");
        }
        StreamMessage::Mark(Mark::Stroke { colour, points, .. }) => {
            assert_eq!(colour.len(), 7);
            assert!(points.len() <= MAX_POINTS && points.iter().flatten().all(|at| at.is_finite()));
        }
        _ => {}
    }
}
