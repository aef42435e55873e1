//! What can happen to a visitor's chat, and what follows from it.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::running::Running;
use crate::clock::Timestamp;
use crate::model::{
    chat::{ChatMessage, ChatRow, ChatView, Person, Speaker},
    error::Problem,
    ids::{ButtonId, ChatId, IdempotencyKey, VisitorId},
};

/// Who says something.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Voice {
    /// The visitor.
    Visitor,
    /// An agent.
    Agent(Person),
    /// The site itself.
    System,
}

impl Voice {
    /// As messages name him.
    #[must_use]
    pub fn speaker(&self) -> Speaker {
        match self {
            Self::Visitor => Speaker::Visitor,
            Self::Agent(_) => Speaker::Agent,
            Self::System => Speaker::System,
        }
    }
}

/// Something that is said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Saying {
    /// In this chat; `None`: in the one that the visitor has.
    pub chat: Option<ChatId>,
    /// By whom.
    pub by: Voice,
    /// The words, within the limit and less what must not be seen.
    pub text: Box<str>,
    /// The speaker's own name for it, which makes a retry harmless.
    pub id: Option<IdempotencyKey>,
}

/// An agent invites the visitor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invitation {
    /// Names the chat.
    pub chat: ChatId,
    /// The agent.
    pub by: Person,
    /// His first words.
    pub text: Box<str>,
    /// The button that the chat counts for.
    pub button: Option<ButtonId>,
}

/// Who ends a chat.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EndedBy {
    /// The visitor.
    Visitor,
    /// An agent: his own chat, or one that nobody has.
    Agent(Person),
    /// The group's own back end: any.
    Group,
}

/// What can happen to a visitor's chat.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// The visitor begins one, or asks for the one that he has.
    Open {
        /// Names it, if it is a new one.
        chat: ChatId,
        /// The button that he clicked.
        button: Option<ButtonId>,
        /// Whether somebody is available for it.
        available: bool,
    },
    /// An agent begins one.
    Invite(Box<Invitation>),
    /// The visitor answers the invitation.
    Answer {
        /// Whether he accepts.
        accepted: bool,
    },
    /// Somebody says something.
    Say(Box<Saying>),
    /// Somebody is typing.
    Typing {
        /// In which; `None`: in the one that the visitor has.
        chat: Option<ChatId>,
        /// Who.
        by: Voice,
    },
    /// An agent takes it.
    Claim {
        /// Which.
        chat: ChatId,
        /// Who.
        by: Person,
    },
    /// Its agent gives it back.
    Release {
        /// Which.
        chat: ChatId,
        /// Who.
        by: Person,
    },
    /// It ends.
    End {
        /// Which; `None`: the one that the visitor has.
        chat: Option<ChatId>,
        /// By whom.
        by: EndedBy,
    },
    /// This agent has been away for longer than the grace.
    AgentLost {
        /// The subject of his token.
        subject: Box<str>,
    },
    /// The visitor left the site, or came back.
    Present {
        /// Which of the two.
        present: bool,
    },
    /// The visitor, who was anonymous, goes on under a known id.
    Join {
        /// Who he is.
        known: VisitorId,
    },
    /// What he had when he was anonymous.
    Inherit(Box<Running>),
    /// What he had when he was anonymous could not go along.
    Strand(Box<Running>),
    /// The records were away, as over a restart: who depends on this one knows nothing of it.
    Resume,
    /// Time passed.
    Tick,
}

impl Command {
    /// Whether it is meant for the visitor, wherever his chat has gone.
    #[must_use]
    pub fn is_addressed(&self) -> bool {
        !matches!(
            self,
            Self::Present { .. }
                | Self::Join { .. }
                | Self::Inherit(_)
                | Self::Strand(_)
                | Self::Resume
                | Self::Tick
        )
    }
}

/// The answer to a command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// Done, or nothing to do.
    Done,
    /// The chat stands so.
    View(Arc<ChatView>),
    /// It was said.
    Said {
        /// The message's number.
        n: u32,
        /// When.
        at: Timestamp,
    },
    /// The chat goes along, if there is one.
    Joined(Option<Box<Running>>),
    /// He goes on under a known id: ask there.
    Elsewhere {
        /// Who he is.
        known: VisitorId,
    },
    /// Refused; nothing changed.
    Refused(Problem),
}

/// Who is told that a chat stands otherwise.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Tell {
    /// Everybody: the visitor, agents, back ends.
    News,
    /// The visitor and agents; it is no news.
    Again,
    /// Agents only.
    Agents,
}

/// What follows from a command.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Effect {
    /// The chat stands so.
    Stands {
        /// For the visitor.
        view: Arc<ChatView>,
        /// For agents.
        row: Box<ChatRow>,
        /// Who is told.
        tell: Tell,
        /// Greater than that of all that this chat told before.
        turn: u64,
    },
    /// Something was said.
    Said {
        /// What.
        message: Arc<ChatMessage>,
        /// The chat now, for the visitor.
        view: Arc<ChatView>,
        /// Likewise for agents.
        row: Box<ChatRow>,
        /// Greater than that of all that this chat told before.
        turn: u64,
        /// Whether it is only to be kept: the visitor has it from the view.
        quiet: bool,
    },
    /// Somebody is typing.
    Typing {
        /// In which chat.
        chat: ChatId,
        /// Whether it is the visitor, and the agent is told; else the other way round.
        visitor: bool,
        /// The agent of the chat.
        agent: Person,
    },
}
