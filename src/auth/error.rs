//! Why a credential was refused. Inside it is precise, for logs and metrics; outside it is one word.

use jsonwebtoken::errors::ErrorKind;

use crate::model::{
    close::{Close, CloseCode},
    error::{ErrorCode, Problem},
};

macro_rules! auth_errors {
    ($($(#[$doc:meta])* $name:ident = $reason:literal, $message:literal;)*) => {
        /// Why a token, API key or login key was refused.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
        pub enum AuthError {
            $($(#[$doc])* #[error($message)] $name,)*
        }

        impl AuthError {
            /// Every reason, in the order of the table.
            pub const ALL: &'static [AuthError] = &[$(AuthError::$name,)*];

            /// A stable word for metrics and logs.
            #[must_use]
            pub const fn reason(self) -> &'static str {
                match self { $(AuthError::$name => $reason,)* }
            }
        }
    };
}

auth_errors! {
    /// No credential at all, or not in the form `Bearer <token>`.
    Missing = "missing", "a bearer token is needed";
    /// Not a token or key, or one that lacks a claim.
    Malformed = "malformed", "the token or key is malformed";
    /// Longer than any token of ours; refused unread.
    TooLarge = "too_large", "the token is too long";
    /// Signed under a key id that this server does not have.
    UnknownKey = "unknown_key", "the token's key is not known here";
    /// Signed under a key id that its issuer may have published since; the issuer is being asked.
    KeyPending = "key_pending", "the token's key is not known here yet, its issuer is being asked";
    /// Demands an extension of the format (`crit`); none is known here (RFC 7515, section 4.1.11).
    Critical = "critical", "the token demands an extension that is not known here";
    /// The signature, the algorithm or the API key is wrong.
    BadSignature = "bad_signature", "the token or key is not genuine";
    /// Its time is over.
    Expired = "expired", "the token or key has expired";
    /// Its time has not come (`nbf`, or an `iat` in the future).
    NotYetValid = "not_yet_valid", "the token is not valid yet";
    /// Meant to live longer than the rule allows.
    LivesTooLong = "lives_too_long", "the token or key lives longer than is allowed";
    /// Another issuer's token.
    WrongIssuer = "wrong_issuer", "the token has another issuer";
    /// A token for another service.
    WrongAudience = "wrong_audience", "the token is for another audience";
    /// Signed with a key, or by an issuer, that is not believed for the token's group.
    WrongGroup = "wrong_group", "the token's key is not believed for its group";
    /// Called back before its time was over.
    Revoked = "revoked", "the token has been revoked";
}

/// When a token whose issuer is being asked is worth another try, in ms.
const PENDING_RETRY_MS: u64 = 1_000;

impl AuthError {
    /// What the library says of a token.
    pub(super) fn of_library(kind: &ErrorKind) -> Self {
        match kind {
            ErrorKind::InvalidSignature | ErrorKind::InvalidAlgorithm => AuthError::BadSignature,
            _ => AuthError::Malformed,
        }
    }

    /// The close of a socket that showed this credential.
    #[must_use]
    pub fn close(self) -> Close {
        match self {
            AuthError::Expired => CloseCode::Expired.into(),
            AuthError::Revoked => CloseCode::Revoked.into(),
            AuthError::KeyPending => Close::from(CloseCode::Unready).retry_in(PENDING_RETRY_MS),
            _ => CloseCode::Authorization.into(),
        }
    }
}

impl From<AuthError> for Problem {
    fn from(error: AuthError) -> Self {
        match error {
            AuthError::KeyPending => {
                Problem::new(ErrorCode::Unready, error.to_string()).retry_in(PENDING_RETRY_MS)
            }
            _ => Problem::new(ErrorCode::Authorization, error.to_string()),
        }
    }
}
