//! What holds for messages of every kind of socket.

use serde_json::{Value, value::RawValue};
use vestibule::model::{
    error::{ErrorCode, Problem},
    ids::VisitorId,
    json::{Json, MAX_DEPTH},
    presence::{MAX_KEYS, MAX_TOTAL_BYTES, PresenceData, PresenceUpdate},
    protocol::{MAX_REQUEST, Unreadable},
    topic::{MAX_EXPIRY_SECONDS, PublishWish, SubscribeWish, TopicCall},
};

/// Longest that an error may be, whatever caused it: nobody gets his own megabyte back.
const LONGEST_ERROR: usize = 600;

/// A refusal names a field and a rule, is our client's fault, and is short.
pub fn refused(unreadable: &Unreadable) {
    numbered(unreadable.request);
    problem(&unreadable.problem);
}

/// Likewise for what has no number.
pub fn problem(problem: &Problem) {
    let Problem { code, field, message, .. } = problem;
    let of_client =
        matches!(code, ErrorCode::BadRequest | ErrorCode::TooLarge | ErrorCode::ForbiddenFunction);
    assert!(of_client, "{problem:?}");
    let field = field.as_deref().unwrap_or_default();
    assert!(!field.is_empty() && !message.is_empty(), "nothing is named: {problem:?}");
    assert!(field.len() + message.len() <= LONGEST_ERROR, "too long: {problem:?}");
}

/// A request's number is one that JavaScript has.
pub fn numbered(request: Option<u64>) {
    assert!(request.is_none_or(|number| (1..=MAX_REQUEST).contains(&number)));
}

/// The message again, by a parser that knows nothing of our types; `None` where it holds a number that is no float.
pub fn reread(text: &str) -> Option<Value> {
    let _: &RawValue = serde_json::from_str(text).expect("what was read is JSON");
    serde_json::from_str(text).ok()
}

/// An id is the text that stood there.
pub fn visitor(read: &VisitorId, said: Option<&Value>) {
    assert_eq!(read.as_str().parse().as_ref(), Ok(read));
    if let Some(said) = said {
        assert_eq!(said["visitorid"], read.as_str());
    }
}

/// What is asked of topics is what stood there, within the bounds of an expiry.
pub fn topic_call(call: &TopicCall, said: Option<&Value>) {
    let stands = |name: &str, text: &str| assert!(said.is_none_or(|said| said[name] == text));
    match call {
        TopicCall::Publish(PublishWish { topic, data, expiry_ms, .. }) => {
            stands("topic", topic.as_str());
            passed_on(data);
            assert!(expiry_ms.is_none_or(|ms| (1_000..=MAX_EXPIRY_SECONDS * 1_000).contains(&ms)));
        }
        TopicCall::Subscribe(SubscribeWish { filter, resume, .. }) => {
            stands("filter", filter.as_str());
            if let Some(resume) = resume {
                assert_eq!(resume.epoch.to_string().parse(), Ok(resume.epoch));
                assert!(said.is_none_or(|said| said["resume"]["offset"] == resume.offset));
            }
        }
        TopicCall::Unsubscribe(number) => {
            assert!(said.is_none_or(|said| said["subscription"] == *number));
        }
    }
}

/// What passes through unread is JSON, and not too deep.
pub fn passed_on(json: &Json) {
    let _: &RawValue = serde_json::from_str(json.text()).expect("what is passed on is JSON");
    if let Ok(value) = serde_json::from_str(json.text()) {
        assert!(depth(&value) <= MAX_DEPTH);
    }
}

/// An update is within the limits, and what a record makes of it reads back.
pub fn update(update: &PresenceUpdate) {
    let mut data = PresenceData::EMPTY;
    if let Err(problem) = data.merge(update) {
        assert_eq!((problem.code, data.text()), (ErrorCode::TooLarge, "{}"));
        return;
    }
    assert!(data.text().len() <= MAX_TOTAL_BYTES);
    let Ok(Value::Object(object)) = serde_json::from_str(data.text()) else {
        panic!("not an object: {data:?}")
    };
    assert!(
        object.len() <= MAX_KEYS
            && object.values().all(|value| value.is_string() || value.is_number())
    );
    assert_eq!(&data.to_update(), update);
    let merged = data.clone();
    assert_eq!(data.merge(update), Ok(()));
    assert_eq!(
        data.to_update(),
        merged.to_update(),
        "an update that is repeated changes something"
    );
}

fn depth(value: &Value) -> usize {
    let below = |inner: Option<usize>| 1 + inner.unwrap_or(0);
    match value {
        Value::Array(list) => below(list.iter().map(depth).max()),
        Value::Object(map) => below(map.values().map(depth).max()),
        _ => 0,
    }
}
