//! Channels: names like paths, and patterns that choose several.
//!
//! `/meta/…` is the protocol's own, `/service/…` is between one client and the server, all others are broadcast. The last
//! segment of a pattern may be `*`, for any one segment, or `**`, for one or more (Bayeux 1.0, section 2.2).

use std::{borrow::Cow, fmt, str::FromStr, sync::Arc};

use serde::{Deserialize, Deserializer, Serialize};

use crate::model::topic::{Topic, TopicFilter};

/// Longest channel, in bytes.
pub const MAX_LENGTH: usize = 256;
/// Most segments of a channel.
pub const MAX_SEGMENTS: usize = 16;

/// Why a text is no channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidChannel {
    /// It is empty, `/`, or does not start with a slash.
    #[error("must start with / and name something")]
    Start,
    /// It holds what no channel may hold.
    #[error("may hold letters, digits and space ! # $ ( ) * + - . / @ _ {{ ~ }} only")]
    Character,
    /// Nothing stands between two slashes.
    #[error("must have something between two slashes")]
    Empty,
    /// A wildcard stands elsewhere than alone in the last segment.
    #[error("may have * or ** as its whole last segment only")]
    Wildcard,
    /// It is longer or deeper than a channel may be.
    #[error("must have at most {MAX_LENGTH} bytes and {MAX_SEGMENTS} segments")]
    Long,
}

/// What a channel is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The protocol's own.
    Meta,
    /// Between one client and the server.
    Service,
    /// Everybody who subscribed.
    Broadcast,
}

/// A channel, or a pattern of channels. Cheap to clone.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct Channel(Arc<str>);

impl Channel {
    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What it is for.
    #[must_use]
    pub fn kind(&self) -> Kind {
        match self.0.get(1..).unwrap_or_default().split('/').next() {
            Some("meta") => Kind::Meta,
            Some("service") => Kind::Service,
            _ => Kind::Broadcast,
        }
    }

    /// Whether it is a pattern.
    #[must_use]
    pub fn is_pattern(&self) -> bool {
        self.0.ends_with("/*") || self.0.ends_with("/**")
    }

    /// The topic that a channel is: `/a/b` is `a/b`.
    ///
    /// # Errors
    /// The rule of topics that it breaks.
    pub fn topic(&self) -> Result<Topic, Cow<'static, str>> {
        let name = self.0.get(1..).unwrap_or_default();
        name.parse::<Topic>().map_err(|invalid| invalid.rule.into())
    }

    /// The filter that chooses the topics of what a channel or pattern chooses, but for those that begin with `$`, which
    /// no wildcard at the beginning chooses.
    ///
    /// # Errors
    /// The rule of topics that it breaks.
    pub fn filter(&self) -> Result<TopicFilter, Cow<'static, str>> {
        let name = self.0.get(1..).unwrap_or_default();
        let (literal, wild) = match name.rsplit_once('/').unwrap_or(("", name)) {
            (parent, "*") => (parent, Some("+")),
            // Not the parent itself, which `#` alone would choose.
            ("", "**") => ("", Some("#")),
            (parent, "**") => (parent, Some("+/#")),
            _ => (name, None),
        };
        // What are wildcards there are letters like others here.
        if literal.contains(['+', '#']) {
            return Err("a name without + and #".into());
        }
        let filter = match wild {
            Some(wild) if literal.is_empty() => wild.to_owned(),
            Some(wild) => format!("{literal}/{wild}"),
            None => literal.to_owned(),
        };
        filter.parse::<TopicFilter>().map_err(|invalid| invalid.rule.into())
    }

    /// The channel that a topic is; `None` for one whose name no broadcast channel can have.
    #[must_use]
    pub fn of(topic: &Topic) -> Option<Self> {
        let name = format!("/{topic}");
        let channel = name.parse::<Self>().ok()?;
        let is_it = *channel.0 == *name && !channel.is_pattern();
        (is_it && channel.kind() == Kind::Broadcast).then_some(channel)
    }
}

impl FromStr for Channel {
    type Err = InvalidChannel;

    fn from_str(text: &str) -> Result<Self, InvalidChannel> {
        // A slash at the end says nothing.
        let text = text.strip_suffix('/').unwrap_or(text);
        let Some(path) = text.strip_prefix('/').filter(|path| !path.is_empty()) else {
            return Err(InvalidChannel::Start);
        };
        if text.len() > MAX_LENGTH || path.split('/').count() > MAX_SEGMENTS {
            return Err(InvalidChannel::Long);
        }
        let allowed =
            |byte: u8| byte.is_ascii_alphanumeric() || b" !#$()*+-./@_{~}".contains(&byte);
        if !path.bytes().all(allowed) {
            return Err(InvalidChannel::Character);
        }
        let mut segments = path.split('/');
        if path.split('/').any(str::is_empty) {
            return Err(InvalidChannel::Empty);
        }
        let last = segments.next_back().unwrap_or_default();
        let is_wild = |segment: &str| segment.contains('*');
        if segments.any(is_wild) || (is_wild(last) && last != "*" && last != "**") {
            return Err(InvalidChannel::Wildcard);
        }
        Ok(Self(text.into()))
    }
}

impl<'de> Deserialize<'de> for Channel {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

impl fmt::Display for Channel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Channel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn channel(text: &str) -> Channel {
        text.parse().unwrap()
    }

    impl Channel {
        /// As the protocol has it.
        fn chooses(&self, channel: &Self) -> bool {
            let beyond =
                |parent: &str| channel.0.strip_prefix(parent).filter(|rest| !rest.is_empty());
            if let Some(parent) = self.0.strip_suffix("**") {
                beyond(parent).is_some()
            } else if let Some(parent) = self.0.strip_suffix('*') {
                beyond(parent).is_some_and(|rest| !rest.contains('/'))
            } else {
                self == channel
            }
        }
    }

    #[test]
    fn a_channel_follows_the_rules() {
        for good in ["/a", "/a/b", "/meta/connect", "/a b/!#$()+-.@_{~}", "/a/*", "/**", "/foo/"] {
            assert!(good.parse::<Channel>().is_ok(), "{good}");
        }
        let long = format!("/{}", "x".repeat(MAX_LENGTH));
        let deep = "/a".repeat(MAX_SEGMENTS + 1);
        for (bad, why) in [
            ("", InvalidChannel::Start),
            ("/", InvalidChannel::Start),
            ("a/b", InvalidChannel::Start),
            ("/a//b", InvalidChannel::Empty),
            ("//", InvalidChannel::Start),
            ("/a?b", InvalidChannel::Character),
            ("/ä", InvalidChannel::Character),
            ("/a\n", InvalidChannel::Character),
            ("/*/a", InvalidChannel::Wildcard),
            ("/a/b*", InvalidChannel::Wildcard),
            ("/a/***", InvalidChannel::Wildcard),
            (&long, InvalidChannel::Long),
            (&deep, InvalidChannel::Long),
        ] {
            if bad == "//" {
                assert!(bad.parse::<Channel>().is_err());
            } else {
                assert_eq!(bad.parse::<Channel>(), Err(why), "{bad}");
            }
        }
        assert_eq!(channel("/foo/").as_str(), "/foo");
    }

    #[test]
    fn the_first_segment_says_what_a_channel_is_for() {
        assert_eq!(channel("/meta/connect").kind(), Kind::Meta);
        assert_eq!(channel("/meta/*").kind(), Kind::Meta);
        assert_eq!(channel("/service/session/join").kind(), Kind::Service);
        assert_eq!(channel("/metal").kind(), Kind::Broadcast);
        assert_eq!(channel("/**").kind(), Kind::Broadcast);
    }

    #[test]
    fn wildcards_choose_as_the_protocol_says() {
        let chooses = |pattern: &str, name: &str| channel(pattern).chooses(&channel(name));
        assert!(chooses("/foo/*", "/foo/bar"));
        assert!(!chooses("/foo/*", "/foo"));
        assert!(!chooses("/foo/*", "/foo/a/b"));
        assert!(chooses("/foo/**", "/foo/bar"));
        assert!(chooses("/foo/**", "/foo/a/b"));
        assert!(!chooses("/foo/**", "/foo"));
        assert!(!chooses("/foo/**", "/food/a"));
        assert!(chooses("/**", "/a/b/c"));
        assert!(chooses("/*", "/a"));
        assert!(!chooses("/*", "/a/b"));
        assert!(chooses("/a", "/a"));
    }

    #[test]
    fn what_topics_cannot_be_called_is_no_topic_and_the_other_way_round() {
        for name in ["/a+b", "/a/+", "/#", "/~a"] {
            assert!(channel(name).topic().is_err(), "{name}");
            assert!(channel(name).filter().is_err(), "{name}");
        }
        assert!(channel("/$share/a/b").filter().is_err());
        for name in ["a/", "/a", "a//b", "a/*", "ä", "meta/connect", "service/x", &"x".repeat(300)]
        {
            assert_eq!(Channel::of(&name.parse().unwrap()), None, "{name}");
        }
    }

    proptest! {
        #[test]
        fn a_filter_chooses_the_topics_of_what_its_pattern_chooses(
            name in "(/[ab]){1,4}", pattern in "(/[ab]){0,4}(/[ab]|/\\*{1,2})"
        ) {
            let (name, pattern) = (channel(&name), channel(&pattern));
            let (topic, filter) = (name.topic().unwrap(), pattern.filter().unwrap());
            prop_assert_eq!(pattern.chooses(&name), filter.matches(&topic));
            prop_assert_eq!(Channel::of(&topic), Some(name));
        }

        #[test]
        fn no_text_panics(text in ".{0,40}") {
            let _ = text.parse::<Channel>().map(|channel| (channel.topic(), channel.filter()));
            let _ = text.parse::<Topic>().map(|topic| Channel::of(&topic));
        }
    }
}
