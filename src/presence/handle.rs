//! The handle to presence: what sockets, HTTP and facades call.

mod delivery;
mod explain;
mod figures;
mod help;
mod pages;
mod replica;
mod sharing;
mod signals;
#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;
mod unique;

use std::{
    collections::HashSet,
    sync::{Arc, OnceLock},
};

use parking_lot::Mutex;

use self::{
    delivery::{CodeDelivery, VisitorDelivery},
    replica::Replica,
};
pub use self::{figures::Figures, pages::NotWelcome, replica::Rows, unique::UniqueKind};
use super::{
    open::OpenSignals,
    timeline::Timelines,
    visitor::{
        Rules, Visitor,
        command::{Command, Reply},
        effect::ToPage,
        rows_of, watched,
    },
    watchers::{WatchLimits, Watchers},
};
use crate::{
    clock::Clock,
    codes::{CodeRecord, CodeRules, Codes, GuessLimits, Guesses},
    model::{
        error::{ErrorCode, Problem},
        event::{Event, Position},
        help::HelpStatus,
        ids::{GroupId, NodeId, SocketAddress, SocketId, VisitorId, VisitorKey},
        list::Row,
        protocol::agent::ToAgent,
        signal::Outcome,
        view::VisitorView,
    },
    store::{
        Afterwards, Applied, Engine, Expect, Refusal,
        place::{Place, Store, WeakStore},
    },
};

/// The engine that keeps visitors.
pub type VisitorEngine = Store<Visitor>;
/// The engine that keeps codes.
pub type CodeEngine = Store<CodeRecord>;

/// How long a code rests after its life, in milliseconds.
const CODE_REST_MS: u64 = 24 * 60 * 60 * 1000;

/// Where effects leave for the sockets of this node. None of these waits.
pub trait Post: Send + Sync {
    /// To a visitor's page.
    fn page(&self, to: SocketId, message: ToPage);
    /// An event to its watchers; encoded once.
    fn event(&self, watchers: &[SocketId], event: &Event);
    /// To one agent.
    fn agent(&self, to: SocketId, message: &ToAgent);
    /// Whether this agent's socket is there.
    fn has(&self, _agent: SocketId) -> bool {
        true
    }
    /// A signal ended so.
    fn settled(&self, outcome: Outcome);
    /// A wish for help stands so.
    fn helped(&self, _status: HelpStatus) {}
}

/// Hears what is told of every visitor, once, whoever watches; of one visitor in its order. Called by the thread that
/// applied the command: it must not wait. May read and submit; that then happens after the visitor's other effects.
pub trait Tap: Send + Sync {
    /// This happened.
    fn heard(&self, _key: &VisitorKey, _event: &Event) {}

    /// Lists say this of the visitor now; `None` when he is not there any more.
    fn listed(&self, _key: &VisitorKey, _row: Option<&Arc<Row>>) {}

    /// These are all rows of the group, but for the visitors whose rows were told meanwhile.
    fn replaced(&self, _group: &GroupId, _rows: &Rows, _but: &HashSet<VisitorId>) {}
}

/// What presence needs to start.
pub struct Options {
    /// Where its records are kept.
    pub place: Place,
    /// The times of the rules.
    pub rules: Rules,
    /// A unique id's life, in ms.
    pub unique_life_ms: u64,
    /// A unique id's digits.
    pub unique_digits: u32,
    /// How often codes may be asked for.
    pub guesses: GuessLimits,
    /// How much may be watched.
    pub watches: WatchLimits,
    /// Visitors, and codes, that are remembered at a time.
    pub most_records: usize,
    /// What happened to visitors: entries that are remembered for `explain`.
    pub timeline_entries: usize,
    /// Wishes for help of one group that may wait at a time.
    pub most_help: usize,
}

/// The handle. Cheap to clone.
#[derive(Clone)]
pub struct Presence {
    visitors: VisitorEngine,
    code_engine: CodeEngine,
    codes: Codes<CodeEngine>,
    shared: Arc<Shared>,
    unique_life_ms: u64,
    unique_digits: u32,
}

struct Shared {
    node: NodeId,
    watchers: Watchers,
    timelines: Timelines,
    clock: Clock,
    post: Arc<dyn Post>,
    taps: Box<[Arc<dyn Tap>]>,
    replica: Replica,
    figures: Figures,
    most_help: usize,
    /// Signals of this node's agents without an outcome, where it is one of several nodes.
    open: Option<Mutex<OpenSignals>>,
    /// What keeps codes; it knows the visitors in its turn, so they do not keep it.
    codes: OnceLock<WeakStore<CodeRecord>>,
}

impl Presence {
    /// Presence without visitors, which sends by `post` and tells its taps.
    pub fn new(options: Options, post: Arc<dyn Post>, taps: Vec<Arc<dyn Tap>>) -> Self {
        let Options {
            place, rules, unique_life_ms, unique_digits, most_records, most_help, ..
        } = options;
        let (watchers, taps) = (Watchers::new(options.watches), taps.into());
        let timelines = Timelines::new(place.shards, options.timeline_entries);
        let shared = Arc::new(Shared {
            node: place.node,
            watchers,
            timelines,
            clock: place.clock.clone(),
            post,
            taps,
            replica: Replica::default(),
            figures: Figures::default(),
            most_help,
            open: place.shared.is_some().then(Mutex::default),
            codes: OnceLock::new(),
        });
        let delivery = VisitorDelivery(Arc::clone(&shared));
        let visitors = place.keep(most_records, rules, delivery);
        let code_rules = CodeRules { rest_ms: CODE_REST_MS };
        let delivery = CodeDelivery(visitors.clone());
        let code_engine = place.keep(most_records, code_rules, delivery);
        let _ = shared.codes.set(code_engine.downgrade());
        let codes = Codes::new(code_engine.clone(), &options.guesses);
        if place.shared.is_some() {
            let engine = visitors.downgrade();
            shared.watchers.tells(move |visitor, is_watched| {
                let Some(engine) = engine.upgrade() else { return };
                let name = watched(visitor);
                match is_watched {
                    true => engine.listen(name, Some(visitor)),
                    false => engine.unlisten(name, Some(visitor)),
                }
            });
        }
        Self { visitors, code_engine, codes, shared, unique_life_ms, unique_digits }
    }

    /// This node shows rows of these groups, whichever node changes them.
    pub fn replicate(&self, groups: impl IntoIterator<Item = GroupId>) {
        self.shared.replica.begin(groups);
        for group in self.shared.replica.groups() {
            self.visitors.listen(rows_of(group), None);
            self.shared.read_rows(&self.visitors, group);
        }
    }

    /// The engine that keeps visitors, for its keepers, metrics and storage.
    #[must_use]
    pub fn visitors(&self) -> &VisitorEngine {
        &self.visitors
    }

    /// The engine that keeps codes, likewise.
    #[must_use]
    pub fn code_engine(&self) -> &CodeEngine {
        &self.code_engine
    }

    /// Codes, for others who have something that codes lead to.
    #[must_use]
    pub fn codes(&self) -> &Codes<CodeEngine> {
        &self.codes
    }

    /// Who asks for codes, and how often.
    #[must_use]
    pub fn guesses(&self) -> &Guesses {
        self.codes.guesses()
    }

    /// Who watches.
    #[must_use]
    pub fn watchers(&self) -> &Watchers {
        &self.shared.watchers
    }

    /// The sums over all visitors.
    #[must_use]
    pub fn figures(&self) -> &Figures {
        &self.shared.figures
    }

    /// Brings lists and figures up to the records that were restored without commands.
    pub(super) fn count_restored(&self) {
        let Shared { taps, figures, .. } = &*self.shared;
        self.visitors.for_each(|key, visitor| {
            figures.add(&key.group, visitor.share());
            if let Some(row) = visitor.row(&key.visitor).map(Arc::new) {
                taps.iter().for_each(|tap| tap.listed(key, Some(&row)));
            }
        });
    }

    /// The clock that presence goes by.
    #[must_use]
    pub fn clock(&self) -> &Clock {
        &self.shared.clock
    }

    /// This node and its incarnation.
    #[must_use]
    pub fn node(&self) -> NodeId {
        self.shared.node
    }

    /// The address of a socket of this node.
    #[must_use]
    pub fn address(&self, socket: SocketId) -> SocketAddress {
        SocketAddress { node: self.shared.node, socket }
    }

    /// A command whose only answer is whether it was carried out.
    pub fn command(
        &self,
        key: VisitorKey,
        command: Command,
        answer: impl FnOnce(Result<(), Problem>) + Send + 'static,
    ) {
        self.submit(key, command, |reply| answer(reply.map(|_| ())));
    }

    /// Reads a visitor. `None` when he is not there; `unready` while that is not known yet (design section 2.8).
    pub fn look_up(
        &self,
        key: VisitorKey,
        answer: impl FnOnce(Result<Option<VisitorView>, Problem>) + Send + 'static,
    ) {
        let (of, rules, clock) = (key.clone(), *self.visitors.rules(), self.clock().clone());
        self.read(
            key,
            move |visitor| visitor.and_then(|visitor| visitor.view(&of)),
            move |view| {
                let wait = rules.unknown_until.since(clock.now());
                if matches!(view, Ok(None)) && wait > 0 {
                    let sentence =
                        "the service has just started and does not know yet who is there";
                    return answer(Err(Problem::new(ErrorCode::Unready, sentence).retry_in(wait)));
                }
                answer(view);
            },
        );
    }

    /// Reads those of these visitors of a group who are there, in the given order.
    pub fn views(
        &self,
        group: &GroupId,
        visitors: Vec<VisitorId>,
        answer: impl FnOnce(Vec<VisitorView>) + Send + 'static,
    ) {
        let key = |visitor| VisitorKey { group: group.clone(), visitor };
        let views = Arc::new(Mutex::new(Vec::with_capacity(visitors.len())));
        let found = Arc::clone(&views);
        let visit = Box::new(move |key: &VisitorKey, visitor: &Visitor| {
            found.lock().extend(visitor.view(key));
        });
        let done = Box::new(move || answer(std::mem::take(&mut *views.lock())));
        self.visitors.read_all(visitors.into_iter().map(key).collect(), visit, done);
    }

    /// A socket wants a visitor's events, and gets the present state; with `since`, the presence data too if they
    /// changed after that. `answer` is called before: with `toomany` when the visitor has too many watchers or the socket
    /// watches too many visitors.
    pub fn watch(
        &self,
        key: VisitorKey,
        watcher: SocketId,
        since: Option<Position>,
        answer: impl FnOnce(Result<(), Problem>) + Send + 'static,
    ) {
        let is_new = match self.shared.watchers.reserve(key.clone(), watcher) {
            Ok(is_new) => is_new,
            Err(problem) => return answer(Err(problem)),
        };
        let (presence, of) = (self.clone(), key.clone());
        let command = Command::Attach { watcher: self.address(watcher), since };
        self.submit(key, command, move |reply| {
            if reply.is_err() && is_new {
                presence.unwatch(&of, watcher);
            }
            // Only now, or events from before the present state could overtake it.
            answer(reply.and_then(|_| presence.watchers().begin(of, watcher)));
        });
    }

    /// A socket wants them no more.
    pub fn unwatch(&self, key: &VisitorKey, watcher: SocketId) {
        self.shared.watchers.remove(key, watcher);
    }

    /// Takes out of a record what `look` finds there, and goes on with that.
    fn read<T: Send + 'static>(
        &self,
        key: VisitorKey,
        look: impl FnOnce(Option<&Visitor>) -> T + Send + 'static,
        go_on: impl FnOnce(Result<T, Problem>) + Send + 'static,
    ) {
        let reader = move |visitor: Result<Option<&Visitor>, Refusal>| -> Afterwards {
            let found = visitor.map(look).map_err(Problem::from);
            Box::new(move || go_on(found))
        };
        self.visitors.read(key, Box::new(reader));
    }

    fn submit(
        &self,
        key: VisitorKey,
        command: Command,
        answer: impl FnOnce(Result<Reply, Problem>) + Send + 'static,
    ) {
        let sink = Box::new(|result| answer(plain(result)));
        self.visitors.submit(key, Expect::Any, command, sink);
    }
}

fn plain(result: Result<Applied<Reply>, Refusal>) -> Result<Reply, Problem> {
    match result {
        Ok(Applied { reply: Reply::Refused(problem), .. }) => Err(problem),
        Ok(Applied { reply, .. }) => Ok(reply),
        Err(refusal) => Err(refusal.into()),
    }
}

fn unexpected() -> Problem {
    Problem::new(ErrorCode::Internal, "the record gave an answer of another kind")
}
