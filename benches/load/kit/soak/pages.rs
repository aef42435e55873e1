//! The visitors' side: tabs, the pages that they show one after another, and the ways in which pages end.

use std::collections::{HashMap, VecDeque};

use serde::Deserialize;
use serde_json::json;

use super::{Later, Soak};
use crate::kit::{GROUP, ORIGIN, backoff::Backoff, net::Id};

/// How many ids a tab remembers, and how many a hello may tell.
const SEEN_KEPT: usize = 256;
const SEEN_TOLD: usize = 64;
const SEEN_TOLD_MS: u64 = 60_000;
/// A signal waits 2.5 s at most for the page of the tab that may have seen it; then the visitor's other tab gets it, and may
/// run it again, or after a later one. That is told of a tab that comes back after so long.
const LATE_MS: u64 = 2_000;
/// How long a signal lives after that.
const AFTERWARDS_MS: u64 = 10_000;

pub struct Tab {
    pub visitor: usize,
    name: String,
    page: usize,
    pub connection: Option<Id>,
    stage: Stage,
    /// When its last page went, if the next one is not there yet.
    gone_at: Option<u64>,
    seen: VecDeque<Seen>,
    told: Vec<String>,
    requests: u64,
    asked: HashMap<u64, String>,
    /// The server's clock minus ours.
    offset_ms: i64,
    /// The last signal of each agent that ran here.
    latest: HashMap<usize, usize>,
    /// The page is about to be closed by the server, as it asked for.
    pub expects_close: bool,
    backoff: Backoff,
    up_since_ms: u64,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Stage {
    Down,
    Opening,
    Up,
}

struct Seen {
    id: String,
    at: u64,
    confirmed: bool,
}

impl Tab {
    pub(super) fn new(visitor: usize, name: String) -> Self {
        Self {
            visitor,
            name,
            page: 0,
            connection: None,
            stage: Stage::Down,
            gone_at: None,
            seen: VecDeque::new(),
            told: Vec::new(),
            requests: 0,
            asked: HashMap::new(),
            offset_ms: 0,
            latest: HashMap::new(),
            expects_close: false,
            backoff: Backoff::default(),
            up_since_ms: 0,
        }
    }

    /// Its page goes, if it shows one; gives the connection.
    pub(super) fn take_page(&mut self) -> Option<Id> {
        let connection = self.connection.take()?;
        self.stage = Stage::Down;
        Some(connection)
    }

    /// Whether its next page has been awaited for so long that others may have run what was meant for it.
    pub(super) fn is_late(&self, now: u64) -> bool {
        self.gone_at.is_some_and(|gone| now - gone >= LATE_MS)
    }

    pub fn is_up(&self) -> bool {
        self.stage == Stage::Up
    }

    pub fn is_up_since(&self, moment_ms: u64) -> bool {
        self.is_up() && self.up_since_ms >= moment_ms
    }

    pub fn up_since_ms(&self) -> u64 {
        self.up_since_ms
    }
}

#[derive(Deserialize)]
struct Heard<'a> {
    #[serde(rename = "type")]
    kind: &'a str,
    id: Option<String>,
    deadline: Option<i64>,
    now: Option<i64>,
    request: Option<u64>,
    retry_ms: Option<u64>,
    data: Option<Payload>,
}

#[derive(Deserialize)]
struct Payload {
    number: usize,
}

impl Soak {
    pub(super) fn connect_page(&mut self, tab: usize) {
        let visitor = self.tabs[tab].visitor;
        self.expect_known_away(visitor);
        self.visitors[visitor].tried_at = self.now_ms();
        self.attempts += usize::from(self.may_close());
        let path = format!("/v1/visitor?group={GROUP}");
        let id = self.net.open(&path, Some(ORIGIN), tab);
        let tab = &mut self.tabs[tab];
        tab.page += 1;
        tab.connection = Some(id);
        tab.stage = Stage::Opening;
        tab.asked.clear();
        tab.expects_close = false;
    }

    pub(super) fn page_opened(&mut self, tab: usize) {
        let now = self.now_ms();
        let visible = self.random.chance(0.8);
        let this = &mut self.tabs[tab];
        let open = this.seen.iter().filter(|seen| !seen.confirmed && seen.at + SEEN_TOLD_MS > now);
        let open: Vec<String> = open.map(|seen| seen.id.clone()).collect();
        this.told = open[open.len().saturating_sub(SEEN_TOLD)..].to_vec();
        let hello = json!({
            "type": "hello",
            "visitorid": self.visitors[this.visitor].name,
            "tab": this.name,
            "page": format!("page-{}", this.page),
            "visible": visible,
            "listen": true,
            "seen": this.told,
            "data": {
                "url": format!("https://shop.example/page/{}", this.page),
                "title": "A page of the shop",
                "browser": "chrome",
            },
        });
        let Some(id) = this.connection else { return };
        self.net.text(id, hello.to_string().as_bytes());
        // Now and then a page goes before it is welcomed.
        if self.storming && self.random.chance(0.03) {
            self.end_page(tab, Some("before the welcome"));
        }
    }

    pub(super) fn page_hears(&mut self, tab: usize, message: &[u8]) {
        let heard: Heard<'_> = match serde_json::from_slice(message) {
            Ok(heard) => heard,
            Err(error) => {
                let text = String::from_utf8_lossy(message).into_owned();
                return self.ledger.fail(format!("a page got {text}: {error}"));
            }
        };
        match heard.kind {
            "welcome" => self.welcomed(tab, heard.now.unwrap_or_default()),
            "signal" => {
                let (Some(id), Some(payload)) = (heard.id, heard.data) else {
                    return self.ledger.fail("a signal without id or data".into());
                };
                self.signal_comes(tab, id, payload.number, heard.deadline.unwrap_or_default());
            }
            "ok" => {
                let this = &mut self.tabs[tab];
                let asked = heard.request.and_then(|request| this.asked.remove(&request));
                if let Some(id) = asked {
                    let seen = this.seen.iter_mut().filter(|seen| seen.id == id);
                    seen.for_each(|seen| seen.confirmed = true);
                }
            }
            "focus" | "blur" => {}
            "goaway" if self.may_close() => self.tabs[tab].backoff.told_to_go(heard.retry_ms),
            _ => {
                let text = String::from_utf8_lossy(message).into_owned();
                self.ledger.fail(format!("a page got {text}"));
            }
        }
    }

    fn welcomed(&mut self, tab: usize, now: i64) {
        let own = self.now_ms() as i64;
        let this = &mut self.tabs[tab];
        this.stage = Stage::Up;
        this.up_since_ms = own as u64;
        this.backoff.welcomed(own as u64);
        this.offset_ms = now - own;
        for seen in &mut this.seen {
            seen.confirmed |= this.told.contains(&seen.id);
        }
        this.told.clear();
        let visitor = this.visitor;
        if this.gone_at.take().is_some_and(|gone| own as u64 - gone >= LATE_MS) {
            self.visitors[visitor].late_until = own as u64 + AFTERWARDS_MS;
        }
        if self.visitors[visitor].away.take().is_some() {
            self.visitors[visitor].back_at = own as u64;
            // What was sent while he was on his way may have been refused.
            self.excuse(visitor);
        }
    }

    fn signal_comes(&mut self, tab: usize, id: String, number: usize, deadline: i64) {
        let now = self.now_ms();
        // A page may go just when a signal comes: unread, marked but not acknowledged, or right after the answer.
        let fate = if self.storming && self.random.chance(0.12) { self.random.below(4) } else { 9 };
        if fate == 0 {
            return self.end_page(tab, Some("with a signal unread"));
        }
        let visitor = self.tabs[tab].visitor;
        if self.ledger.signals.get(number).is_none_or(|sent| sent.visitor != visitor) {
            return self.ledger.fail(format!("signal {number} came to another visitor, {visitor}"));
        }
        let is_judged = !self.has_late_tab(visitor, now);
        let this = &mut self.tabs[tab];
        if now as i64 + this.offset_ms > deadline {
            self.ledger.late += 1;
            return;
        }
        let is_fresh = !this.seen.iter().any(|seen| seen.id == id);
        if is_fresh {
            this.seen.push_back(Seen { id: id.clone(), at: now, confirmed: false });
            if this.seen.len() > SEEN_KEPT {
                this.seen.pop_front();
            }
            let agent = self.ledger.signals[number].agent;
            let before = this.latest.insert(agent, number);
            match before.filter(|before| *before > number) {
                Some(before) if is_judged => {
                    self.ledger.disordered_signals += 1;
                    let (name, ledger) = (&this.name, &mut self.ledger);
                    let (signal, before) = (ledger.describe(number), ledger.describe(before));
                    ledger.fail(format!("{signal} ran after {before} in tab {name}"));
                }
                Some(_) => self.ledger.misplaced += 1,
                None => {}
            }
            self.ledger.ran(number, is_judged);
        } else {
            self.ledger.redelivered += 1;
        }
        if fate == 1 {
            return self.end_page(tab, Some("before the acknowledgement"));
        }
        let this = &mut self.tabs[tab];
        this.requests += 1;
        let request = this.requests;
        let ack = json!({"type": "ack", "ids": [&id], "request": request}).to_string();
        this.asked.insert(request, id);
        let Some(connection) = this.connection else { return };
        if fate == 2 {
            self.net.torn(connection, ack.as_bytes());
            return self.end_page(tab, Some("in the middle of the acknowledgement"));
        }
        self.net.text(connection, ack.as_bytes());
        if fate == 3 {
            self.net.flush_now(connection);
            self.end_page(tab, Some("right after the acknowledgement"));
        }
    }

    pub(super) fn change_some_page(&mut self) {
        for _ in 0..20 {
            let tab = self.random.below(self.tabs.len());
            if self.tabs[tab].is_up() && self.visitors[self.tabs[tab].visitor].away.is_none() {
                return self.end_page(tab, None);
            }
        }
    }

    /// Ends a page in a random way; the tab's next page comes soon.
    fn end_page(&mut self, tab: usize, moment: Option<&'static str>) {
        self.changes += 1;
        self.ledger.changes += 1;
        let Some(id) = self.tabs[tab].take_page() else { return };
        self.tabs[tab].backoff = Backoff::default();
        let visitor = self.tabs[tab].visitor;
        let now = self.now_ms();
        self.tabs[tab].gone_at.get_or_insert(now);
        self.visitors[visitor].gone_at = now;
        let way = self.random.below(4);
        let manner = match way {
            0 => "reset",
            1 => "dropped",
            2 => "closed",
            _ => "lost by the network",
        };
        // Those that end at a chosen moment are counted by it.
        *self.ledger.by_manner.entry(moment.unwrap_or(manner)).or_default() += 1;
        match way {
            0 => self.net.kill(id, true),
            1 => self.net.kill(id, false),
            2 => {
                self.net.close(id);
                // Goes on in its own time; nobody listens to what it still gets.
                self.net.disown(id);
                let wait = self.random.unit() * 50.0;
                self.after(wait, Later::BuryGhost(id));
            }
            _ => {
                self.net.freeze(id);
                let wait = self.random.unit() * 2_000.0;
                self.after(wait, Later::BuryGhost(id));
            }
        }
        // Most pages load fast; all come back well before a signal is given to another tab.
        let slow = self.random.chance(0.1);
        let wait = self.random.unit() * if slow { 1_500.0 } else { 300.0 };
        self.after(wait, Later::Connect(tab));
    }

    /// A page is closed, and the tab's next one comes after so many milliseconds.
    pub(super) fn leave_page_for(&mut self, tab: usize, wait: f64) {
        let now = self.now_ms();
        let Some(id) = self.tabs[tab].take_page() else { return };
        self.net.close(id);
        self.net.disown(id);
        self.tabs[tab].gone_at = Some(now);
        self.visitors[self.tabs[tab].visitor].gone_at = now;
        self.after(wait.min(200.0), Later::BuryGhost(id));
        self.after(wait, Later::Connect(tab));
    }

    pub(super) fn page_lost(&mut self, tab: usize, code: Option<u16>, retry_ms: Option<u64>) {
        let (now, random, may_close) = (self.now_ms(), self.random.unit(), self.may_close());
        let this = &mut self.tabs[tab];
        self.turned_away += usize::from(may_close && this.stage != Stage::Up);
        this.connection = None;
        this.stage = Stage::Down;
        this.gone_at.get_or_insert(now);
        if this.expects_close {
            return;
        }
        let wait = this.backoff.lost(now, retry_ms, random);
        self.visitors[this.visitor].gone_at = now;
        if !may_close {
            let name = this.name.clone();
            self.ledger.fail(format!("the server closed {name}: {code:?}"));
        }
        self.after(wait, Later::Connect(tab));
    }
}
