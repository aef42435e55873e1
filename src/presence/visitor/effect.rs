//! What follows from a command: for the visitor's pages, for those who watch him, for lists, figures and other records.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{command::Submission, standing::Share};
use crate::{
    clock::Timestamp,
    model::{
        chat::{ChatMessage, ChatView},
        close::CloseCode,
        event::Event,
        help::HelpTold,
        ids::{ChatId, Code, SessionId, SignalId, SocketAddress, VisitorId},
        list::Row,
        signal::{InvokeFailure, Message, Outcome},
        timeline::Entry,
    },
};

/// What is sent to one of the visitor's pages.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ToPage {
    /// A signal or invocation.
    Signal {
        /// Its id.
        id: SignalId,
        /// After this moment by the server's clock the page must drop it.
        deadline: Timestamp,
        /// What it carries.
        message: Message,
    },
    /// The page got the focus.
    Focus,
    /// The page lost the focus.
    Blur,
    /// The visitor's co-browse session: one began, or is over.
    Session(Option<SessionId>),
    /// How it stands with the visitor's wish for help.
    Help(HelpTold),
    /// How the visitor's chat stands.
    Chat(Arc<ChatView>),
    /// Something was said in it.
    ChatMessage {
        /// In which.
        chat: ChatId,
        /// What.
        message: Arc<ChatMessage>,
    },
    /// Its agent is typing.
    ChatTyping {
        /// What he is called.
        name: Option<Box<str>>,
    },
    /// The socket is to be closed.
    Close(CloseCode),
}

/// What follows from a command. Every node that an effect names can act on it: sockets are addresses, not pointers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Effect {
    /// To a page of the visitor.
    Page {
        /// Its socket.
        to: SocketAddress,
        /// What.
        message: ToPage,
    },
    /// To all watchers of the visitor.
    Publish(Event),
    /// To one watcher: the present state.
    Present {
        /// The watcher's socket.
        to: SocketAddress,
        /// The state as an event; its sequence is not a new one.
        event: Event,
    },
    /// A signal has its final outcome.
    Settled {
        /// The agent's socket that wants to know.
        to: Option<SocketAddress>,
        /// The signal.
        id: SignalId,
        /// What became of it.
        outcome: Outcome,
    },
    /// To a signal's sender: the function that it named failed.
    InvokeFailed {
        /// The agent's socket.
        to: SocketAddress,
        /// The signal.
        id: SignalId,
        /// The function.
        func: Box<str>,
        /// Why.
        failure: InvokeFailure,
    },
    /// The code leads to the visitor no more, before its life ends.
    CodeSpent(Code),
    /// For whoever asks later what happened and why.
    Note(Entry),
    /// To the known visitor's record: a signal that was sent to the anonymous id.
    Forward {
        /// The known visitor.
        to: VisitorId,
        /// The signal, with its old id.
        submission: Box<Submission>,
    },
    /// To all lists of the visitor's group: this is what they say of him now; `None` when he is not there any more.
    Listed(Option<Arc<Row>>),
    /// To who counts: the visitor's part in the figures has changed by so much.
    Counted(Share),
}
