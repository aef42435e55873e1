//! The visitor's part of a session: his pages, and which of them is shown.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::{
    MAX_PAGES, MAX_VISITS, Open, Step,
    command::{Effect, Enter, Entrance, Reply, Way},
    refused,
    seats::Member,
    view::{Part, Shown, Stream},
};
use crate::{
    clock::Timestamp,
    model::{
        cobrowse::{Role, SessionEventKind, UserId, ViewState, Visit},
        error::ErrorCode,
        ids::{NodeId, SocketAddress, TabId},
        json::Json,
    },
};

/// A page of the visitor.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Page {
    pub(super) socket: SocketAddress,
    pub(super) tab: TabId,
    pub(super) epoch: u32,
    pub(super) url: Box<str>,
    pub(super) title: Box<str>,
    pub(super) visible: bool,
    /// Greater than that of every page whose last activity was earlier.
    activity: u64,
    /// Whether it was told to record.
    recording: bool,
    /// Which of the remembered visits this is.
    visit: Option<usize>,
}

impl Open {
    pub(super) fn enter(&mut self, enter: Enter, step: &mut Step<'_>) -> Reply {
        let user = self.customer;
        if let (Some(user), Some(page)) = (user, self.page(enter.socket)) {
            return self.entered(user, page.epoch);
        }
        let is_free = match enter.way {
            Way::Page => true,
            Way::Apart => self.apart && user.is_none(),
            Way::ApartAgain => self.apart && self.pages.iter().all(|page| page.tab == enter.tab),
        };
        if !is_free {
            return refused(ErrorCode::TooMany, "the session has its customer");
        }
        // The tab shows this page now; one of it that is still there went without a word.
        let ghosts = self.pages.iter().filter(|page| page.tab == enter.tab);
        let ghosts: Vec<_> = ghosts.map(|page| page.socket).collect();
        if self.pages.len() - ghosts.len() >= MAX_PAGES {
            let sentence = format!("a session may have {MAX_PAGES} pages");
            return refused(ErrorCode::TooMany, sentence);
        }
        ghosts.iter().for_each(|socket| self.remove_page(*socket, step));
        self.epochs += 1;
        self.activities += 1;
        self.active = step.now;
        let Enter { socket, tab, url, title, visible, .. } = enter;
        let visit = self.visit(&url, step.now);
        let (epoch, activity) = (self.epochs, self.activities);
        let recording = false;
        self.pages.push(Page {
            socket,
            tab,
            epoch,
            url,
            title,
            visible,
            activity,
            recording,
            visit,
        });
        self.stale = true;
        let user = match user {
            Some(user) => {
                if self.away.take().is_some() {
                    let connection = SessionEventKind::Connection { user, connected: true };
                    self.tell_but(Some(socket), connection, step);
                }
                user
            }
            None => {
                let user = self.next_user();
                self.customer = Some(user);
                self.parts.push(Part::new(user, Role::Customer, "", None, step.now));
                if let Some(member) = self.customer_view() {
                    self.tell_but(Some(socket), SessionEventKind::Joined { member }, step);
                }
                user
            }
        };
        self.entered(user, epoch)
    }

    fn entered(&self, user: UserId, epoch: u32) -> Reply {
        Reply::Entered(Box::new(Entrance {
            user,
            epoch,
            view: self.seen,
            others: self.others(user),
            code: self.code.clone(),
            reference: self.labels.reference.clone(),
            grace_ms: self.policy.visitor_grace_ms,
            activated: self.activated,
        }))
    }

    pub(super) fn navigate(
        &mut self,
        socket: SocketAddress,
        url: Box<str>,
        title: Box<str>,
        step: &mut Step<'_>,
    ) -> Reply {
        let Some(page) = self.pages.iter().find(|page| page.socket == socket) else {
            return unknown_page();
        };
        let (is_new, visit) = (page.url != url, page.visit);
        let visit = if is_new {
            self.end_visit(visit, step.now);
            self.visit(&url, step.now)
        } else {
            visit
        };
        if let Some(page) = self.pages.iter_mut().find(|page| page.socket == socket) {
            (page.url, page.title, page.visit) = (url, title, visit);
        }
        self.stale = true;
        Reply::Done
    }

    /// A page says something to those who view it. Agents who are not shown the pages hear nothing either.
    pub(super) fn message(
        &mut self,
        socket: SocketAddress,
        data: Json,
        step: &mut Step<'_>,
    ) -> Reply {
        if self.page(socket).is_none() {
            return unknown_page();
        }
        if self.seen != ViewState::On {
            return refused(ErrorCode::NotFound, "nobody sees the visitor's pages now");
        }
        self.active = step.now;
        self.tell_but(Some(socket), SessionEventKind::Message { data }, step);
        Reply::Done
    }

    /// Changes a page; `change` says whether that was an activity of the visitor on it.
    pub(super) fn touch(
        &mut self,
        socket: SocketAddress,
        step: &Step<'_>,
        change: impl FnOnce(&mut Page) -> bool,
    ) -> Reply {
        let Some(page) = self.pages.iter_mut().find(|page| page.socket == socket) else {
            return unknown_page();
        };
        if change(page) {
            self.activities += 1;
            page.activity = self.activities;
            self.active = step.now;
        }
        Reply::Done
    }

    /// Takes pages out whose sockets ended. Gives the visitor's number if those were his last.
    pub(super) fn pages_gone(
        &mut self,
        is_gone: &dyn Fn(SocketAddress) -> bool,
        step: &mut Step<'_>,
    ) -> Option<UserId> {
        let gone = self.pages.iter().map(|page| page.socket).filter(|socket| is_gone(*socket));
        let gone: Vec<_> = gone.collect();
        gone.iter().for_each(|socket| self.remove_page(*socket, step));
        let is_away = self.pages.is_empty() && !gone.is_empty();
        if is_away {
            self.away = Some(step.now + self.policy.visitor_grace_ms);
        }
        self.customer.filter(|_| is_away)
    }

    fn remove_page(&mut self, socket: SocketAddress, step: &mut Step<'_>) {
        if let Some(at) = self.pages.iter().position(|page| page.socket == socket) {
            let page = self.pages.remove(at);
            self.end_visit(page.visit, step.now);
            self.stale = true;
            // Its stream may outlive it; no late viewer is to get the picture of a page that is gone.
            if page.recording {
                let (epoch, on) = (page.epoch, false);
                let mut nodes = self.nodes();
                nodes.extend((!nodes.contains(&socket.node)).then_some(socket.node));
                step.effects.push(Effect::Record { socket, epoch, on, nodes });
                self.stream.take_if(|stream| stream.epoch == epoch);
            }
        }
        // Whoever was asked there has not answered; he is asked again where he is.
        self.asked_on = self.asked_on.filter(|asked| *asked != socket);
    }

    fn visit(&mut self, url: &str, now: Timestamp) -> Option<usize> {
        if self.visits.len() >= MAX_VISITS {
            self.more_visits += 1;
            return None;
        }
        self.visits.push(Visit { url: url.into(), entered: now, left: None });
        Some(self.visits.len() - 1)
    }

    fn end_visit(&mut self, visit: Option<usize>, now: Timestamp) {
        if let Some(visit) = visit.and_then(|visit| self.visits.get_mut(visit)) {
            visit.left = Some(now);
        }
    }

    fn page(&self, socket: SocketAddress) -> Option<&Page> {
        self.pages.iter().find(|page| page.socket == socket)
    }

    /// The page that agents see: of those that can be seen, else of all, the one with the latest activity.
    pub(super) fn shown(&self) -> Option<&Page> {
        self.pages.iter().max_by_key(|page| (page.visible, page.activity))
    }

    /// Has the shown page record, if `on`, and no other; tells of pages that changed.
    pub(super) fn show(&mut self, on: bool, step: &mut Step<'_>) {
        let shown = self.shown().map(|page| page.epoch);
        let nodes = self.nodes();
        for page in &mut self.pages {
            let (socket, epoch) = (page.socket, page.epoch);
            let on = on && shown == Some(epoch);
            if std::mem::replace(&mut page.recording, on) != on {
                let nodes = nodes.clone();
                step.effects.push(Effect::Record { socket, epoch, on, nodes });
                self.stream.take_if(|stream| stream.epoch == epoch && !on);
            }
        }
        if std::mem::take(&mut self.stale) || shown != self.told_shown {
            self.told_shown = shown;
            let pages = self.page_views();
            self.tell(SessionEventKind::Pages { pages }, step);
        }
    }

    /// A page's stream is there; it comes by a socket of its own, to any node.
    pub(super) fn streams(&mut self, stream: Stream, step: &mut Step<'_>) -> Reply {
        if self.recorded() != Some(stream.epoch) {
            return refused(ErrorCode::NotFound, "this page is not to be recorded any more");
        }
        // Those of the stream before have to hear of it, too.
        let mut nodes = self.nodes();
        nodes.extend((!nodes.contains(&stream.socket.node)).then_some(stream.socket.node));
        self.stream = Some(stream);
        step.effects.push(Effect::Streams { stream, nodes });
        Reply::Done
    }

    fn recorded(&self) -> Option<u32> {
        self.pages.iter().find(|page| page.recording).map(|page| page.epoch)
    }

    pub(super) fn what_is_shown(&self) -> Shown {
        Shown { recorded: self.recorded(), stream: self.stream }
    }

    /// Where its sockets are.
    pub(super) fn nodes(&self) -> Vec<NodeId> {
        let pages = self.pages.iter().map(|page| page.socket);
        let members = self.members.iter().filter_map(Member::socket);
        let stream = self.stream.map(|stream| stream.socket);
        let sockets = pages.chain(members).chain(stream);
        let nodes: BTreeSet<NodeId> = sockets.map(|socket| socket.node).collect();
        nodes.into_iter().collect()
    }
}

fn unknown_page() -> Reply {
    refused(ErrorCode::NotFound, "the page is not in the session")
}
