//! Pages and their sockets: connecting, leaving, grace, focus and visibility (design sections 2.1 to 2.3).

use super::{
    MAX_SOCKETS, Phase, Socket, Step, Visitor,
    command::{Connect, Departure, Reply, Welcome},
    effect::{Effect, ToPage},
};
use crate::{
    clock::Timestamp,
    model::{
        close::CloseCode,
        error::{ErrorCode, Problem},
        event::{EventKind, Visibility},
        help::HelpStatus,
        ids::{NodeId, SocketAddress},
        presence::PresenceData,
        timeline::{LeaveCause, Note, PageEnd},
    },
};

impl Visitor {
    pub(super) fn connect(&mut self, connect: Connect, step: &mut Step<'_>) -> Reply {
        if self.socket(connect.socket).is_some() {
            return Reply::Welcome(self.welcome(connect.socket, None));
        }
        if self.shows_a_newer_page(&connect, step.now) {
            let (socket, cause) = (connect.socket, PageEnd::Closed(CloseCode::Superseded));
            step.note(Note::PageEnded { socket, cause });
            // What the tab has seen it has seen.
            for id in connect.seen {
                self.signals.acknowledge(id, step);
            }
            self.flush(step);
            return Reply::Superseded;
        }
        // The tab shows this page now: a socket of the tab that is still there is the ghost of a page that went
        // without a word (or the tab was duplicated; then the other page takes a new tab id when it hears this).
        let ghosts = self.sockets.iter().filter(|socket| socket.tab == connect.tab);
        let ghosts: Vec<_> = ghosts.map(|socket| socket.address).collect();
        if self.sockets.len() - ghosts.len() >= MAX_SOCKETS {
            let sentence = format!("a visitor may have {MAX_SOCKETS} sockets");
            return Reply::Refused(Problem::new(ErrorCode::TooMany, sentence));
        }
        let arrives = !self.is_connected();
        if arrives {
            self.epoch = step.now.0.max(self.epoch + 1);
            self.sequence = 0;
            self.since = step.now;
            self.data = PresenceData::EMPTY;
            self.data_sequence = 0;
            self.terms = None;
            self.visibility = None;
        }
        let before = std::mem::replace(&mut self.phase, Phase::Connected);
        self.awaited = false;
        self.updated = step.now;
        self.activities += 1;
        let (socket, tab) = (connect.socket, connect.tab.clone());
        let (visible, listening) = (connect.visible, connect.listening);
        step.note(Note::PageConnected { socket, tab, visible, listening });
        if arrives {
            step.note(Note::Connected { epoch: self.epoch });
        } else if matches!(before, Phase::Transit { .. }) {
            step.note(Note::Returned);
        }
        self.from = connect.from;
        self.sockets.push(Socket {
            address: connect.socket,
            tab: connect.tab,
            page: connect.page,
            accepted: connect.accepted,
            visible: connect.visible,
            listening: connect.listening,
            by_unique: false,
            activity: self.activities,
        });
        if arrives {
            self.publish(EventKind::VisitorConn { connected: true }, step);
        }
        let sockets = self.sockets.len();
        self.publish(EventKind::VisitorSock { connected: true, sockets }, step);
        for id in connect.seen {
            self.signals.acknowledge(id, step);
        }
        for to in ghosts {
            self.dismiss(to, CloseCode::Superseded, Some(connect.socket.node), step);
            self.detach(to, Departure::Gone, PageEnd::Closed(CloseCode::Superseded), step);
        }
        let refused_data = connect.data.and_then(|update| self.merge(update, step).err());
        self.settle_down(Some(connect.socket), step);
        Reply::Welcome(self.welcome(connect.socket, refused_data))
    }

    /// Whether the page's tab shows one that is newer, so that this one was delayed on its way. Of two that were accepted
    /// in the same moment the one that comes here later is the newer one; so it is where a node's clock is so far ahead that
    /// the moment has not come yet.
    fn shows_a_newer_page(&self, connect: &Connect, now: Timestamp) -> bool {
        let mut of_tab = self.sockets.iter().filter(|socket| socket.tab == connect.tab);
        of_tab.any(|socket| connect.accepted < socket.accepted && socket.accepted <= now)
    }

    pub(super) fn welcome(&self, socket: SocketAddress, refused_data: Option<Problem>) -> Welcome {
        let focus = self.focus == Some(socket);
        let (session, help, chat) = (self.session(), self.help_told(), self.chat.clone());
        Welcome { epoch: self.epoch, focus, terms: self.terms, session, help, chat, refused_data }
    }

    pub(super) fn close(
        &mut self,
        address: SocketAddress,
        departure: Departure,
        cause: PageEnd,
        step: &mut Step<'_>,
    ) {
        self.close_all(&[address], departure, cause, step);
    }

    /// Ends sockets at once, so that none of them gets the focus or a signal of another before its own end.
    pub(super) fn close_all(
        &mut self,
        all: &[SocketAddress],
        departure: Departure,
        cause: PageEnd,
        step: &mut Step<'_>,
    ) {
        let mut closed = false;
        for address in all {
            closed |= self.detach(*address, departure, cause, step);
        }
        if !closed {
            return;
        }
        if self.sockets.is_empty() {
            self.sockets = Vec::new();
            self.focus = None;
            let until = step.now + step.rules.grace_ms;
            self.phase = Phase::Transit { until };
            match (departure, cause) {
                (Departure::Disconnect, PageEnd::Closed(CloseCode::UniqueExpired)) => {
                    self.leave(LeaveCause::UniqueExpired, step);
                }
                (Departure::Disconnect, _) => self.leave(LeaveCause::Disconnect, step),
                (Departure::Gone, _) if step.rules.grace_ms == 0 => {
                    self.leave(LeaveCause::Grace, step);
                }
                (Departure::Gone, _) => step.note(Note::Transit { until }),
            }
        } else {
            self.settle_down(None, step);
        }
    }

    /// Takes a socket out, and back what it had not acknowledged. Whether it was there.
    pub(super) fn detach(
        &mut self,
        address: SocketAddress,
        departure: Departure,
        cause: PageEnd,
        step: &mut Step<'_>,
    ) -> bool {
        let Some(at) = self.sockets.iter().position(|socket| socket.address == address) else {
            return false;
        };
        let socket = self.sockets.remove(at);
        step.note(Note::PageEnded { socket: address, cause });
        self.updated = step.now;
        if socket.listening && !self.is_listening() {
            self.listened = Some(step.now);
        }
        self.signals.put_back(address, &socket.tab, departure, step);
        let sockets = self.sockets.len();
        self.publish(EventKind::VisitorSock { connected: false, sockets }, step);
        true
    }

    pub(super) fn leave(&mut self, cause: LeaveCause, step: &mut Step<'_>) {
        // A record made anew has an epoch that lies so far back, and must come after this one.
        let until = Timestamp(self.epoch) + step.rules.late_ms + 2;
        let until = step.rules.unknown_until.max(until);
        self.phase = if until <= step.now { Phase::Absent } else { Phase::Left { until } };
        self.end_help(HelpStatus::Canceled, step);
        self.spend_contact_code(step);
        step.note(Note::Left { cause });
        self.publish(EventKind::VisitorConn { connected: false }, step);
    }

    /// Changes a socket; `change` says whether that was an activity of the visitor on its page (design section 2.3). To
    /// repeat what is known is none.
    pub(super) fn touch(
        &mut self,
        address: SocketAddress,
        step: &mut Step<'_>,
        change: impl FnOnce(&mut Socket) -> bool,
    ) {
        let Some(socket) = self.sockets.iter_mut().find(|socket| socket.address == address) else {
            return;
        };
        if change(socket) {
            self.activities += 1;
            socket.activity = self.activities;
        }
        self.updated = step.now;
        self.settle_down(None, step);
    }

    pub(super) fn node_lost(&mut self, node: u32, before: u64, step: &mut Step<'_>) {
        let is_lost =
            |address: SocketAddress| address.node.node == node && address.node.incarnation < before;
        let lost: Vec<_> = self.sockets().filter(|address| is_lost(*address)).collect();
        self.close_all(&lost, Departure::Gone, PageEnd::NodeLost, step);
        self.transit_begins_anew(step);
        self.signals.forget_senders(is_lost);
        self.forget_dismissed(is_lost);
    }

    /// If he is in transit, his last socket counts as gone only now: grace and signal window begin anew.
    pub(super) fn transit_begins_anew(&mut self, step: &mut Step<'_>) {
        if let Phase::Transit { until } = &mut self.phase {
            *until = step.now + step.rules.grace_ms;
            step.note(Note::Transit { until: *until });
            self.listened = self.listened.map(|_| step.now);
            self.signals.extend(step.now + step.rules.signal_window_ms);
        }
    }

    /// A node may have missed what was said to its sockets. Pages know a signal that they have seen by its id, and all else
    /// that they are told is how things stand.
    pub(super) fn tell_again(&mut self, node: NodeId, step: &mut Step<'_>) {
        for socket in self.sockets.iter().filter(|socket| socket.address.node == node) {
            let is_focus = self.focus == Some(socket.address);
            let focus = if is_focus { ToPage::Focus } else { ToPage::Blur };
            let help = self.help_told().map(ToPage::Help);
            let chat = self.chat.clone().map(ToPage::Chat);
            let told = [socket.listening.then_some(focus), help, chat];
            let told = told.into_iter().flatten().chain([ToPage::Session(self.session())]);
            let to = socket.address;
            step.effects.extend(told.map(|message| Effect::Page { to, message }));
        }
        self.dismiss_again(node, step);
        self.signals.send_again(node, step);
    }

    /// Brings visibility, focus and waiting signals in line with the sockets. `newcomer` learns of its focus by the
    /// welcome.
    pub(super) fn settle_down(&mut self, newcomer: Option<SocketAddress>, step: &mut Step<'_>) {
        if self.is_listening() {
            self.listened = None;
        }
        if !self.sockets.is_empty() {
            let visibility = Visibility::from(self.sockets.iter().any(|socket| socket.visible));
            let before = self.visibility.replace(visibility);
            if before.is_some_and(|before| before != visibility) {
                self.publish(EventKind::Visibility { visibility }, step);
            }
        }
        let focus = self.sockets.iter().filter(|socket| socket.listening);
        let focus = focus.max_by_key(|socket| (socket.visible, socket.activity));
        let focus = focus.map(|socket| socket.address);
        let before = std::mem::replace(&mut self.focus, focus);
        if before != focus {
            if let Some(to) = before.filter(|address| self.socket(*address).is_some()) {
                step.effects.push(Effect::Page { to, message: ToPage::Blur });
            }
            if let Some(to) = focus.filter(|address| newcomer != Some(*address)) {
                step.effects.push(Effect::Page { to, message: ToPage::Focus });
            }
        }
        self.flush(step);
    }
}
