//! Who the visitor is: an anonymous one who becomes known, and one who came by a unique id.

use super::{
    JOIN_MEMORY_MS, Phase, Step, Visitor,
    command::{Departure, Effect, Reply, ToPage},
};
use crate::model::{
    close::CloseCode,
    error::{ErrorCode, Problem},
    event::{EventKind, TermsStatus},
    ids::{SocketAddress, VisitorId},
    presence::PresenceUpdate,
    timeline::{Note, PageEnd},
};

impl Visitor {
    /// A page takes what is known of it over from an anonymous record: what this one already knows wins. All of it is
    /// told, since those who watched the anonymous visitor have come along and know nothing of this record; what the
    /// page said in one breath with the wish to go on was told before they came.
    pub(super) fn inherit(
        &mut self,
        data: &PresenceUpdate,
        terms: Option<TermsStatus>,
        step: &mut Step<'_>,
    ) -> Reply {
        if !self.is_connected() {
            return Reply::Done;
        }
        self.terms = self.terms.or(terms);
        // Too much for one record: the page's own data is worth more than what was inherited.
        let _ = self.data.merge(&data.without(&self.data.to_update()));
        self.updated = step.now;
        let whole = self.data.to_update();
        if !whole.is_empty() {
            self.publish(EventKind::Presence(whole), step);
            self.data_sequence = self.sequence;
        }
        Reply::Done
    }

    pub(super) fn join(
        &mut self,
        page: Option<SocketAddress>,
        known: VisitorId,
        step: &mut Step<'_>,
    ) -> Reply {
        if !self.is_connected() || page.is_some_and(|address| self.socket(address).is_none()) {
            let sentence = "the page does not belong to this visitor any more";
            return Reply::Refused(Problem::new(ErrorCode::VisitorNotPresent, sentence));
        }
        let (data, terms) = (self.data.to_update(), self.terms);
        if self.sockets.len() > usize::from(page.is_some()) {
            // Other pages still go under the anonymous id; they join as they learn of the known one.
            if let Some(address) = page {
                self.close(address, Departure::Gone, PageEnd::Identified, step);
            }
            // His other pages are in the session still, and wait for help.
            return Reply::Joined { data, terms, sharing: None, help: None };
        }
        for socket in std::mem::take(&mut self.sockets) {
            let (socket, cause) = (socket.address, PageEnd::Identified);
            step.note(Note::PageEnded { socket, cause });
        }
        step.note(Note::Joined { visitorid: known.clone() });
        self.publish(EventKind::VisitorJoined { visitorid: known.clone() }, step);
        self.focus = None;
        self.signals.forward_all(&known, step);
        self.phase = Phase::Joined { to: known, until: step.now + JOIN_MEMORY_MS };
        // The chat's own record goes along, and tells the known one.
        self.chat = None;
        let (sharing, help) = (self.sharing.take(), self.help.take());
        Reply::Joined { data, terms, sharing, help }
    }

    /// A code that leads here until it is used leads nowhere from now on: its time has come, or its visitor is gone.
    pub(super) fn spend_contact_code(&mut self, step: &mut Step<'_>) {
        if std::mem::take(&mut self.contact)
            && let Some((code, _)) = self.unique.take()
        {
            step.effects.push(Effect::CodeSpent(code));
        }
    }

    pub(super) fn unique_expired(&mut self, step: &mut Step<'_>) {
        self.unique = None;
        self.contact = false;
        let pages = self.sockets.iter().filter(|socket| socket.by_unique);
        let pages: Vec<_> = pages.map(|socket| socket.address).collect();
        for to in &pages {
            let message = ToPage::Close(CloseCode::UniqueExpired);
            step.effects.push(Effect::Page { to: *to, message });
        }
        let cause = PageEnd::Closed(CloseCode::UniqueExpired);
        self.close_all(&pages, Departure::Disconnect, cause, step);
    }
}
