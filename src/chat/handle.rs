//! The handle to chat: what sockets, HTTP and facades call.

mod agents;
mod arrivals;
mod delivery;
mod replica;
#[cfg(test)]
mod tests;
mod visitors;

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use self::delivery::{ChatDelivery, StaffDelivery};
pub use self::{agents::Desk, arrivals::Arrivals, visitors::ButtonWatch};
pub use super::board::Reader;
use super::{
    board::{Board, WaitingPlace},
    buttons::Buttons,
    conversation::{
        self, Conversation,
        command::{Command, Reply},
    },
    staff::{self, Staff},
};
use crate::{
    cobrowse::ledger::Ledger,
    limits::Places,
    model::{
        chat::ChatView,
        error::{ErrorCode, Problem},
        ids::{ButtonId, ChatId, GroupId, NodeId, SocketAddress, SocketId, VisitorKey},
        protocol::agent::ToAgent,
    },
    presence::handle::Presence,
    store::{
        Afterwards, Applied, Engine, Expect, Refusal,
        place::{Place, Store},
    },
    telemetry::Metrics,
};

/// The engine that keeps chats.
pub type ChatEngine = Store<Conversation>;
/// The engine that keeps who of a group's agents is there.
pub type StaffEngine = Store<Staff>;

/// Where effects leave for the sockets of this node. None of these waits.
pub trait Post: Send + Sync {
    /// To pages: a button is enabled, or no more. Encoded once.
    fn button(&self, to: &mut dyn Iterator<Item = SocketId>, button: &ButtonId, enabled: bool);
    /// To agents. Encoded once.
    fn agents(&self, to: &[SocketId], message: &ToAgent);
}

/// How chat goes.
pub struct Options {
    /// Where its records are kept.
    pub place: Place,
    /// The rules of a chat.
    pub chats: conversation::Rules,
    /// The rules of who is there.
    pub staff: staff::Rules,
    /// Chats at a time.
    pub most_chats: usize,
    /// Visitors of one group who may wait at a time.
    pub most_waiting: usize,
    /// Of those, visitors of one address.
    pub most_waiting_of_address: usize,
    /// Chats that one agent may have at a time.
    pub most_of_agent: usize,
    /// The groups, each with the buttons that it declares; none: any.
    pub groups: HashMap<GroupId, Vec<ButtonId>>,
}

/// The handle. Cheap to clone.
#[derive(Clone)]
pub struct Chat(Arc<Parts>);

struct Parts {
    conversations: ChatEngine,
    staff: StaffEngine,
    shared: Arc<Shared>,
}

struct Shared {
    node: NodeId,
    presence: Presence,
    post: Arc<dyn Post>,
    metrics: Metrics,
    ledger: Ledger,
    arrivals: Arc<Arrivals>,
    floors: HashMap<GroupId, Floor>,
    most_waiting: usize,
    waiting_of_address: Arc<Places<(GroupId, IpAddr)>>,
    most_of_agent: usize,
}

/// What one group's agents and pages look at.
#[derive(Default)]
struct Floor {
    declared: Vec<ButtonId>,
    board: Board,
    buttons: Buttons,
    /// Agents who are available for something.
    available: AtomicUsize,
}

type Answer<T> = Box<dyn FnOnce(Result<T, Problem>) + Send>;

impl Chat {
    /// Chat without chats.
    pub fn new(
        options: Options,
        presence: Presence,
        post: Arc<dyn Post>,
        arrivals: Arc<Arrivals>,
        ledger: Ledger,
        metrics: Metrics,
    ) -> Self {
        let Options { place, chats, staff, most_chats, .. } = options;
        let floors = options
            .groups
            .into_iter()
            .map(|(group, declared)| (group, Floor { declared, ..Floor::default() }));
        let shared = Arc::new(Shared {
            node: place.node,
            presence,
            post,
            metrics,
            ledger,
            arrivals: Arc::clone(&arrivals),
            floors: floors.collect(),
            most_waiting: options.most_waiting,
            waiting_of_address: Places::new(options.most_waiting_of_address),
            most_of_agent: options.most_of_agent,
        });
        let delivery = ChatDelivery(Arc::clone(&shared));
        let conversations = place.keep(most_chats, chats, delivery);
        let delivery = StaffDelivery(Arc::clone(&shared), conversations.clone());
        let is_alone = place.shared.is_none();
        // One record a group.
        let staff = place.keep(place.room_for(shared.floors.len()), staff, delivery);
        let chat = Self(Arc::new(Parts { conversations, staff, shared }));
        arrivals.begin(&chat);
        if !is_alone {
            chat.replicate();
        }
        chat
    }

    /// The engine that keeps chats, for its keepers, metrics and storage.
    #[must_use]
    pub fn conversations(&self) -> &ChatEngine {
        &self.0.conversations
    }

    /// The engine that keeps who is there, likewise.
    #[must_use]
    pub fn staff(&self) -> &StaffEngine {
        &self.0.staff
    }

    /// Past chats, among past sessions and consents.
    #[must_use]
    pub fn ledger(&self) -> &Ledger {
        &self.0.shared.ledger
    }

    /// This node and its incarnation.
    #[must_use]
    pub fn node(&self) -> NodeId {
        self.0.shared.node
    }

    /// Brings the figures that are states, not counts, up to date.
    pub fn refresh_metrics(&self) {
        let gauge = |number: usize| i64::try_from(number).unwrap_or(i64::MAX);
        let (mut waiting, mut open, mut pages, mut available) = (0, 0, 0, 0);
        for floor in self.0.shared.floors.values() {
            let count = floor.board.count();
            waiting += count.waiting;
            open += count.open;
            pages += floor.buttons.pages();
            available += floor.available.load(Ordering::Relaxed);
        }
        let metrics = &self.0.shared.metrics;
        metrics.chats_waiting.set(gauge(waiting));
        metrics.chats_open.set(gauge(open));
        metrics.button_watchers.set(gauge(pages));
        metrics.agents_available.set(gauge(available));
    }

    fn floor(&self, group: &GroupId) -> Result<&Floor, Problem> {
        self.0
            .shared
            .floors
            .get(group)
            .ok_or_else(|| Problem::new(ErrorCode::Group, "there is no such group"))
    }

    /// The visitor of a chat that is not over, as far as this node has heard.
    fn visitor_of(&self, group: &GroupId, chat: ChatId) -> Result<VisitorKey, Problem> {
        let Some(visitor) = self.floor(group)?.board.visitor_of(chat) else {
            self.knows_all(group)?;
            return Err(Problem::new(ErrorCode::NotFound, "there is no such chat"));
        };
        Ok(VisitorKey { group: group.clone(), visitor })
    }

    /// Whether what this node has not heard of is over. Else it could be a chat that another agent has.
    ///
    /// # Errors
    /// `unready` where several nodes share the chats and this one has just started.
    pub fn knows_all(&self, group: &GroupId) -> Result<(), Problem> {
        if self.floor(group)?.board.is_unread() {
            let sentence = "the chats of the other nodes are being read";
            return Err(Problem::new(ErrorCode::Unready, sentence).retry_in(1_000));
        }
        Ok(())
    }

    /// The visitor of a chat that is not over.
    fn find(
        &self,
        group: &GroupId,
        chat: ChatId,
        then: impl FnOnce(Result<VisitorKey, Problem>) + Send + 'static,
    ) {
        let found = self.visitor_of(group, chat);
        let (Err(_), Store::Shared(engine)) = (&found, &self.0.conversations) else {
            return then(found);
        };
        // One that began on another node a moment ago: behind any look at the records all that was said before is heard.
        let (here, group) = (self.clone(), group.clone());
        let Ok(visitor) = chat.to_string().parse() else { return then(found) };
        let key = VisitorKey { group: group.clone(), visitor };
        let look = move |_: Result<Option<&Conversation>, Refusal>| -> Afterwards {
            Box::new(move || then(here.visitor_of(&group, chat)))
        };
        engine.read(key, Box::new(look));
    }

    /// A chat begins, if it is the new one: it is found at once, and follows its visitor from now on. What he did while it
    /// was on its way, nobody has told it.
    fn began(
        &self,
        visitor: &VisitorKey,
        (new, place): (ChatId, Option<WaitingPlace>),
        begun: Result<Arc<ChatView>, Problem>,
    ) -> Result<Arc<ChatView>, Problem> {
        let begun = begun?;
        if begun.chat == new
            && let Ok(floor) = self.floor(&visitor.group)
        {
            floor.board.began(new, &visitor.visitor, place);
            self.0.shared.arrivals.has_chat(visitor, true);
            self.catch_up(visitor.clone());
        }
        Ok(begun)
    }

    fn address(&self, socket: SocketId) -> SocketAddress {
        SocketAddress { node: self.0.shared.node, socket }
    }

    /// Submits where the visitor is; he may have become known meanwhile.
    fn submit(
        &self,
        key: VisitorKey,
        command: Command,
        answer: impl FnOnce(Result<Reply, Problem>) + Send + 'static,
    ) {
        let (chat, group, again) = (self.clone(), key.group.clone(), command.clone());
        let sink = Box::new(move |result| match plain(result) {
            Ok(Reply::Elsewhere { known }) => {
                let key = VisitorKey { group, visitor: known };
                let sink = Box::new(move |result| answer(plain(result)));
                chat.0.conversations.submit(key, Expect::Any, again, sink);
            }
            other => answer(other),
        });
        self.0.conversations.submit(key, Expect::Any, command, sink);
    }
}

fn plain(result: Result<Applied<Reply>, Refusal>) -> Result<Reply, Problem> {
    match result {
        Ok(Applied { reply: Reply::Refused(problem), .. }) => Err(problem),
        Ok(Applied { reply, .. }) => Ok(reply),
        Err(refusal) => Err(refusal.into()),
    }
}

fn done(reply: Result<Reply, Problem>) -> Result<(), Problem> {
    reply.map(|_| ())
}

fn view(reply: Result<Reply, Problem>) -> Result<Arc<ChatView>, Problem> {
    match reply? {
        Reply::View(view) => Ok(view),
        _ => Err(unexpected()),
    }
}

fn unexpected() -> Problem {
    Problem::new(ErrorCode::Internal, "the chat gave an answer of another kind")
}
