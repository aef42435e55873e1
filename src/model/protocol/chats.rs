//! Chats over the native sockets: what visitors and agents ask for, and how an agent's list of chats changes.

use std::{collections::BTreeSet, sync::Arc};

use serde::Serialize;
use utoipa::ToSchema;

use super::Fields;
use crate::{
    clock::Timestamp,
    model::{
        chat::{ChatRow, ChatView, MAX_BUTTONS, check_said},
        error::Problem,
        ids::{ButtonId, ChatId, IdempotencyKey, VisitorId},
    },
};

/// What a visitor's page asks for about his chat.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum VisitorChat {
    /// It wants to know of buttons.
    WatchButtons,
    /// He begins a chat.
    Open {
        /// By this button.
        button: Option<ButtonId>,
    },
    /// He says something.
    Say {
        /// What.
        text: Box<str>,
        /// The page's name for it.
        id: IdempotencyKey,
    },
    /// He closes his chat.
    Close,
    /// He answers an invitation.
    Answer {
        /// Whether he accepts.
        accepted: bool,
    },
    /// He is typing.
    Typing,
}

impl VisitorChat {
    pub(super) fn open(fields: &Fields<'_>) -> Result<Self, Problem> {
        Ok(Self::Open { button: button(fields)? })
    }

    pub(super) fn say(fields: &Fields<'_>) -> Result<Self, Problem> {
        let (text, id) = said(fields)?;
        Ok(Self::Say { text, id })
    }

    pub(super) fn answer(fields: &Fields<'_>) -> Result<Self, Problem> {
        Ok(Self::Answer { accepted: Fields::required(fields.accepted, "accepted")? })
    }
}

/// What an agent asks for about chats.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AgentChat {
    /// He is available for these buttons.
    Available(BTreeSet<ButtonId>),
    /// He looks at the chats that wait, and at his own.
    Watch,
    /// He wants to see one.
    Read(ChatId),
    /// He takes one.
    Claim(ChatId),
    /// He gives one back.
    Release(ChatId),
    /// He says something.
    Say {
        /// In which.
        chat: ChatId,
        /// What.
        text: Box<str>,
        /// His own name for it.
        id: IdempotencyKey,
    },
    /// He ends one.
    End(ChatId),
    /// He invites a visitor.
    Invite {
        /// Whom.
        visitor: VisitorId,
        /// His first words.
        text: Box<str>,
        /// The button that the chat counts for.
        button: Option<ButtonId>,
    },
    /// He is typing.
    Typing(ChatId),
}

impl AgentChat {
    pub(super) fn available(fields: &Fields<'_>) -> Result<Self, Problem> {
        let texts = Fields::required(fields.buttons.as_ref(), "buttons")?;
        if texts.len() > MAX_BUTTONS {
            return Err(Problem::field("buttons", format!("must have at most {MAX_BUTTONS}")));
        }
        let buttons = texts.iter().map(|text| Fields::parsed(Some(text), "buttons"));
        buttons.collect::<Result<_, _>>().map(Self::Available)
    }

    pub(super) fn say(fields: &Fields<'_>) -> Result<Self, Problem> {
        let (text, id) = said(fields)?;
        Ok(Self::Say { chat: chat(fields)?, text, id })
    }

    pub(super) fn invite(fields: &Fields<'_>) -> Result<Self, Problem> {
        Ok(Self::Invite {
            visitor: Fields::parsed(fields.visitorid.as_ref(), "visitorid")?,
            text: words(fields)?,
            button: button(fields)?,
        })
    }
}

pub(super) fn chat(fields: &Fields<'_>) -> Result<ChatId, Problem> {
    Fields::parsed(fields.chat.as_ref(), "chat")
}

fn button(fields: &Fields<'_>) -> Result<Option<ButtonId>, Problem> {
    let button = fields.button.as_ref();
    button.map(|button| Fields::parsed(Some(button), "button")).transpose()
}

fn words(fields: &Fields<'_>) -> Result<Box<str>, Problem> {
    let text = Fields::required(fields.text.as_ref(), "text")?;
    check_said(text)?;
    Ok(text.as_ref().into())
}

fn said(fields: &Fields<'_>) -> Result<(Box<str>, IdempotencyKey), Problem> {
    Ok((words(fields)?, Fields::parsed(fields.id.as_ref(), "id")?))
}

/// What the answer to a message about a chat says of it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, ToSchema)]
pub struct ChatAnswer {
    /// The chat, with its last messages.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = ChatView, nullable = false, required = false)]
    pub chat: Option<Arc<ChatView>>,
    /// The message's number, after `say`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub n: Option<u32>,
    /// When it was said, in Unix milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = u64, nullable = false, required = false)]
    pub at: Option<Timestamp>,
}

impl From<Arc<ChatView>> for ChatAnswer {
    fn from(chat: Arc<ChatView>) -> Self {
        Self { chat: Some(chat), ..Self::default() }
    }
}

impl ChatAnswer {
    /// Something was said.
    #[must_use]
    pub fn said(n: u32, at: Timestamp) -> Self {
        Self { n: Some(n), at: Some(at), ..Self::default() }
    }
}

/// What changed in the chats that wait and in the agent's own.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, ToSchema)]
pub struct ChatsChange {
    /// Whether what was known counts no more: this begins with none.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    #[schema(required = false)]
    pub reset: bool,
    /// Chats that are new, or stand otherwise. The agent's own one is told once more when it has ended.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false)]
    pub put: Vec<ChatRow>,
    /// Chats that he sees no more: another agent has them, or they are over.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false)]
    pub remove: Vec<ChatId>,
}

impl ChatsChange {
    /// These are new, or stand otherwise.
    #[must_use]
    pub fn put(put: Vec<ChatRow>) -> Self {
        Self { put, ..Self::default() }
    }

    /// These are seen no more.
    #[must_use]
    pub fn remove(remove: Vec<ChatId>) -> Self {
        Self { remove, ..Self::default() }
    }
}
