use utoipa::ToSchema;

use super::Shape;
use crate::model::{
    json::Json,
    topic::{Resume, Topic, TopicFilter},
};

/// `publish`.
pub(super) const PUBLISH: Shape = Shape::of::<PublishFields>(
    r#"{"type":"publish","request":40,"topic":"truck/0001/temperature","data":{"celsius":4.5},"retain":true,"expiry":3600}"#,
);
/// `subscribe`.
pub(super) const SUBSCRIBE: Shape = Shape::of::<SubscribeFields>(
    r#"{"type":"subscribe","request":41,"filter":"truck/+/temperature","nolocal":true,"latest":false,"retained":true,"resume":{"epoch":"19aa3f0c2d1","offset":1042}}"#,
);
/// `unsubscribe`.
pub(super) const UNSUBSCRIBE: Shape =
    Shape::of::<UnsubscribeFields>(r#"{"type":"unsubscribe","request":42,"subscription":1}"#);

/// Fields of `publish`.
#[derive(ToSchema)]
pub struct PublishFields {
    /// Where to: levels between slashes, without wildcards, of at most 1,024 bytes and 32 levels.
    pub topic: Topic,
    /// Any JSON, within `topics.payload_bytes`.
    #[schema(value_type = Value)]
    pub data: Json,
    /// Whether this becomes the topic's retained value, which later subscribers get at once; `data` of `null` takes the
    /// value away. False when missing.
    #[schema(nullable = false)]
    pub retain: Option<bool>,
    /// For how many seconds the message is kept at most.
    #[schema(nullable = false, minimum = 1, maximum = 31_536_000)]
    pub expiry: Option<u64>,
}

/// Fields of `subscribe`.
#[derive(ToSchema)]
pub struct SubscribeFields {
    /// Which topics: `+` stands for one level, `#` at the end for the level before it and all below.
    pub filter: TopicFilter,
    /// Whether what this socket publishes is left out; false when missing.
    #[schema(nullable = false)]
    pub nolocal: Option<bool>,
    /// Whether of each topic only the newest message that was not sent yet counts; false when missing.
    #[schema(nullable = false)]
    pub latest: Option<bool>,
    /// Whether retained values come at the beginning; true when missing.
    #[schema(nullable = false)]
    pub retained: Option<bool>,
    /// For who comes back: the place of the last message that he had, or the `position` of the `ok`. What was published
    /// since then comes first; if some of it is lost, `ok` has `missed`.
    #[schema(nullable = false)]
    pub resume: Option<Resume>,
}

/// Fields of `unsubscribe`.
#[derive(ToSchema)]
pub struct UnsubscribeFields {
    /// The number that the `ok` to `subscribe` gave. One that there is not is no mistake.
    pub subscription: u32,
}
