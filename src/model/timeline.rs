//! What happened to a visitor's record and why, in words that programs compare; what `explain` answers with.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{
    close::CloseCode,
    error::ErrorCode,
    help::HelpStatus,
    ids::{HelpId, InvalidId, SignalId, SocketAddress, TabId, VisitorId, as_text},
    signal::Outcome,
};
use crate::clock::Timestamp;

/// One thing that happened to a visitor's record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Entry {
    /// When, in Unix milliseconds.
    #[schema(value_type = u64)]
    pub time: Timestamp,
    /// What.
    #[serde(flatten)]
    pub note: Note,
}

/// What happened, and why. Sockets are named by node, start of the node, and number.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "what", rename_all = "lowercase")]
pub enum Note {
    /// A page connected.
    PageConnected {
        /// Its socket.
        #[serde(with = "as_text")]
        #[schema(value_type = String, example = "0-1-2a")]
        socket: SocketAddress,
        /// The tab that shows it.
        tab: TabId,
        /// Whether it could be seen.
        visible: bool,
        /// Whether it wanted signals.
        listening: bool,
    },
    /// A page's socket ended.
    PageEnded {
        /// Which.
        #[serde(with = "as_text")]
        #[schema(value_type = String, example = "0-1-2a")]
        socket: SocketAddress,
        /// Why.
        #[schema(value_type = String, example = "pingtimeout")]
        cause: PageEnd,
    },
    /// The visitor became connected.
    Connected {
        /// The epoch that began.
        epoch: u64,
    },
    /// His last socket went: connected until the grace is over.
    Transit {
        /// The end of the grace, in Unix milliseconds.
        #[schema(value_type = u64)]
        until: Timestamp,
    },
    /// He came back within the grace.
    Returned,
    /// He is not connected any more.
    Left {
        /// Why.
        cause: LeaveCause,
    },
    /// An anonymous visitor goes on under a known id.
    Joined {
        /// That id; its own timeline goes on from here.
        visitorid: VisitorId,
    },
    /// A signal was taken.
    SignalAccepted {
        /// Which.
        signal: SignalId,
    },
    /// A signal waits.
    SignalWaits {
        /// Which.
        signal: SignalId,
        /// For what.
        cause: WaitCause,
        /// When it expires, or goes to another page, unless something happens before; in Unix milliseconds.
        #[schema(value_type = u64)]
        until: Timestamp,
    },
    /// A signal was sent to a page.
    SignalSent {
        /// Which.
        signal: SignalId,
        /// To which page.
        #[serde(with = "as_text")]
        #[schema(value_type = String, example = "0-1-2a")]
        socket: SocketAddress,
    },
    /// A signal was handed to the record of the known visitor.
    SignalForwarded {
        /// Which.
        signal: SignalId,
        /// Whose record.
        visitorid: VisitorId,
    },
    /// A signal has its outcome.
    SignalSettled {
        /// Which.
        signal: SignalId,
        /// The outcome.
        outcome: Outcome,
        /// Why that.
        cause: SettleCause,
    },
    /// A signal was not taken.
    SignalRefused {
        /// Which.
        signal: SignalId,
        /// Why.
        cause: ErrorCode,
    },
    /// He asked for help, or it stands otherwise with that.
    Help {
        /// Which wish.
        help: HelpId,
        /// How it stands.
        status: HelpStatus,
    },
    /// The function that a signal named did not run to its end.
    InvokeFailed {
        /// The signal.
        signal: SignalId,
        /// The page's word for why.
        cause: Box<str>,
    },
}

impl Note {
    /// The signal that it is about.
    #[must_use]
    pub const fn signal(&self) -> Option<SignalId> {
        match self {
            Self::SignalAccepted { signal }
            | Self::SignalWaits { signal, .. }
            | Self::SignalSent { signal, .. }
            | Self::SignalForwarded { signal, .. }
            | Self::SignalSettled { signal, .. }
            | Self::SignalRefused { signal, .. }
            | Self::InvokeFailed { signal, .. } => Some(*signal),
            Self::PageConnected { .. }
            | Self::PageEnded { .. }
            | Self::Connected { .. }
            | Self::Transit { .. }
            | Self::Returned
            | Self::Left { .. }
            | Self::Joined { .. }
            | Self::Help { .. } => None,
        }
    }
}

/// Why a page's socket ended: one of the words here, or that of a close code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "std::borrow::Cow<'_, str>", into = "&'static str")]
pub enum PageEnd {
    /// `lost`: the connection broke without a word.
    Lost,
    /// Closed with this code, by whichever side.
    Closed(CloseCode),
    /// `identified`: the page went on under another visitor id.
    Identified,
    /// `nodelost`: the node that held it is no more.
    NodeLost,
}

impl From<PageEnd> for &'static str {
    fn from(end: PageEnd) -> Self {
        match end {
            PageEnd::Lost => "lost",
            PageEnd::Closed(code) => code.as_str(),
            PageEnd::Identified => "identified",
            PageEnd::NodeLost => "nodelost",
        }
    }
}

impl TryFrom<std::borrow::Cow<'_, str>> for PageEnd {
    type Error = InvalidId;
    fn try_from(word: std::borrow::Cow<'_, str>) -> Result<Self, InvalidId> {
        let code = || CloseCode::ALL.iter().find(|code| code.as_str() == word);
        match &*word {
            "lost" => Ok(Self::Lost),
            "identified" => Ok(Self::Identified),
            "nodelost" => Ok(Self::NodeLost),
            _ => code().map(|code| Self::Closed(*code)).ok_or(InvalidId {
                what: "cause",
                rule: "lost, identified, nodelost or the word of a close code",
            }),
        }
    }
}

/// Why a visitor is not connected any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum LeaveCause {
    /// His page said that he leaves.
    Disconnect,
    /// The grace was over before a page came.
    Grace,
    /// The unique id by which his pages came ended.
    UniqueExpired,
}

/// What a signal waits for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum WaitCause {
    /// A page that listens; there is none.
    #[default]
    NoPage,
    /// The service started anew and does not know yet who is there.
    Unknown,
    /// The socket that it was sent to ended without an acknowledgement: first for the next page of that tab.
    PageEnded,
    /// An earlier signal that waits for its tab: order is kept.
    Order,
}

/// Why a signal has its outcome.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum SettleCause {
    /// A page acknowledged it.
    Acknowledged,
    /// No page came that listens.
    NoPage,
    /// The pages that it was sent to did not acknowledge it in time.
    NoAnswer,
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::model::ids::{NodeId, SocketId};

    #[test]
    fn an_entry_reads_as_the_documents_say() {
        let node = NodeId { node: 0, incarnation: 1 };
        let socket = SocketAddress { node, socket: SocketId(42) };
        let ended = |cause| Entry { time: Timestamp(7), note: Note::PageEnded { socket, cause } };
        let text =
            |cause| json!({"time": 7, "what": "pageended", "socket": "0-1-2a", "cause": cause});
        let closed = CloseCode::ALL.iter().map(|code| (PageEnd::Closed(*code), code.as_str()));
        let own = [
            (PageEnd::Lost, "lost"),
            (PageEnd::Identified, "identified"),
            (PageEnd::NodeLost, "nodelost"),
        ];
        for (cause, word) in own.into_iter().chain(closed) {
            assert_eq!(serde_json::to_value(ended(cause)).unwrap(), text(word));
            assert_eq!(serde_json::from_value::<Entry>(text(word)).unwrap(), ended(cause));
        }
        assert!(serde_json::from_value::<Entry>(text("bored")).is_err());
    }

    #[test]
    fn an_entry_is_small_since_there_are_many() {
        assert!(size_of::<Entry>() <= 64, "{}", size_of::<Entry>());
    }

    /// Every word that the schema knows stands in the operators' table.
    #[test]
    fn the_documents_explain_every_word() {
        use utoipa::PartialSchema as _;
        let documents = include_str!("../../docs/operations.md");
        let table = documents.split("## Why did that happen").nth(1).unwrap();
        let table = table.split("\n## ").next().unwrap();
        let schemas =
            [Note::schema(), LeaveCause::schema(), WaitCause::schema(), SettleCause::schema()];
        let schemas = serde_json::to_string(&schemas).unwrap();
        let enums =
            schemas.split(r#""enum":["#).skip(1).map(|rest| rest.split(']').next().unwrap());
        let mut words: Vec<_> = enums.flat_map(|words| words.split(',')).collect();
        words.extend([PageEnd::Lost, PageEnd::Identified, PageEnd::NodeLost].map(<&str>::from));
        assert!(words.len() >= 14 + 10 + 3, "{words:?}");
        for word in words {
            let word = word.trim_matches('"');
            assert!(table.contains(&format!("`{word}`")), "{word} is not explained");
        }
    }
}
