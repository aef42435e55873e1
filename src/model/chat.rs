//! Chat: what visitors and agents write to each other, and how it stands with that.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{
    error::Problem,
    ids::{ButtonId, ChatId, VisitorId},
};
use crate::clock::Timestamp;

/// Longest text of a message, in bytes.
pub const MAX_SAID_BYTES: usize = 4_000;
/// Buttons that one agent may be available for, and that one group may have.
pub const MAX_BUTTONS: usize = 64;
/// Messages that a view shows at most: the last ones.
pub const VIEW_MESSAGES: usize = 100;
/// Bytes of text that a view shows at most; the last message is always among them.
pub const VIEW_BYTES: usize = 48 * 1_024;
/// Longest part of a message that a row shows, in characters.
const ROW_CHARACTERS: usize = 120;

/// Whether this may be said. Control characters are refused: nobody sees them, and JSON writes each with six bytes, so that
/// a view of such messages would not fit where one of words does.
///
/// # Errors
/// A problem with the field `text`.
pub fn check_said(text: &str) -> Result<(), Problem> {
    let rule = if text.len() > MAX_SAID_BYTES {
        format!("must have at most {MAX_SAID_BYTES} bytes")
    } else if text.trim().is_empty() {
        "must not be empty".to_owned()
    } else if text.contains(|c: char| c.is_control() && !matches!(c, '\t' | '\n' | '\r')) {
        "must hold no control characters but tabs and ends of lines".to_owned()
    } else {
        return Ok(());
    };
    Err(Problem::field("text", rule))
}

/// How it stands with a chat.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum ChatStatus {
    /// An agent invited the visitor, who has not answered.
    Invited,
    /// The visitor waits for an agent.
    Waiting,
    /// An agent has it.
    Open,
    /// It is over.
    Ended,
}

/// Why a chat ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum ChatEnd {
    /// The visitor closed it.
    Visitor,
    /// The agent closed it.
    Agent,
    /// The visitor declined the invitation.
    Declined,
    /// Nobody took it in time, or the invitation was not answered.
    Unanswered,
    /// The visitor left the site and did not come back.
    Left,
    /// Nobody said anything for too long.
    Idle,
    /// It broke.
    Error,
}

/// Who said something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Speaker {
    /// The visitor.
    Visitor,
    /// An agent.
    Agent,
    /// The site itself.
    System,
}

/// A message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ChatMessage {
    /// Counts the messages of a chat from 1.
    pub n: u32,
    /// When it was said, in Unix milliseconds.
    #[schema(value_type = u64)]
    pub at: Timestamp,
    /// By whom.
    pub from: Speaker,
    /// What the agent is called, if he has a name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub name: Option<Box<str>>,
    /// The text, less what must not be seen.
    pub text: Box<str>,
}

/// The agent of a chat, as the visitor sees him.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ChatAgent {
    /// What he is called, if he has a name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub name: Option<Box<str>>,
}

/// A chat as its visitor sees it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ChatView {
    /// Which.
    pub chat: ChatId,
    /// The button that it came by.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub button: Option<ButtonId>,
    /// How it stands.
    pub status: ChatStatus,
    /// Who has it, or invites.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub agent: Option<ChatAgent>,
    /// Why it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub reason: Option<ChatEnd>,
    /// The last messages.
    #[schema(value_type = Vec<ChatMessage>)]
    pub messages: Vec<Arc<ChatMessage>>,
}

/// An agent as agents see him.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Person {
    /// The subject of his token.
    pub subject: Box<str>,
    /// What he is called, if he has a name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub name: Option<Box<str>>,
}

/// A chat as lists of agents show it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ChatRow {
    /// Which.
    pub chat: ChatId,
    /// Whose.
    pub visitorid: VisitorId,
    /// The button that it came by.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub button: Option<ButtonId>,
    /// How it stands.
    pub status: ChatStatus,
    /// When it began, in Unix milliseconds.
    #[schema(value_type = u64)]
    pub began: Timestamp,
    /// Since when it stands so, in Unix milliseconds.
    #[schema(value_type = u64)]
    pub since: Timestamp,
    /// Who has it, or invites.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub agent: Option<Person>,
    /// Why it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub reason: Option<ChatEnd>,
    /// How many messages there are.
    pub messages: u32,
    /// The beginning of the last one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub last: Option<Box<str>>,
}

/// What watchers and back ends are told of a visitor's chat: never what is said in it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ChatNews {
    /// Which.
    pub chat: ChatId,
    /// How it stands.
    pub status: ChatStatus,
    /// The button that it came by.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub button: Option<ButtonId>,
    /// Who has it, or invites, if he has a name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub agent: Option<Box<str>>,
    /// Why it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub reason: Option<ChatEnd>,
}

impl ChatView {
    /// What is told of it.
    #[must_use]
    pub fn news(&self) -> ChatNews {
        ChatNews {
            chat: self.chat,
            status: self.status,
            button: self.button.clone(),
            agent: self.agent.as_ref().and_then(|agent| agent.name.clone()),
            reason: self.reason,
        }
    }

    /// Whether it is over.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.status == ChatStatus::Ended
    }
}

/// The last messages that a view has room for.
#[must_use]
pub fn last_of<'a>(
    messages: impl DoubleEndedIterator<Item = &'a Arc<ChatMessage>>,
) -> Vec<Arc<ChatMessage>> {
    let mut bytes = 0;
    let mut last: Vec<_> = messages
        .rev()
        .take(VIEW_MESSAGES)
        .take_while(|message| {
            let is_first = bytes == 0;
            bytes += message.text.len();
            is_first || bytes <= VIEW_BYTES
        })
        .cloned()
        .collect();
    last.reverse();
    last
}

/// The beginning of a message, for a row.
#[must_use]
pub fn beginning(text: &str) -> Box<str> {
    match text.char_indices().nth(ROW_CHARACTERS) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()).into(),
        None => text.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(n: u32, bytes: usize) -> Arc<ChatMessage> {
        let text = "x".repeat(bytes).into();
        Arc::new(ChatMessage { n, at: Timestamp(1), from: Speaker::Visitor, name: None, text })
    }

    #[test]
    fn a_view_shows_the_last_messages_that_it_has_room_for() {
        let numbers = |messages: &[Arc<ChatMessage>]| {
            last_of(messages.iter()).iter().map(|message| message.n).collect::<Vec<_>>()
        };
        let many: Vec<_> = (1..=150).map(|n| said(n, 1)).collect();
        assert_eq!(numbers(&many), (51..=150).collect::<Vec<_>>());
        let long: Vec<_> = (1..=20).map(|n| said(n, MAX_SAID_BYTES)).collect();
        assert_eq!(numbers(&long), (9..=20).collect::<Vec<_>>());
        assert!(numbers(&[]).is_empty());
    }

    #[test]
    fn what_nobody_can_see_is_not_said() {
        let long = "x".repeat(MAX_SAID_BYTES);
        for fine in ["hello", "two\nlines\r\n", "a\ttab", "🙂", &long] {
            assert!(check_said(fine).is_ok(), "{fine:?}");
        }
        let longer = format!("{long}x");
        for refused in
            ["", " \n", "a\0", "\u{1}".repeat(4_000).as_str(), "a\u{7f}", "a\u{85}", &longer]
        {
            let problem = check_said(refused).unwrap_err();
            assert_eq!(problem.field.as_deref(), Some("text"), "{refused:?}");
        }
    }

    #[test]
    fn a_row_shows_whole_characters() {
        assert_eq!(&*beginning("hello"), "hello");
        assert_eq!(&*beginning(&"é".repeat(200)), format!("{}…", "é".repeat(120)));
    }
}
