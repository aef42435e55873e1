//! Queries of REST, and what stands in them: filters, cursors, ids. The first line is a query string; the next ones are
//! types, a visitor and a place, as they are once the query is taken apart.

use vestibule::{
    events::{
        cursor::{Cursor, Place},
        filter::Filter,
    },
    http::{
        events::EventQuery, explain::ExplainQuery, extract::form, list_params::ListParams,
        webhooks::LetterQuery,
    },
    lists::page,
    model::{
        event::EventKind,
        ids::{Code, GroupId, IdempotencyKey, PageId, SignalId, TabId, VisitorId},
        presence::MAX_VALUE_BYTES,
    },
};

use super::messages;

pub fn run(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let mut lines = text.split('\n');
    let (query, types) = (lines.next().unwrap_or_default(), lines.next());
    let (visitor, place) = (lines.next(), lines.next().unwrap_or_default());
    form::<ExplainQuery>(query, "query").err().iter().for_each(messages::problem);
    form::<EventQuery>(query, "query").err().iter().for_each(messages::problem);
    let pairs = form::<Vec<(String, String)>>(query, "query");
    let list = pairs.and_then(|pairs| ListParams::read(&pairs));
    match list {
        Ok(list) => list.page.after.iter().for_each(stays),
        Err(problem) => messages::problem(&problem),
    }
    form::<LetterQuery>(query, "query").err().iter().for_each(messages::problem);

    match Filter::read(types, visitor) {
        Ok(filter) => {
            let names: Vec<_> = filter.kinds.names().collect();
            assert!(!names.is_empty() && names.iter().all(|name| EventKind::NAMES.contains(name)));
            let written = names.join(",");
            let again =
                Filter::read(Some(&written), filter.visitor.as_ref().map(VisitorId::as_str));
            assert_eq!(again, Ok(filter));
        }
        Err(problem) => messages::problem(&problem),
    }
    match place.parse::<Place>() {
        Ok(Place::At(cursor)) => assert_eq!(cursor.to_string().parse::<Cursor>(), Ok(cursor)),
        Ok(Place::Start) => assert_eq!(place, "start"),
        Ok(Place::Now) => assert_eq!(place, "now"),
        Err(invalid) => assert!(!invalid.rule.is_empty()),
    }
    for line in text.split('\n') {
        reads_back(line);
    }
}

/// A list's cursor that was read stands for the same place when it is handed out and read again. What was no text has
/// grown by being made one, and may be too long then.
fn stays(cursor: &page::Cursor) {
    let text = cursor.text();
    match page::Cursor::read(&text) {
        Ok(again) => assert_eq!(again.text(), text),
        Err(_) => assert!(text.len() > 2 * MAX_VALUE_BYTES),
    }
}

/// An id is the text that it was, or it is none.
fn reads_back(text: &str) {
    macro_rules! check {
        ($($id:ty),*) => { $(
            if let Ok(id) = text.parse::<$id>() {
                assert!(id.to_string().eq_ignore_ascii_case(text));
                let written = serde_json::to_string(&id).expect("an id is a text");
                assert_eq!(serde_json::from_str::<$id>(&written).ok(), Some(id));
            }
        )* };
    }
    check!(Code, GroupId, PageId, SignalId, TabId, VisitorId);
    if let Ok(key) = text.parse::<IdempotencyKey>() {
        assert_eq!(key.of("ada").to_string().parse(), Ok(key.of("ada")));
    }
}
