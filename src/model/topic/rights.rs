//! Who may publish where, and subscribe to what.

use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize};
use utoipa::ToSchema;

use super::{Topic, TopicFilter};
use crate::model::error::{ErrorCode, Problem};

/// Most filters of one list.
pub const MAX_FILTERS: usize = 64;

/// What somebody may do with topics. By default nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Rights {
    /// He may publish to what one of these chooses.
    pub publish: Arc<[TopicFilter]>,
    /// He may subscribe to what one of these covers.
    pub subscribe: Arc<[TopicFilter]>,
}

impl Rights {
    /// Everything but topics that begin with `$`.
    #[must_use]
    pub fn all() -> Self {
        let all: Arc<[TopicFilter]> = "#".parse().into_iter().collect();
        Self { publish: Arc::clone(&all), subscribe: all }
    }

    /// Whether there is nothing that he may.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.publish.is_empty() && self.subscribe.is_empty()
    }

    /// Checks that he may publish there.
    ///
    /// # Errors
    /// `scope`.
    pub fn require_publish(&self, topic: &Topic) -> Result<(), Problem> {
        if self.publish.iter().any(|filter| filter.matches(topic)) {
            return Ok(());
        }
        Err(Self::missing("topic", "may not be published to by you"))
    }

    /// Checks that he may subscribe to all that `filter` chooses: one filter that is allowed must cover it alone.
    ///
    /// # Errors
    /// `scope`.
    pub fn require_subscribe(&self, filter: &TopicFilter) -> Result<(), Problem> {
        if self.subscribe.iter().any(|allowed| allowed.covers(filter)) {
            return Ok(());
        }
        Err(Self::missing("filter", "may not be subscribed to by you"))
    }

    fn missing(field: &str, rule: &str) -> Problem {
        Problem { code: ErrorCode::Scope, ..Problem::field(field, rule) }
    }
}

/// Who publishes and subscribes. Anybody may be a visitor, so they share a part of what their group may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Party {
    /// A visitor.
    Visitor {
        /// Whether he may leave retained values.
        retains: bool,
    },
    /// An agent or a back end.
    Agent,
}

impl Party {
    /// Whether it is a visitor.
    #[must_use]
    pub fn is_visitor(self) -> bool {
        matches!(self, Self::Visitor { .. })
    }

    /// Checks that he may leave retained values, or take them away.
    ///
    /// # Errors
    /// `scope`.
    pub fn require_retain(self) -> Result<(), Problem> {
        if self == (Self::Visitor { retains: false }) {
            return Err(Rights::missing("retain", "is not allowed to visitors of this group"));
        }
        Ok(())
    }
}

/// What is asked for when a token is made.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct RightsWish {
    /// Filters of the topics that may be published to; at most 64.
    #[schema(max_items = 64)]
    pub publish: Vec<TopicFilter>,
    /// Filters that may be subscribed to, with all that they cover; at most 64.
    #[schema(max_items = 64)]
    pub subscribe: Vec<TopicFilter>,
}

impl RightsWish {
    /// The rights, if they are not too many.
    ///
    /// # Errors
    /// `badrequest` that names the list.
    pub fn checked(self, field: &str) -> Result<Rights, Problem> {
        for (name, list) in [("publish", &self.publish), ("subscribe", &self.subscribe)] {
            if list.len() > MAX_FILTERS {
                let rule = format!("must have at most {MAX_FILTERS} filters");
                return Err(Problem::field(format!("{field}.{name}"), rule));
            }
        }
        Ok(Rights { publish: self.publish.into(), subscribe: self.subscribe.into() })
    }
}

impl<'de> Deserialize<'de> for Rights {
    /// Reads a token's claim. What is no filter here grants nothing and harms nothing: a claim of the same name may mean
    /// something else to whoever made the token.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let claim = serde_json::Value::deserialize(deserializer)?;
        let list = |name: &str| -> Arc<[TopicFilter]> {
            let texts = claim.get(name).and_then(serde_json::Value::as_array);
            let texts = texts.into_iter().flatten().take(MAX_FILTERS);
            texts.filter_map(|text| text.as_str()?.parse().ok()).collect()
        };
        Ok(Self { publish: list("publish"), subscribe: list("subscribe") })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_claim_grants_what_it_says_and_no_more() {
        let claim = r##"{"publish":["a/#","b+",7],"subscribe":["a/+"],"more":1}"##;
        let rights: Rights = serde_json::from_str(claim).unwrap();
        assert!(rights.require_publish(&"a/b".parse().unwrap()).is_ok());
        let problem = rights.require_publish(&"b".parse().unwrap()).unwrap_err();
        assert_eq!((problem.code, problem.field.as_deref()), (ErrorCode::Scope, Some("topic")));
        assert!(rights.require_subscribe(&"a/+".parse().unwrap()).is_ok());
        assert!(rights.require_subscribe(&"a/#".parse().unwrap()).is_err());
        for nothing in ["[]", "null", "\"#\"", r##"{"publish":"#"}"##] {
            assert!(serde_json::from_str::<Rights>(nothing).unwrap().is_empty(), "{nothing}");
        }
    }

    /// Two that together would cover it do not count: nobody can tell by looking at them.
    #[test]
    fn one_filter_must_cover_it_alone() {
        let subscribe = ["a", "a/+/#"].map(|text| text.parse().unwrap()).into();
        let rights = Rights { subscribe, ..Rights::default() };
        assert!(rights.require_subscribe(&"a/#".parse().unwrap()).is_err());
    }

    #[test]
    fn a_wish_is_bounded() {
        let publish = vec!["a".parse().unwrap(); MAX_FILTERS + 1];
        let problem =
            RightsWish { publish, ..RightsWish::default() }.checked("topics").unwrap_err();
        assert_eq!(problem.field.as_deref(), Some("topics.publish"));
    }
}
