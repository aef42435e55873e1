//! The values that metrics may carry as labels: enums only, so that their number is bounded.
//!
//! Here are those that only metrics speak of; `nouns` has those that are there anyway.

mod nouns;

pub use self::nouns::Closing;

/// A label with a fixed set of values.
pub trait Label: Copy + 'static {
    /// The label's name.
    const KEY: &'static str;
    /// Every value; the one at place `n` has the index `n`.
    const ALL: &'static [Self];

    /// The value's place in [`Label::ALL`].
    fn index(self) -> usize;

    /// The value's text.
    fn text(self) -> &'static str;
}

/// Makes an enum without fields a label; its values stand in the enum's own order.
macro_rules! label_of {
    ($name:ident, $key:literal { $($value:ident = $text:literal,)* }) => {
        impl Label for $name {
            const KEY: &'static str = $key;
            const ALL: &'static [Self] = &[$($name::$value,)*];

            fn index(self) -> usize {
                self as usize
            }

            fn text(self) -> &'static str {
                match self { $($name::$value => $text,)* }
            }
        }
    };
}
use label_of;

macro_rules! labels {
    ($($(#[$doc:meta])* $name:ident, $key:literal { $($(#[$value_doc:meta])* $value:ident = $text:literal,)* })*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum $name { $($(#[$value_doc])* $value,)* }

        label_of!($name, $key { $($value = $text,)* });
    )*};
}

labels! {
    /// Whose socket it is.
    SocketKind, "kind" {
        /// A visitor's page.
        Visitor = "visitor",
        /// An agent's page or server.
        Agent = "agent",
        /// One that carries a co-browse stream.
        Stream = "stream",
        /// One that speaks Bayeux.
        Bayeux = "bayeux",
    }

    /// How a handshake on a socket path ended.
    HandshakeResult, "result" {
        /// With an open socket.
        Accepted = "accepted",
        /// With 101 and a close code at once, so that a browser's script can read why.
        Closed = "closed",
        /// With a plain HTTP refusal.
        Refused = "refused",
    }

    /// Why a request with `Upgrade` got a plain HTTP refusal.
    UpgradeRefusal, "reason" {
        /// No socket at this path.
        Path = "path",
        /// Not a GET.
        Method = "method",
        /// Not a WebSocket of version 13.
        Version = "version",
        /// A handshake against RFC 6455.
        Malformed = "malformed",
        /// A host name that development mode does not serve.
        Host = "host",
        /// Above the harder of the two limits.
        RateLimited = "ratelimited",
        /// The server stops or is full.
        Unready = "unready",
    }

    /// What a limiter counts by key.
    Limiter, "limiter" {
        /// Handshakes by address.
        Handshakes = "handshakes",
        /// Likewise, for the harder limit.
        HandshakesHard = "handshakes_hard",
        /// Connects by visitor id.
        Connects = "connects",
        /// HTTP requests by address.
        Requests = "requests",
        /// HTTP requests by token subject.
        RequestsBySubject = "requests_by_subject",
        /// Sessions that visitors start, by visitor id.
        Sessions = "sessions",
        /// Sessions for customers who are not among the visitors, by token subject or address.
        SessionsApart = "sessions_apart",
        /// Chats that visitors begin, by visitor id.
        Chats = "chats",
        /// What visitors say in them, by visitor id.
        ChatMessages = "chat_messages",
        /// What agents are available for, by token subject.
        Availability = "availability",
        /// Wrong keys by address.
        WrongCredentials = "wrong_credentials",
        /// Guesses at codes by address.
        Guesses = "guesses",
        /// Guesses at codes by group.
        GuessesByGroup = "guesses_by_group",
        /// Sockets at a time by address.
        SocketsByAddress = "sockets_by_address",
        /// HTTP connections at a time by address.
        ConnectionsByAddress = "connections_by_address",
    }

    /// How a subscription to topics went on after a cut.
    Resumed, "result" {
        /// With all that was published meanwhile.
        Whole = "whole",
        /// The client was told that something is missing.
        Missed = "missed",
    }

    /// What was limited.
    Limited, "what" {
        /// A message to a topic of a group that publishes too fast.
        Publish = "publish",
        /// A message of a visitor to a topic, of a group whose visitors publish too fast.
        VisitorPublish = "visitor_publish",
        /// A message to a topic with too much data.
        TopicPayload = "topic_payload",
        /// A retained value for which the group has no room.
        Retained = "retained",
        /// A retained value of a visitor for which the visitors' part has no room.
        VisitorRetained = "visitor_retained",
        /// A subscription to topics, one too many.
        Subscription = "subscription",
        /// A message of a visitor's socket, refused with a word.
        VisitorMessage = "visitor_message",
        /// A message of an agent's socket, refused with a word.
        AgentMessage = "agent_message",
        /// A message of a stream's socket, refused with a word.
        StreamMessage = "stream_message",
        /// A session that a visitor wanted to start.
        Session = "session",
        /// A chat that a visitor wanted to begin.
        Chat = "chat",
        /// Likewise, where as many of his address wait as may.
        ChatOfAddress = "chat_of_address",
        /// Something that a visitor wanted to say in one.
        ChatMessage = "chat_message",
        /// A word of an agent on what he is available for.
        Availability = "availability",
        /// A socket that went on all the same, closed.
        Flood = "flood",
        /// A handshake above a limit by rate.
        Handshake = "handshake",
        /// A hello or `identify` of a visitor id that connects too often.
        Connect = "connect",
        /// A socket of an address that has all that it may have.
        SocketOfAddress = "socket_of_address",
        /// An `identify` of a socket that went by too many ids.
        Identity = "identity",
        /// An HTTP request, by address.
        Request = "request",
        /// An HTTP request, by token subject.
        RequestOfSubject = "request_of_subject",
        /// An HTTP connection of an address that has all that it may have.
        Connection = "connection",
        /// A guess at a code, or an offer of a key.
        Guess = "guess",
        /// A Bayeux request, because as many wait as may.
        BayeuxWaiting = "bayeux_waiting",
        /// JSON that nests too deep.
        Depth = "depth",
    }

    /// Why a Bayeux client ended.
    BayeuxEnd, "reason" {
        /// It said so.
        Left = "left",
        /// The server wanted it to.
        Dismissed = "dismissed",
        /// It did not connect again in time.
        Expired = "expired",
        /// It did not take its messages.
        Overflowed = "overflowed",
        /// It failed inside the service.
        Failed = "failed",
    }

    /// The class of a message in an outbox.
    OutboxClass, "class" {
        /// Dropped to the next key frame.
        Stream = "stream",
        /// Never dropped singly: the socket is closed.
        Reliable = "reliable",
    }

    /// How an accepted or refused signal ended.
    SignalEnd, "outcome" {
        /// The page acknowledged it.
        Delivered = "delivered",
        /// Nobody acknowledged it in time.
        Expired = "expired",
        /// It was not accepted.
        Refused = "refused",
    }

    /// What came of asking an issuer for his keys.
    FetchResult, "result" {
        /// His keys are known.
        Done = "done",
        /// No answer, or none that can be used; the last good keys stay.
        Failed = "failed",
    }

    /// How a connection's TLS handshake ended.
    TlsHandshake, "result" {
        /// With a secured connection.
        Done = "done",
        /// The client and we did not agree, or it went.
        Failed = "failed",
        /// It took too long.
        Timeout = "timeout",
        /// The client did not speak TLS.
        Plain = "plain",
        /// Too many were under way.
        TooMany = "toomany",
    }

    /// Why a stream of events ended.
    StreamEnd, "reason" {
        /// The reader went.
        Gone = "gone",
        /// The reader did not take what was sent in time.
        Slow = "slow",
        /// The reader's token ended.
        Expired = "expired",
        /// The reader's token is believed no longer.
        Revoked = "revoked",
        /// The server stops.
        Drained = "drained",
    }

    /// What became of an event for a webhook.
    WebhookEnd, "outcome" {
        /// The endpoint took it.
        Delivered = "delivered",
        /// It was given up, and is a dead letter.
        Dead = "dead",
        /// It was given up, and there was no room or no storage for a dead letter.
        Lost = "lost",
    }

    /// What became of a part that was read again.
    ReloadResult, "result" {
        /// The new state is in place.
        Done = "done",
        /// It broke a rule, and the old one stays.
        Refused = "refused",
    }

    /// The hundreds of an HTTP status.
    StatusClass, "status" {
        /// 1xx
        Informational = "1xx",
        /// 2xx
        Success = "2xx",
        /// 3xx
        Redirection = "3xx",
        /// 4xx
        ClientError = "4xx",
        /// 5xx, and whatever else was answered.
        ServerError = "5xx",
    }
}

impl StatusClass {
    /// The class of an HTTP status.
    #[must_use]
    pub const fn of(status: u16) -> Self {
        match status {
            100..=199 => Self::Informational,
            200..=299 => Self::Success,
            300..=399 => Self::Redirection,
            400..=499 => Self::ClientError,
            _ => Self::ServerError,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        auth::{AuthError, SignatureError},
        model::{
            chat::{ChatEnd, Speaker},
            help::HelpStatus,
        },
    };

    fn check<L: Label + PartialEq + std::fmt::Debug>() {
        for (place, value) in L::ALL.iter().enumerate() {
            assert_eq!(value.index(), place, "{value:?}");
        }
    }

    #[test]
    fn an_index_is_a_place() {
        check::<SocketKind>();
        check::<HandshakeResult>();
        check::<UpgradeRefusal>();
        check::<OutboxClass>();
        check::<BayeuxEnd>();
        check::<Limiter>();
        check::<Resumed>();
        check::<Limited>();
        check::<SignalEnd>();
        check::<HelpStatus>();
        check::<FetchResult>();
        check::<TlsHandshake>();
        check::<StreamEnd>();
        check::<ChatEnd>();
        check::<Speaker>();
        check::<WebhookEnd>();
        check::<ReloadResult>();
        check::<StatusClass>();
        check::<Closing>();
        check::<AuthError>();
        check::<SignatureError>();
    }
}
