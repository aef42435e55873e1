//! The catalogue of errors that the outside can see: the same table in the SDK and in `docs/protocol.md`.

use serde::{Deserialize, Serialize};

macro_rules! error_codes {
    ($(#[doc = $meaning:literal] $name:ident = $text:tt, $status:literal;)*) => {
        /// What went wrong, in the word that programs compare.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
        pub enum ErrorCode {
            $(#[doc = $meaning] #[serde(rename = $text)] $name,)*
        }

        impl ErrorCode {
            /// Every code, in the order of the table.
            pub const ALL: &'static [ErrorCode] = &[$(ErrorCode::$name,)*];

            /// The word on the wire.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(ErrorCode::$name => $text,)* }
            }

            /// What it says, for the documents.
            #[must_use]
            pub fn meaning(self) -> &'static str {
                match self { $(ErrorCode::$name => $meaning.trim(),)* }
            }

            /// The HTTP status that goes with it.
            #[must_use]
            pub const fn status(self) -> u16 {
                match self { $(ErrorCode::$name => $status,)* }
            }
        }
    };
}

error_codes! {
    /// The token is missing, bad or expired.
    Authorization = "authorization", 401;
    /// The token lacks the scope that this call needs.
    Scope = "scope", 403;
    /// The page's origin is not in the group's list.
    Origin = "origin", 403;
    /// Unknown group, or a token of another group.
    Group = "group", 403;
    /// The visitor id is not signed as the group demands, or its signature is wrong or expired.
    Signature = "signature", 403;
    /// Malformed, or against a rule; the field is named.
    BadRequest = "badrequest", 400;
    /// `invoke` of a name that is not allowed.
    ForbiddenFunction = "forbiddenfunction", 400;
    /// Nobody is there who could get it.
    VisitorNotPresent = "visitornotpresent", 404;
    /// No such thing.
    NotFound = "notfound", 404;
    /// Somebody else has it already.
    Taken = "taken", 409;
    /// Nobody is available who could take it.
    Unavailable = "unavailable", 409;
    /// The address takes other methods only; `Allow` names them.
    Method = "method", 405;
    /// A body, frame or record over its limit.
    TooLarge = "toolarge", 413;
    /// A bounded queue or list is full.
    TooMany = "toomany", 429;
    /// Too fast; `retry_ms` says when.
    RateLimited = "ratelimited", 429;
    /// Starting, draining or overloaded; `retry_ms` says when.
    Unready = "unready", 503;
    /// Our fault; the log has more.
    Internal = "internal", 500;
}

/// Longest name of a field that an error repeats, in characters.
const LONGEST_FIELD: usize = 100;

/// An error as the core raises it; each channel writes it in its own form.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
#[error("{}: {message}", code.as_str())]
pub struct Problem {
    /// The word that programs compare.
    pub code: ErrorCode,
    /// Which field of the input broke which rule.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
    /// A sentence for people. Never holds a secret.
    pub message: String,
    /// When trying again makes sense, in milliseconds from now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_ms: Option<u64>,
    /// Whether it is because what the nodes share is away.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub degraded: bool,
}

impl Problem {
    /// A problem without a field.
    pub fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Self { code, field: None, message: message.into(), retry_ms: None, degraded: false }
    }

    /// A field that breaks a rule. A name that is longer than any of ours is cut, and an empty one quoted: it is the sender's
    /// own.
    pub fn field(field: impl Into<String>, rule: impl Into<String>) -> Self {
        let mut field = field.into();
        if let Some((end, _)) = field.char_indices().nth(LONGEST_FIELD) {
            field.truncate(end);
            field.push('…');
        }
        if field.is_empty() {
            field.push_str("\"\"");
        }
        Self { field: Some(field), ..Self::new(ErrorCode::BadRequest, rule) }
    }

    /// The same problem of what the sender calls this, where his name for it is not ours.
    #[must_use]
    pub fn called(mut self, field: &str) -> Self {
        self.field = self.field.map(|_| field.to_owned());
        self
    }

    /// The same problem, worth another try after `retry_ms`.
    #[must_use]
    pub fn retry_in(mut self, retry_ms: u64) -> Self {
        self.retry_ms = Some(retry_ms);
        self
    }
}

impl From<super::ids::InvalidId> for Problem {
    fn from(invalid: super::ids::InvalidId) -> Self {
        Problem::field(invalid.what, format!("must be {}", invalid.rule))
    }
}
