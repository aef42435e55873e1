//! The handle to co-browse: what sockets, HTTP and facades call.

mod apart;
mod begin;
mod code;
mod delivery;
mod link;
mod nodes;
mod seat;
#[cfg(test)]
mod tests;

use std::{
    collections::HashMap,
    sync::{Arc, OnceLock},
};

use dashmap::DashMap;
use parking_lot::Mutex;

pub use self::{
    begin::Start,
    link::NewLink,
    seat::{PagePass, ViewerSeat},
};
use self::{
    delivery::Delivery,
    nodes::{Colleagues, Incoming},
};
use super::{
    assets::AssetLimits,
    channel::{Between, Channel, StreamPost},
    ledger::Ledger,
    letter,
    link::OpenedLinks,
    relay::RelayLimits,
    session::{
        Policy, Session, SessionView, Summary,
        command::{Command, Enter, Entrance, Reply},
    },
    ticket::Tickets,
};
use crate::{
    clock::Clock,
    model::{
        cobrowse::{ConsentTo, EndReason, MemberView, PageSettings, SessionOffer, SessionTold},
        error::{ErrorCode, Problem},
        ids::{
            GroupId, NodeId, SessionId, SessionKey, SocketAddress, SocketId, VisitorId, VisitorKey,
        },
    },
    presence::handle::Presence,
    settings::GroupCobrowse,
    store::{
        Afterwards, Applied, Engine, Expect, Refusal,
        place::{Place, Store, WeakStore},
    },
};

/// The engine that keeps sessions.
pub type SessionEngine = Store<Session>;

/// How often a visitor's record is asked again for a session: under the name that he became known by meanwhile, or when it
/// named one that does not run.
const MOST_FORWARDS: u32 = 3;

/// Where effects leave for the sockets of this node. None of these waits.
pub trait Post: StreamPost {
    /// To pages and viewers: something happened. Encoded once.
    fn told(&self, to: &[SocketId], told: SessionTold);
    /// To a page: record, with this ticket; or no more.
    fn record(&self, to: SocketId, epoch: u32, ticket: Option<String>);
    /// To a page: ask the visitor.
    fn ask(&self, to: SocketId, consent: ConsentTo, agent: Option<MemberView>);
    /// To the agent with this subject, wherever he is connected: a seat is handed to him.
    fn offer(&self, group: &GroupId, to: &str, visitor: VisitorId, offer: SessionOffer);
}

/// How sessions go.
pub struct Options {
    /// Where its records are kept.
    pub place: Place,
    /// Sessions at a time.
    pub most_sessions: usize,
    /// How a session goes that nobody gave another policy.
    pub policy: Policy,
    /// What is kept of a stream.
    pub relay: RelayLimits,
    /// What is kept of assets.
    pub assets: AssetLimits,
    /// Longest part of a stream, in bytes, before it was deflated.
    pub part_bytes: usize,
    /// Digits of the codes that lead to sessions, 4 to 12.
    pub code_digits: u32,
    /// What each group wants.
    pub groups: HashMap<GroupId, GroupCobrowse>,
}

/// A session as it stands, or as it was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It runs.
    Running(Box<SessionView>),
    /// It ended not long ago.
    Over(Box<Summary>),
}

/// The handle. Cheap to clone.
#[derive(Clone)]
pub struct Cobrowse {
    engine: SessionEngine,
    shared: Arc<Shared>,
}

struct Shared {
    node: NodeId,
    clock: Clock,
    presence: Presence,
    post: Arc<dyn Post>,
    policy: Policy,
    limits: (RelayLimits, AssetLimits),
    part_bytes: usize,
    code_digits: u32,
    groups: HashMap<GroupId, GroupCobrowse>,
    tickets: Tickets,
    opened: Mutex<OpenedLinks>,
    ledger: Ledger,
    /// The streams of the sessions that this node has something of. One goes with its session.
    channels: DashMap<SessionKey, Arc<Channel>>,
    /// The other nodes.
    colleagues: Arc<Colleagues>,
    /// Where sessions are; known once it is there.
    engine: OnceLock<WeakStore<Session>>,
}

type Answer<T> = Box<dyn FnOnce(Result<T, Problem>) + Send>;

impl Cobrowse {
    /// Co-browse without sessions.
    pub fn new(
        options: Options,
        presence: Presence,
        post: Arc<dyn Post>,
        tickets: Tickets,
        ledger: Ledger,
    ) -> Self {
        let Options {
            place,
            most_sessions,
            policy,
            relay,
            assets,
            part_bytes,
            code_digits,
            groups,
        } = options;
        let shared = Arc::new_cyclic(|shared| Shared {
            node: place.node,
            clock: place.clock.clone(),
            presence,
            post,
            policy,
            limits: (relay, assets),
            part_bytes,
            code_digits,
            groups,
            tickets,
            opened: Mutex::default(),
            ledger,
            channels: DashMap::new(),
            colleagues: Arc::new(Colleagues::new(
                place.courier(letter::KIND, Incoming::new(shared.clone())),
            )),
            engine: OnceLock::new(),
        });
        let delivery = Delivery(Arc::clone(&shared));
        let engine = place.keep(most_sessions, (), delivery);
        let _ = shared.engine.set(engine.downgrade());
        Self { engine, shared }
    }

    /// The engine that keeps sessions, for its keepers, metrics and storage.
    #[must_use]
    pub fn engine(&self) -> &SessionEngine {
        &self.engine
    }

    /// This node and its incarnation.
    #[must_use]
    pub fn node(&self) -> NodeId {
        self.shared.node
    }

    /// Past sessions and consents.
    #[must_use]
    pub fn ledger(&self) -> &Ledger {
        &self.shared.ledger
    }

    /// How sessions go that nobody gives another policy.
    #[must_use]
    pub fn policy(&self) -> Policy {
        self.shared.policy
    }

    /// What the group's pages are told.
    #[must_use]
    pub fn page_settings(&self, group: &GroupId) -> Arc<PageSettings> {
        self.shared.groups.get(group).map(|group| Arc::clone(&group.page)).unwrap_or_default()
    }

    /// A page of `visitor` comes into his session. `answer` gets what it comes into; `notfound` when this is not his session any more.
    pub fn enter(
        &self,
        visitor: VisitorKey,
        session: SessionId,
        enter: Enter,
        answer: impl FnOnce(Result<Entrance, Problem>) + Send + 'static,
    ) {
        let cobrowse = self.clone();
        self.shared.presence.session_of(visitor.clone(), move |has| {
            let of = SessionKey { group: visitor.group.clone(), session };
            match has {
                Ok(Some(has)) if has == session => {}
                Ok(_) => {
                    let sentence = "this is not a session of the visitor";
                    return answer(Err(Problem::new(ErrorCode::NotFound, sentence)));
                }
                Err(problem) => return answer(Err(problem)),
            }
            let again = cobrowse.clone();
            cobrowse.submit(of, Command::Enter(Box::new(enter)), move |reply| match reply {
                Ok(Reply::Entered(entrance)) => answer(Ok(*entrance)),
                Ok(_) => answer(Err(unexpected())),
                Err(problem) => {
                    if problem.code == ErrorCode::NotFound {
                        again.forget(visitor, session);
                    }
                    answer(Err(problem));
                }
            });
        });
    }

    /// A command whose only answer is whether it was carried out.
    pub fn command(
        &self,
        session: SessionKey,
        command: Command,
        answer: impl FnOnce(Result<(), Problem>) + Send + 'static,
    ) {
        self.submit(session, command, |reply| answer(reply.map(|_| ())));
    }

    /// A socket that was in a session ended.
    pub fn gone(&self, session: SessionKey, socket: SocketAddress) {
        self.submit(session, Command::Gone { socket }, |_| ());
    }

    /// Ends the session that a visitor has. `notfound` when he has none.
    pub fn end_of(
        &self,
        visitor: VisitorKey,
        reason: EndReason,
        text: Option<Box<str>>,
        answer: impl FnOnce(Result<(), Problem>) + Send + 'static,
    ) {
        let (cobrowse, group) = (self.clone(), visitor.group.clone());
        self.shared.presence.session_of(visitor, move |has| match has {
            Ok(Some(session)) => cobrowse.end(SessionKey { group, session }, reason, text, answer),
            Ok(None) => answer(Err(Problem::new(ErrorCode::NotFound, "there is no session"))),
            Err(problem) => answer(Err(problem)),
        });
    }

    /// Ends a session.
    pub fn end(
        &self,
        session: SessionKey,
        reason: EndReason,
        text: Option<Box<str>>,
        answer: impl FnOnce(Result<(), Problem>) + Send + 'static,
    ) {
        self.command(session, Command::End { reason, text }, answer);
    }

    /// Reads a session; `None` when it is not remembered here.
    pub fn look_up(
        &self,
        session: SessionKey,
        answer: impl FnOnce(Result<Option<Standing>, Problem>) + Send + 'static,
    ) {
        let reader = move |found: Result<Option<&Session>, Refusal>| -> Afterwards {
            let standing = found.map(|session| {
                let session = session?;
                let running = session.view().map(|view| Standing::Running(Box::new(view)));
                running.or_else(|| {
                    session.summary().map(|over| Standing::Over(Box::new(over.clone())))
                })
            });
            Box::new(move || answer(standing.map_err(Problem::from)))
        };
        self.engine.read(session, Box::new(reader));
    }

    /// The sessions of a group that run and that are asked for, the newest first; at most `limit` of those that began
    /// before `before`. Looks at every session of the group, on all nodes.
    pub fn running(
        &self,
        group: GroupId,
        is_asked_for: impl Fn(&SessionView) -> bool + Send + 'static,
        before: Option<SessionId>,
        limit: usize,
        answer: impl FnOnce(Result<Vec<(SessionId, SessionView)>, Problem>) + Send + 'static,
    ) {
        let name = group.to_string();
        let found = Arc::new(Mutex::new(Vec::new()));
        let into = Arc::clone(&found);
        let visit = move |key: &SessionKey, session: &Session| {
            let is_there = key.group == group && before.is_none_or(|before| key.session < before);
            let view = is_there.then(|| session.view()).flatten();
            into.lock().extend(view.filter(&is_asked_for).map(|view| (key.session, view)));
        };
        let done = move |could: bool| {
            if !could {
                return answer(Err(Refusal::Away.into()));
            }
            let mut found = std::mem::take(&mut *found.lock());
            found.sort_by_key(|(session, _)| std::cmp::Reverse(*session));
            // One that changed meanwhile may have been seen twice.
            found.dedup_by_key(|(session, _)| *session);
            found.truncate(limit);
            answer(Ok(found));
        };
        self.engine.list(name, Box::new(visit), Box::new(done));
    }

    /// What streams keep in memory: of parts, and of assets, in bytes.
    #[must_use]
    pub fn bytes(&self) -> (usize, u64) {
        let bytes = self.shared.channels.iter().map(|channel| channel.bytes());
        bytes.fold((0, 0), |(parts, assets), (part, asset)| (parts + part, assets + asset))
    }

    /// How many streams there are.
    #[must_use]
    pub fn channels(&self) -> usize {
        self.shared.channels.len()
    }

    fn submit(
        &self,
        key: SessionKey,
        command: Command,
        answer: impl FnOnce(Result<Reply, Problem>) + Send + 'static,
    ) {
        let sink = Box::new(|result| answer(plain(result)));
        self.engine.submit(key, Expect::Any, command, sink);
    }
}

impl Shared {
    /// A session's stream; made where there is none.
    fn channel(&self, session: &SessionKey) -> Arc<Channel> {
        let make = || {
            let between = Arc::clone(&self.colleagues) as Arc<dyn Between>;
            Arc::new(Channel::new(self.limits, session.clone(), self.node, between))
        };
        Arc::clone(&self.channels.entry(session.clone()).or_insert_with(make))
    }
}

fn plain(result: Result<Applied<Reply>, Refusal>) -> Result<Reply, Problem> {
    match result {
        Ok(Applied { reply: Reply::Refused(problem), .. }) => Err(problem),
        Ok(Applied { reply, .. }) => Ok(reply),
        Err(refusal) => Err(refusal.into()),
    }
}

fn over() -> Problem {
    Problem::new(ErrorCode::NotFound, "the session is over")
}

fn unexpected() -> Problem {
    Problem::new(ErrorCode::Internal, "the session gave an answer of another kind")
}
