//! What can be wrong with a message, in the words of the servers that clients were written for: `code:arguments:text`
//! (Bayeux 1.0, section 3.5). No client branches on the text, but people search for it.

use std::borrow::Cow;

use crate::settings::Errors;

/// What is wrong with a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The client is not known, or is known no longer.
    Unknown,
    /// The message names no channel.
    ChannelMissing,
    /// It names something that is none.
    ChannelInvalid,
    /// Its id is none.
    IdInvalid,
    /// A field is not what it must be.
    Field {
        /// Which.
        name: &'static str,
        /// The rule.
        rule: Cow<'static, str>,
    },
    /// The client may not come in.
    HandshakeDenied,
    /// There is no transport that both know.
    NoTransport,
    /// The client may not publish there.
    PublishDenied,
    /// The client may not subscribe there.
    SubscribeDenied,
    /// A subscription without a channel.
    SubscriptionMissing,
    /// A subscription to something that is no channel.
    SubscriptionInvalid,
    /// A client has as many subscriptions as it may have.
    SubscribeFailed,
    /// The message came above a limit; come back after so many milliseconds.
    TooFast(u64),
    /// The server cannot do it now.
    Unready,
    /// What the application says: a code, its arguments and a text.
    Application {
        /// In the manner of HTTP.
        code: u16,
        /// What it is about.
        argument: Box<str>,
        /// What is wrong, as one word.
        text: &'static str,
    },
}

impl Fault {
    /// The text for `error`.
    #[must_use]
    pub fn text(&self, errors: Errors) -> String {
        let classic = errors == Errors::Classic;
        let either = |old: &'static str, new: &'static str| if classic { old } else { new };
        match self {
            Self::Unknown => either("402::Unknown client", "402::session_unknown").into(),
            Self::ChannelMissing => either("400::channel missing", "400::channel_missing").into(),
            Self::ChannelInvalid => either("405::invalid_channel", "405::channel_invalid").into(),
            Self::IdInvalid => either("405::invalid_id", "405::message_id_invalid").into(),
            Self::Field { name, rule } => format!("400:{name}:{}", rule.replace(':', " ")),
            Self::HandshakeDenied => {
                either("403::Handshake denied", "403::handshake_denied").into()
            }
            Self::NoTransport => "405::no_transport".into(),
            Self::PublishDenied => {
                let text = either("publish denied", "publish_denied");
                format!("403:denied_by_security_policy:{text}")
            }
            Self::SubscribeDenied => "403:denied_by_security_policy:subscribe_denied".into(),
            Self::SubscriptionMissing => "403::subscription_missing".into(),
            Self::SubscriptionInvalid => "403::subscription_invalid".into(),
            Self::SubscribeFailed => "403::subscribe_failed".into(),
            Self::TooFast(retry_ms) => format!("429:{retry_ms}:too_many_messages"),
            Self::Unready => "503::server_busy".into(),
            Self::Application { code, argument, text } => format!("{code}:{argument}:{text}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_have_three_parts_in_both_vocabularies() {
        let rule = Cow::Borrowed("must be: a number");
        for fault in [
            Fault::Unknown,
            Fault::ChannelMissing,
            Fault::ChannelInvalid,
            Fault::IdInvalid,
            Fault::Field { name: "ext", rule },
            Fault::HandshakeDenied,
            Fault::NoTransport,
            Fault::PublishDenied,
            Fault::SubscribeDenied,
            Fault::SubscriptionMissing,
            Fault::SubscriptionInvalid,
            Fault::SubscribeFailed,
            Fault::TooFast(1_000),
            Fault::Unready,
            Fault::Application { code: 404, argument: "123456789".into(), text: "session_unknown" },
        ] {
            for errors in [Errors::Classic, Errors::Modern] {
                let text = fault.text(errors);
                let parts: Vec<_> = text.split(':').collect();
                assert_eq!(parts.len(), 3, "{text}");
                assert!(parts[0].len() == 3 && parts[0].parse::<u16>().is_ok(), "{text}");
            }
        }
        assert_eq!(Fault::Unknown.text(Errors::Classic), "402::Unknown client");
        assert_eq!(Fault::Unknown.text(Errors::Modern), "402::session_unknown");
    }
}
