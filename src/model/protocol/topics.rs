//! Topics over the native sockets: the same messages for visitors and agents.

use super::Fields;
use crate::model::{
    error::Problem,
    json::Json,
    topic::{PublishWish, Resume, SubscribeWish, TopicCall, TopicFilter, expiry_ms},
};

pub(super) fn publish(fields: &Fields<'_>) -> Result<TopicCall, Problem> {
    Ok(TopicCall::Publish(PublishWish {
        topic: Fields::parsed(fields.topic.as_ref(), "topic")?,
        data: Fields::required(fields.data.clone(), "data")?,
        retain: fields.retain.unwrap_or_default(),
        expiry_ms: expiry_ms(fields.expiry)?,
    }))
}

pub(super) fn subscribe(fields: &Fields<'_>) -> Result<TopicCall, Problem> {
    Ok(TopicCall::Subscribe(SubscribeWish {
        filter: filter(Fields::required(fields.filter.as_ref(), "filter")?)?,
        no_local: fields.nolocal.unwrap_or_default(),
        latest: fields.latest.unwrap_or_default(),
        retained: fields.retained.unwrap_or(true),
        resume: fields.resume.map(resume).transpose()?,
    }))
}

fn resume(resume: Resume) -> Result<Resume, Problem> {
    if resume.retained.is_some_and(|retained| retained > resume.offset) {
        return Err(Problem::field("resume.retained", "must be at most resume.offset"));
    }
    Ok(resume)
}

pub(super) fn unsubscribe(fields: &Fields<'_>) -> Result<TopicCall, Problem> {
    Fields::required(fields.subscription, "subscription").map(TopicCall::Unsubscribe)
}

/// In other messages a filter is an object.
fn filter(text: &Json) -> Result<TopicFilter, Problem> {
    let text: String = serde_json::from_str(text.text())
        .map_err(|_| Problem::field("filter", "must be a string"))?;
    let filter = text.parse::<TopicFilter>();
    filter.map_err(|invalid| Problem::field("filter", format!("must be {}", invalid.rule)))
}
