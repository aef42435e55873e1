//! The catalogue of close codes: numbers from 4000 mean "come back", from 4500 "do not, unless something changed".

use bytes::Bytes;
use serde::Serialize;

/// What a client should do after a close.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Again {
    /// Connect again, with back-off.
    Yes,
    /// Stay away.
    No,
    /// Connect again with a fresh token.
    Renew,
}

macro_rules! close_codes {
    ($(#[doc = $meaning:literal] $name:ident = $number:literal, $text:literal, $again:ident;)*) => {
        /// Why the server ends a socket.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, serde::Deserialize)]
        pub enum CloseCode {
            $(#[doc = $meaning] #[serde(rename = $text)] $name,)*
        }

        impl CloseCode {
            /// Every code, in the order of the table.
            pub const ALL: &'static [CloseCode] = &[$(CloseCode::$name,)*];

            /// The number in the close frame.
            #[must_use]
            pub const fn number(self) -> u16 {
                match self { $(CloseCode::$name => $number,)* }
            }

            /// The word in the close reason.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(CloseCode::$name => $text,)* }
            }

            /// When it is sent, for the documents.
            #[must_use]
            pub fn meaning(self) -> &'static str {
                match self { $(CloseCode::$name => $meaning.trim(),)* }
            }

            /// What the client should do.
            #[must_use]
            pub const fn again(self) -> Again {
                match self { $(CloseCode::$name => Again::$again,)* }
            }
        }
    };
}

close_codes! {
    /// Asked for by the client: a `disconnect`, or a close frame of its own.
    Normal = 1000, "normal", No;
    /// A frame against RFC 6455.
    Protocol = 1002, "protocol", No;
    /// A text frame that is not UTF-8 (RFC 6455, section 8.1).
    Utf8 = 1007, "utf8", No;
    /// A frame or message over the limit.
    TooLarge = 1009, "toolarge", No;
    /// Our fault.
    Internal = 1011, "internal", Yes;
    /// The server stops or sheds; come back after `retry_ms`.
    GoAway = 4000, "goaway", Yes;
    /// The server is starting, full or overloaded.
    Unready = 4001, "unready", Yes;
    /// The client did not read within the write deadline, or its queue overflowed.
    Slow = 4002, "slow", Yes;
    /// Two pings without a sign of life.
    PingTimeout = 4003, "pingtimeout", Yes;
    /// Too many handshakes, hellos of one visitor id, or messages; come back after `retry_ms`.
    RateLimited = 4004, "ratelimited", Yes;
    /// No first frame in time.
    HelloTimeout = 4005, "hellotimeout", Yes;
    /// Another page connected with the same tab id; take a new tab id.
    Superseded = 4006, "superseded", Yes;
    /// The address, or the visitor, has as many sockets as it may have; come back after `retry_ms`.
    TooMany = 4007, "toomany", Yes;
    /// The page's origin is not in the group's list.
    Origin = 4500, "origin", No;
    /// There is no such group.
    Group = 4501, "group", No;
    /// The token is missing, bad, or of another group.
    Authorization = 4502, "authorization", No;
    /// The token has expired: on the open socket, or before its `hello`.
    Expired = 4503, "expired", Renew;
    /// The first message is not a valid `hello`; the `error` before the close names the field.
    BadRequest = 4504, "badrequest", No;
    /// The unique id's life ended.
    UniqueExpired = 4505, "uniqueexpired", No;
    /// The visitor id is not signed as the group demands, or its signature is wrong or expired.
    Signature = 4506, "signature", No;
    /// The token has been revoked, or the key under it is believed no longer.
    Revoked = 4507, "revoked", Renew;
    /// The co-browse session is over, or the page, or the agent, is not in it any more.
    SessionOver = 4508, "sessionover", No;
}

/// A close as it is sent: the code, and when to come back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, serde::Deserialize)]
pub struct Close {
    /// Why.
    pub code: CloseCode,
    /// When to come back, in milliseconds, where the server has a wish.
    pub retry_ms: Option<u64>,
}

impl Close {
    /// The reason text of the close frame: JSON of at most 123 bytes (RFC 6455, section 5.5).
    #[must_use]
    pub fn reason(&self) -> Bytes {
        match self.retry_ms {
            Some(retry_ms) => {
                format!(r#"{{"code":"{}","retry_ms":{retry_ms}}}"#, self.code.as_str()).into()
            }
            None => format!(r#"{{"code":"{}"}}"#, self.code.as_str()).into(),
        }
    }

    /// The same close with a wish when to come back.
    #[must_use]
    pub fn retry_in(mut self, retry_ms: u64) -> Self {
        self.retry_ms = Some(retry_ms);
        self
    }
}

impl From<CloseCode> for Close {
    fn from(code: CloseCode) -> Self {
        Self { code, retry_ms: None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::error::ErrorCode;

    /// The table in `tests/fixtures/codes.json` is read by the SDK's tests too.
    #[test]
    fn both_catalogues_match_the_fixture() {
        let fixture: serde_json::Value =
            serde_json::from_str(include_str!("../../tests/fixtures/codes.json")).unwrap();
        let close: Vec<_> = CloseCode::ALL
            .iter()
            .map(|code| serde_json::json!({"number": code.number(), "code": code.as_str(), "again": code.again()}))
            .collect();
        let errors: Vec<_> = ErrorCode::ALL
            .iter()
            .map(|code| serde_json::json!({"code": code.as_str(), "status": code.status()}))
            .collect();
        assert_eq!(fixture["close"], serde_json::Value::from(close));
        assert_eq!(fixture["errors"], serde_json::Value::from(errors));
    }

    #[test]
    fn reasons_fit_a_control_frame() {
        for code in CloseCode::ALL {
            assert!(Close::from(*code).retry_in(u64::MAX).reason().len() <= 123);
        }
    }
}
