//! Signals: what an agent sends to a visitor, and what becomes of it (design section 3).

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{
    error::{ErrorCode, Problem},
    json::Json,
};

/// The namespace of functions that an agent may call on a page.
pub const FUNCTION_NAMESPACE: &str = "GLANCE.";

/// What a signal carries.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Message {
    /// Data for the page's handler.
    Signal {
        /// Any JSON.
        data: Json,
    },
    /// A function of the page to call.
    Invoke {
        /// Its name, checked by [`Message::invoke`].
        func: Box<str>,
        /// Its argument.
        args: Option<Json>,
    },
}

impl Message {
    /// An invocation of `func`.
    ///
    /// # Errors
    /// `forbiddenfunction` unless the name is a path under [`FUNCTION_NAMESPACE`] that a page may be asked to call
    /// (design section 3.6).
    pub fn invoke(func: &str, args: Option<Json>) -> Result<Self, Problem> {
        let forbidden = |rule: &str| Problem {
            code: ErrorCode::ForbiddenFunction,
            ..Problem::field("func", rule)
        };
        if func.len() > 200 {
            return Err(forbidden("must have at most 200 characters"));
        }
        let Some(path) = func.strip_prefix(FUNCTION_NAMESPACE) else {
            return Err(forbidden("must be a name under GLANCE."));
        };
        let is_name = |part: &str| {
            !part.is_empty()
                && part.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | '$'))
                && !matches!(part, "__proto__" | "constructor" | "prototype")
        };
        if !path.split('.').all(is_name) {
            return Err(forbidden("must be a path of plain names under GLANCE."));
        }
        if path.split('.').next() == Some("Authorization") {
            return Err(forbidden("GLANCE.Authorization must not be called from outside"));
        }
        Ok(Self::Invoke { func: func.into(), args })
    }

    /// The bytes that the message takes while it waits.
    #[must_use]
    pub fn len(&self) -> usize {
        match self {
            Message::Signal { data } => data.text().len(),
            Message::Invoke { func, args } => {
                func.len() + args.as_ref().map_or(0, |args| args.text().len())
            }
        }
    }

    /// Whether the message takes no bytes; it always does.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// Which of the visitor's pages get a signal.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Target {
    /// The page with the focus.
    #[default]
    Focus,
    /// Every page; delivered when the first acknowledges.
    All,
}

/// What became of a signal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// Accepted, not yet acknowledged. The only one that is not final.
    Held,
    /// Acknowledged by a page.
    Delivered,
    /// Nobody acknowledged it in time.
    Expired,
    /// Not accepted.
    Refused,
}

/// Why an invoked function did not run to its end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct InvokeFailure {
    /// `unknownfunction`, `forbiddenfunction` or `exception`.
    pub code: Box<str>,
    /// The page's words.
    pub msg: Box<str>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn functions_must_lie_in_the_namespace() {
        for good in ["GLANCE.Cobrowse.Visitor.showTerms", "GLANCE.x", "GLANCE.$a._b"] {
            assert!(Message::invoke(good, None).is_ok(), "{good}");
        }
        for bad in [
            "",
            "GLANCE",
            "GLANCE.",
            "alert",
            "glance.x",
            "GLANCE.a..b",
            "GLANCE.a b",
            "GLANCE.a[0]",
            "GLANCE.__proto__.x",
            "GLANCE.a.constructor",
            "GLANCE.a.prototype.b",
            "GLANCE.Authorization",
            "GLANCE.Authorization.setToken",
        ] {
            let problem = Message::invoke(bad, None).unwrap_err();
            assert_eq!(problem.code, ErrorCode::ForbiddenFunction, "{bad}");
            assert_eq!(problem.field.as_deref(), Some("func"));
        }
    }
}
