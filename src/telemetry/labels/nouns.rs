//! Labels that are the nouns of other modules.

use super::{Label, label_of};
use crate::{
    auth::{AuthError, SignatureError},
    model::{
        chat::{ChatEnd, Speaker},
        close::CloseCode,
        help::HelpStatus,
    },
};

label_of! {
    HelpStatus, "status" {
        Pending = "pending",
        Accepted = "accepted",
        Unavailable = "unavailable",
        Canceled = "canceled",
    }
}

label_of! {
    ChatEnd, "reason" {
        Visitor = "visitor",
        Agent = "agent",
        Declined = "declined",
        Unanswered = "unanswered",
        Left = "left",
        Idle = "idle",
        Error = "error",
    }
}

label_of! {
    Speaker, "from" {
        Visitor = "visitor",
        Agent = "agent",
        System = "system",
    }
}

/// Why the server closed a socket: by the code that the peer reads, but for what has one for another reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Closing {
    /// For what the code says.
    For(CloseCode),
    /// For a frame that cannot be read, by the code that the protocol of others has for it: it is no fault of ours.
    Unreadable,
}

impl From<CloseCode> for Closing {
    fn from(code: CloseCode) -> Self {
        Self::For(code)
    }
}

impl Label for Closing {
    const KEY: &'static str = "code";
    const ALL: &'static [Self] = &{
        let mut all = [Self::Unreadable; CloseCode::ALL.len() + 1];
        let (mut places, mut codes) = (&mut all as &mut [Self], CloseCode::ALL);
        while let ([place, more @ ..], [code, rest @ ..]) = (places, codes) {
            *place = Self::For(*code);
            (places, codes) = (more, rest);
        }
        all
    };

    fn index(self) -> usize {
        match self {
            Self::For(code) => code as usize,
            Self::Unreadable => CloseCode::ALL.len(),
        }
    }

    fn text(self) -> &'static str {
        match self {
            Self::For(code) => code.as_str(),
            Self::Unreadable => "unreadable",
        }
    }
}

impl Label for AuthError {
    const KEY: &'static str = "reason";
    const ALL: &'static [Self] = AuthError::ALL;

    fn index(self) -> usize {
        self as usize
    }

    fn text(self) -> &'static str {
        self.reason()
    }
}

impl Label for SignatureError {
    const KEY: &'static str = "reason";
    const ALL: &'static [Self] = SignatureError::ALL;

    fn index(self) -> usize {
        self as usize
    }

    fn text(self) -> &'static str {
        self.reason()
    }
}
