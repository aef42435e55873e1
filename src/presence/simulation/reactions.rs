//! What answers and messages make of pages and agents.

use rand::RngExt as _;

use super::{
    play::{Play, TABS},
    site::{Answer, Asked},
};
use crate::{
    clock::Timestamp,
    model::{
        ids::{SignalId, SocketAddress},
        signal::Outcome,
    },
    presence::visitor::{
        command::{Command, Departure, Reply},
        effect::ToPage,
    },
    store::Applied,
};

/// How long a message to a page takes at most, and its handler's acknowledgement.
const PAGE_MS: u64 = 200;

/// When a page asks again for what the server could not do.
const ASKS_AGAIN_MS: u64 = 1_000;

/// A page's message, and what it makes the page do.
enum Done {
    Nothing,
    /// The socket was closed by the server.
    Closed,
}

impl Play {
    /// Answers reach those who asked.
    pub(super) fn answers(&mut self) {
        loop {
            let next = self.world.stage.lock().answers.pop_front();
            let Some((asked, answer)) = next else { return };
            self.answered(asked, answer);
        }
    }

    fn answered(&mut self, asked: Asked, answer: Answer) {
        let now = self.world.now;
        match (asked, answer) {
            (Asked::Connect(socket), Ok(Applied { reply: Reply::Welcome(welcome), .. })) => {
                let mut site = self.world.stage.lock();
                let tabs = site.people.iter_mut().flat_map(|person| &mut person.tabs);
                for tab in tabs {
                    let Some(page) = tab.page.as_mut().filter(|page| page.socket == socket) else {
                        continue;
                    };
                    page.welcomed = Some(now);
                    page.has_focus = welcome.focus;
                    for id in &page.told {
                        tab.seen.insert(*id, true);
                    }
                }
            }
            (Asked::Connect(socket), _) => self.closed(socket, true),
            (Asked::Listen(socket), answer) => {
                if let Some(page) = self.world.stage.lock().page(socket) {
                    page.asks = answer.is_err().then_some(now + ASKS_AGAIN_MS);
                    if answer.is_ok() {
                        page.listens.get_or_insert(now);
                    }
                }
            }
            (Asked::Acknowledge(socket, ids), Ok(_)) => {
                let mut site = self.world.stage.lock();
                let tabs = site.people.iter_mut().flat_map(|person| &mut person.tabs);
                for tab in tabs {
                    if tab.page.as_ref().is_some_and(|page| page.socket == socket) {
                        tab.seen.extend(ids.iter().map(|id| (*id, true)));
                    }
                }
            }
            (Asked::Close(person, socket), answer) => {
                assert!(answer.is_ok(), "an end is not to be lost: {answer:?}");
                self.world.stage.lock().people[person].farewells.remove(&socket);
            }
            (Asked::Signal { number, id, since }, answer) => {
                self.taken(number, id, since, answer);
            }
            (Asked::Other | Asked::Acknowledge(..) | Asked::Attach { .. }, _) => {}
        }
    }

    fn taken(&mut self, number: usize, id: SignalId, since: Timestamp, answer: Answer) {
        let again = self.world.now + self.draw(50..1_500);
        let mut site = self.world.stage.lock();
        let reply = match answer {
            Ok(Applied { reply, .. }) => reply,
            Err(_) => {
                let sent = &mut site.sent[number];
                sent.again = sent.key.is_some().then_some(again);
                return;
            }
        };
        match reply {
            Reply::Signal { id: taken, outcome } => {
                let is_damaged = site.people[site.sent[number].to].is_damaged;
                let sent = &mut site.sent[number];
                let before = sent.accepted.replace(taken);
                let is_same = before.is_none_or(|before| before == taken);
                assert!(is_same || is_damaged, "{number} is taken as {before:?} and as {taken}");
                assert!(sent.tries.contains_key(&taken), "{number} is taken for another one");
                assert!(taken == id || sent.key.is_some());
                if outcome != Outcome::Held {
                    site.told(taken, outcome);
                }
            }
            Reply::Refused(problem) => site.check_refused(number, since, &problem),
            other => panic!("{other:?}"),
        }
    }

    /// The server closes a page's socket; the page comes back after a while.
    fn closed(&mut self, socket: SocketAddress, comes_back: bool) {
        let now = self.world.now;
        let opens = now + self.draw(100..1_000);
        let found = {
            let site = self.world.stage.lock();
            let mut places = site.people.iter().enumerate().flat_map(|(person, of)| {
                of.tabs.iter().enumerate().map(move |(tab, of)| (person, tab, of))
            });
            let place = places
                .find(|(_, _, tab)| tab.page.as_ref().is_some_and(|page| page.socket == socket));
            place.map(|(person, tab, _)| (person, tab))
        };
        let Some((person, tab)) = found else { return };
        self.end_page(person, tab, Departure::Gone);
        let mut site = self.world.stage.lock();
        let of = &mut site.people[person];
        of.tabs[tab].opens = comes_back.then_some(opens);
    }

    /// Pages take their messages in, acknowledge, and open; agents try again.
    pub(super) fn people_go_on(&mut self) {
        let now = self.world.now;
        let (people, sent, agents) = {
            let site = self.world.stage.lock();
            (site.people.len(), site.sent.len(), site.agents.len())
        };
        for person in 0..people {
            for tab in 0..TABS {
                let opens = self.world.stage.lock().people[person].tabs[tab].opens;
                if opens.is_some_and(|at| at <= now) {
                    self.open(person, tab);
                }
                self.page_goes_on(person, tab);
            }
        }
        for number in 0..sent {
            let again = self.world.stage.lock().sent[number].again;
            if again.is_some_and(|at| at <= now) {
                self.try_to_send(number);
            }
        }
        for agent in 0..agents {
            let watches = {
                let site = self.world.stage.lock();
                let asks = site.agents[agent].watches.iter();
                let asks = asks.filter(|(_, watch)| watch.asks.is_some_and(|at| at <= now));
                asks.map(|(person, _)| *person).collect::<Vec<_>>()
            };
            for person in watches {
                self.attach(agent, person);
            }
        }
        self.answers();
    }

    fn page_goes_on(&mut self, person: usize, tab: usize) {
        let now = self.world.now;
        let asks = {
            let mut site = self.world.stage.lock();
            let page = site.people[person].tabs[tab].page.as_mut();
            let page = page.filter(|page| self.is_awake(page.at));
            page.and_then(|page| page.asks.take_if(|at| *at <= now).map(|_| (page.at, page.socket)))
        };
        if let Some((at, socket)) = asks {
            self.listen(at, person, socket);
        }
        loop {
            let is_prompt = self.world.random.random_range(0..4) == 0;
            let next = {
                let mut site = self.world.stage.lock();
                let page = site.people[person].tabs[tab].page.as_mut();
                let page = page.filter(|page| page.welcomed.is_some());
                page.and_then(|page| {
                    let late = |since: Timestamp| is_prompt || now.since(since) >= PAGE_MS;
                    page.inbox.pop_front_if(|(since, _)| late(*since))
                })
            };
            let Some((_, message)) = next else { break };
            let socket = {
                let site = self.world.stage.lock();
                site.people[person].tabs[tab].page.as_ref().map(|page| page.socket)
            };
            if let (Done::Closed, Some(socket)) = (self.hears(person, tab, message), socket) {
                return self.closed(socket, true);
            }
        }
        let acknowledges = self.world.random.random_range(0..6) == 0;
        let owed = {
            let mut site = self.world.stage.lock();
            let Some(page) = &mut site.people[person].tabs[tab].page else { return };
            let is_there = !page.owed.is_empty() && (acknowledges || page.is_late(now));
            let at = page.at;
            is_there.then(|| (at, page.socket, std::mem::take(&mut page.owed)))
        };
        let Some((at, socket, owed)) = owed else { return };
        if !self.is_awake(at) {
            return;
        }
        let ids: Vec<SignalId> = owed.iter().map(|(id, _)| *id).collect();
        {
            let mut site = self.world.stage.lock();
            for id in &ids {
                let Some(number) = site.number_by_id.get(id).copied() else { continue };
                site.sent[number].acknowledged.get_or_insert((now, socket));
            }
        }
        let asked = Asked::Acknowledge(socket, ids.clone());
        self.submit(at, person, Command::Acknowledge { ids }, asked);
    }

    fn hears(&mut self, person: usize, tab: usize, message: ToPage) -> Done {
        let now = self.world.now;
        let mut site = self.world.stage.lock();
        let of = &mut site.people[person].tabs[tab];
        let Some(page) = &mut of.page else { return Done::Nothing };
        match message {
            ToPage::Focus => page.has_focus = true,
            ToPage::Blur => page.has_focus = false,
            ToPage::Close(_) => return Done::Closed,
            ToPage::Signal { id, deadline, .. } => {
                if deadline <= now {
                    return Done::Nothing;
                }
                page.owed.push((id, now));
                let (socket, name) = (page.socket, of.id.clone());
                // Marked before the handler runs.
                if of.seen.contains_key(&id) {
                    return Done::Nothing;
                }
                of.seen.insert(id, false);
                if let Some(number) = site.number_by_id.get(&id).copied() {
                    site.check_handled(number, &name, socket);
                    site.sent[number].handled.push((name, socket));
                }
            }
            _ => {}
        }
        Done::Nothing
    }
}
