//! What must hold, written down from design sections 2 and 3 without a look at the record's own rules.

use super::{people::Page, site::Site};
use crate::{
    clock::Timestamp,
    model::{
        error::Problem,
        event::{Event, EventKind},
        ids::{SignalId, SocketAddress, TabId, VisitorKey},
        signal::Outcome,
    },
    presence::visitor::{Visitor, effect::Effect, watched},
    store::{
        Record as _,
        shared::simulation::{Came, Made, effects_for},
    },
};

/// How long a lease lasts.
pub(super) const LEASE_MS: u64 = 10_000;
/// How much later than a lease and the grace somebody is told gone at the latest, when nothing else breaks.
pub(super) const SLACK_MS: u64 = 5_000;
/// How long a command takes at most, when nothing breaks: some questions, each with its longest delay.
pub(super) const PROMPT_MS: u64 = 2_500;
/// How long trouble shows: whoever had to wait for it waits for others.
pub(super) const TROUBLED_MS: u64 = 12_000;
/// How long a record remembers what became of a signal, from when a node asked for the transition: how long the server then
/// took to make it nobody knows before.
const REMEMBERED_MS: u64 = 60_000;

impl Site {
    /// Whether the page was welcomed, and its node is one of the nodes.
    fn is_living(&self, page: &Page) -> bool {
        page.welcomed.is_some() && !self.dead.contains(&page.socket.node)
    }

    /// Whether a node works as it should, and did for a while.
    fn is_well(&self, at: usize) -> bool {
        let trouble = self.troubled_nodes.get(&at).copied().unwrap_or_default();
        self.now.since(trouble) > TROUBLED_MS
    }

    fn is_calm(&self) -> bool {
        self.now.since(self.troubled) > TROUBLED_MS
            && self.troubled_nodes.keys().all(|at| self.is_well(*at))
    }

    pub(super) fn check_made(&mut self, made: &Made<VisitorKey>, asked: Timestamp) {
        let person = self.person(&made.key);
        for effect in effects_for::<Visitor>(made, &watched(&made.key)) {
            if let Effect::Publish(event) = effect {
                self.trace(|| format!("made: {event:?}"));
                self.check_event(person, &event);
            }
        }
        let record: Option<Visitor> = match &made.row {
            Came::Same => return,
            Came::Gone => None,
            Came::New(row) => Some(Visitor::read(row).unwrap()),
        };
        self.check_signals(person, record.as_ref(), asked);
    }

    fn check_event(&mut self, person: usize, event: &Event) {
        let now = self.now;
        let of = &mut self.people[person];
        let position = (event.epoch, event.sequence);
        assert!(position > of.newest || of.is_damaged, "{event:?} comes after {:?}", of.newest);
        of.newest = position;
        let EventKind::VisitorConn { connected } = event.kind else { return };
        assert!(connected != of.is_connected || of.is_damaged, "{event:?} is told twice");
        of.is_connected = connected;
        let of = &self.people[person];
        if connected || of.is_damaged {
            return;
        }
        for page in of.pages() {
            assert!(!self.is_living(page), "gone, with the living socket {}", page.socket);
            // It came, and was not let in yet.
            let is_late = now.since(page.began) < PROMPT_MS
                || !self.is_well(page.at)
                || self.dead.contains(&page.socket.node)
                || page.began >= of.last_there + self.rules.grace_ms;
            assert!(is_late || !of.farewells.is_empty(), "gone, while {} came", page.socket);
        }
        let grace = of.last_there + self.rules.grace_ms;
        assert!(now >= grace || !of.farewells.is_empty(), "gone before {grace:?}");
    }

    fn check_signals(&mut self, person: usize, record: Option<&Visitor>, asked: Timestamp) {
        if self.people[person].is_damaged {
            return;
        }
        let mut expired = Vec::new();
        for (number, sent) in self.sent.iter_mut().enumerate().filter(|(_, sent)| sent.to == person)
        {
            for (id, attempt) in &mut sent.tries {
                let outcome = record.and_then(|record| record.outcome(*id));
                let outcome = outcome.map(|(outcome, _)| outcome);
                match (attempt.outcome, outcome) {
                    (Some(Outcome::Held), None) => panic!("{id} is lost"),
                    (Some(Outcome::Held) | None, _) => {}
                    (Some(_), None) => assert!(
                        asked.since(attempt.ended) >= REMEMBERED_MS,
                        "what became of {id} is forgotten"
                    ),
                    (Some(before), Some(now)) => assert_eq!(before, now, "{id} has two outcomes"),
                }
                let is_final = outcome.is_some_and(|outcome| outcome != Outcome::Held);
                if is_final && matches!(attempt.outcome, None | Some(Outcome::Held)) {
                    attempt.ended = asked;
                    if outcome == Some(Outcome::Expired) {
                        expired.push((number, *id));
                    }
                }
                if outcome.is_some() {
                    attempt.outcome = outcome;
                }
            }
        }
        for (number, id) in expired {
            self.check_expired(number, id);
        }
    }

    /// What was acknowledged does not expire, nor does what a page could have had all the time.
    fn check_expired(&self, number: usize, id: SignalId) {
        let sent = &self.sent[number];
        if let Some((at, by)) = sent.acknowledged {
            let of = &self.people[sent.to];
            let page = of.pages().find(|page| page.socket == by);
            let is_heard = page.is_some_and(|page| self.is_living(page) && self.is_well(page.at));
            let is_long =
                self.now.since(at) > PROMPT_MS && self.now.since(self.troubled) > PROMPT_MS;
            assert!(!is_heard || !is_long, "{id} expired, and {by} acknowledged it");
        }
        if self.is_calm() {
            let had_it = |page: &Page| {
                page.listens.is_some()
                    && page.welcomed.is_some_and(|at| self.now.since(at) > TROUBLED_MS)
            };
            let page = self.people[sent.to].pages().find(|page| had_it(page));
            assert!(page.is_none(), "{id} expired beside {}", page.unwrap().socket);
        }
    }

    /// A handler runs.
    pub(super) fn check_handled(&self, number: usize, tab: &TabId, page: SocketAddress) {
        let sent = &self.sent[number];
        let of = &self.people[sent.to];
        if of.is_damaged {
            return;
        }
        for (other, first) in &sent.handled {
            assert!(
                other != tab || sent.is_for_all || *first == page,
                "{number} runs twice in {tab}"
            );
            let has_it = |page: &&Page| page.socket == *first && self.is_living(page);
            let first = of.pages().find(has_it);
            let is_one = first.is_none_or(|page| !self.is_well(page.at)) || other == tab;
            assert!(is_one || sent.is_for_all, "signal {number} is at {tab}, and still at {other}");
        }
    }

    /// Nobody is refused a signal for a visitor who is there.
    pub(super) fn check_refused(&self, number: usize, since: Timestamp, problem: &Problem) {
        let of = &self.people[self.sent[number].to];
        let is_there = |page: &Page| {
            let listens = page.listens.is_some_and(|at| at + PROMPT_MS < since);
            listens && self.is_living(page) && page.welcomed.is_some_and(|at| at < since)
        };
        let page = of.pages().find(|page| is_there(page)).filter(|_| !of.is_damaged);
        let is_full = problem.code == crate::model::error::ErrorCode::TooMany;
        assert!(page.is_none() || is_full, "{problem:?}, with {}", page.unwrap().socket);
    }

    /// Nobody stays who is gone.
    pub(super) fn check_ghosts(&self) {
        let latest = self.troubled_nodes.values().copied().fold(self.troubled, Timestamp::max);
        let lease = LEASE_MS + LEASE_MS / 5;
        for of in self.people.iter().filter(|of| of.is_connected && !of.is_lost) {
            if of.pages().next().is_some() || of.is_misreported {
                continue;
            }
            let until = of.last_tried.max(latest + lease) + LEASE_MS + self.rules.grace_ms;
            assert!(self.now <= until + SLACK_MS, "{:?} is a ghost since {until:?}", of.key);
        }
    }

    /// When all has come to rest, everybody knows how it is.
    pub(super) fn check_the_end(&self, record: impl Fn(&VisitorKey) -> Option<Visitor>) {
        for (person, of) in self.people.iter().enumerate() {
            if of.is_lost {
                continue;
            }
            let record = record(&of.key);
            let mut has: Vec<_> = record.iter().flat_map(Visitor::sockets).collect();
            let mut is: Vec<_> = of.pages().map(|page| page.socket).collect();
            has.sort_unstable();
            is.sort_unstable();
            assert_eq!(has, is, "the sockets of {:?}", of.key);
            let view = record.as_ref().and_then(|record| record.view(&of.key));
            for (page, tab) in of.pages().zip(of.tabs.iter().filter(|tab| tab.page.is_some())) {
                let tabs = view.iter().flat_map(|view| &view.tabs);
                let focus = tabs.filter(|view| view.tab == tab.id).any(|view| view.focus);
                assert_eq!(
                    page.has_focus,
                    focus && page.listens.is_some(),
                    "the focus of {}",
                    page.socket
                );
            }
            let is_so = of.is_connected != is.is_empty();
            assert!(is_so || of.is_misreported, "what is told of {:?}", of.key);
            let watches = self.agents.iter().filter_map(|agent| agent.watches.get(&person));
            for watch in watches.filter(|watch| watch.has_begun && !of.is_damaged) {
                let believes = watch.is_connected.unwrap_or_default();
                assert_eq!(believes, of.is_connected, "a watcher of {:?}", of.key);
            }
        }
        for (number, sent) in self.sent.iter().enumerate() {
            if self.people[sent.to].is_damaged {
                continue;
            }
            let mut ends = 0;
            for (id, attempt) in &sent.tries {
                let Some(outcome) = attempt.outcome else {
                    assert!(sent.accepted != Some(*id), "{id} was accepted, and is not there");
                    continue;
                };
                ends += 1;
                assert_ne!(outcome, Outcome::Held, "{id} has no outcome");
                let told = attempt.told.unwrap_or(outcome);
                assert_eq!(told, outcome, "what was told of {id}");
            }
            assert!(ends <= 1, "signal {number} was taken {ends} times");
        }
    }
}
