//! What pages do: they open, are looked at, ask for signals, and end.

use rand::RngExt as _;

use super::{
    people::Page,
    play::{PEOPLE, Play, TABS},
    site::{Asked, Site},
};
use crate::{
    model::{
        ids::{SignalId, SocketAddress},
        timeline::PageEnd,
    },
    presence::visitor::command::{Command, Connect, Departure},
};

impl Play {
    pub(super) fn act_as_a_page(&mut self) {
        let (person, tab) =
            (self.world.random.random_range(0..PEOPLE), self.world.random.random_range(0..TABS));
        let there = {
            let site = self.world.stage.lock();
            let tab = &site.people[person].tabs[tab];
            tab.page.as_ref().map(|page| (page.socket, page.at, page.welcomed.is_some()))
        };
        let Some((socket, at, is_welcome)) = there else {
            if self.world.random.random_range(0..3) == 0 {
                self.open(person, tab);
            }
            return;
        };
        let command = match self.world.random.random_range(0..14) {
            // A page change, a reload: the next one comes at once, or later, or when the grace is nearly over or is over.
            0..4 => {
                self.end_page(person, tab, Departure::Gone);
                let grace = self.world.stage.lock().rules.grace_ms;
                let after = [50, 300, grace - 100, grace + 3_000];
                let after = after[self.world.random.random_range(0..4)];
                let opens = self.world.now + self.draw(0..after);
                self.world.stage.lock().people[person].tabs[tab].opens = Some(opens);
                return;
            }
            4 => return self.end_page(person, tab, Departure::Gone),
            5 if is_welcome => return self.end_page(person, tab, Departure::Disconnect),
            6..8 => {
                let visible = self.world.random.random();
                if let Some(page) = self.world.stage.lock().page(socket) {
                    page.visible = visible;
                }
                Command::Visibility { socket, visible }
            }
            8 => Command::Activity { socket },
            9 if is_welcome && self.is_awake(at) => return self.listen(at, person, socket),
            _ => return,
        };
        if is_welcome && self.is_awake(at) {
            self.submit(at, person, command, Asked::Other);
        }
    }

    /// A page asks for signals.
    pub(super) fn listen(&mut self, at: usize, person: usize, socket: SocketAddress) {
        self.submit(at, person, Command::Listen { socket }, Asked::Listen(socket));
    }

    pub(super) fn open(&mut self, person: usize, tab: usize) {
        let at = self.anywhere();
        if !self.is_awake(at) {
            return;
        }
        let socket = self.socket(at);
        let listening = self.world.random.random_range(0..8) > 0;
        let visible = self.world.random.random();
        let now = self.world.now;
        let connect = {
            let mut site = self.world.stage.lock();
            let tab = &mut site.people[person].tabs[tab];
            tab.opens = None;
            let seen = tab.seen.iter().filter(|(_, is_known)| !**is_known);
            let seen: Vec<SignalId> = seen.map(|(id, _)| *id).collect();
            tab.page = Some(Page {
                socket,
                at,
                began: now,
                welcomed: None,
                listens: listening.then_some(now),
                asks: None,
                visible,
                has_focus: false,
                inbox: Default::default(),
                owed: Vec::new(),
                told: seen.clone(),
            });
            let page = format!("p{}", socket.socket.0).parse().unwrap();
            let (tab, accepted, data, from) = (tab.id.clone(), now, None, None);
            Connect { socket, tab, page, accepted, visible, listening, seen, data, from }
        };
        self.submit(at, person, Command::Connect(Box::new(connect)), Asked::Connect(socket));
    }

    /// A page's socket ends, and its node says so if it can.
    pub(super) fn end_page(&mut self, person: usize, tab: usize, departure: Departure) {
        let now = self.world.now;
        let page = {
            let mut site = self.world.stage.lock();
            let Site { people, dead, .. } = &mut *site;
            let of = &mut people[person];
            let Some(page) = of.tabs[tab].page.take() else { return };
            of.last_tried = now;
            if page.welcomed.is_some() && !dead.contains(&page.socket.node) {
                of.last_there = now;
            }
            if departure == Departure::Disconnect {
                of.farewells.insert(page.socket);
            }
            page
        };
        let is_there = self.world.nodes[page.at].id == page.socket.node;
        if is_there && self.is_awake(page.at) {
            self.close(person, page.at, page.socket, departure);
        } else if is_there {
            self.times[page.at].closes.push((person, page.socket, departure));
        }
    }

    pub(super) fn close(
        &mut self,
        person: usize,
        at: usize,
        socket: SocketAddress,
        departure: Departure,
    ) {
        let command = Command::Close { socket, departure, cause: PageEnd::Lost };
        self.submit(at, person, command, Asked::Close(person, socket));
    }
}
