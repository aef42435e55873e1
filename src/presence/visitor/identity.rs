//! Who the visitor is: an anonymous one who becomes known, and one who came by a unique id.

use super::{
    JOIN_MEMORY_MS, Phase, Step, Visitor,
    command::{Departure, Reply, Unique},
    effect::Effect,
};
use crate::model::{
    close::CloseCode,
    error::{ErrorCode, Problem},
    event::{EventKind, TermsStatus},
    ids::{Code, SocketAddress, VisitorId},
    presence::PresenceUpdate,
    protocol::visitor::CodePurpose,
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

    /// Takes a code that was made for a page of his, or lives on. Of two that were made at once for the same purpose the
    /// first counts; the other, and one that comes when he is gone, leads nowhere from now on.
    pub(super) fn unique_given(
        &mut self,
        to: SocketAddress,
        given: Unique,
        step: &mut Step<'_>,
    ) -> Reply {
        let Some(page) = self.sockets.iter_mut().find(|socket| socket.address == to) else {
            if self.uniques.iter().all(|unique| unique.code != given.code) {
                step.effects.push(Effect::CodeSpent(given.code));
            }
            let sentence = "the page that asked for it is gone";
            return Reply::Refused(Problem::new(ErrorCode::NotFound, sentence));
        };
        page.by_unique |= given.purpose == CodePurpose::Reach;
        let of_purpose = self.uniques.iter_mut().find(|unique| unique.purpose == given.purpose);
        match of_purpose {
            Some(living) if living.code != given.code && living.until > step.now => {
                step.effects.push(Effect::CodeSpent(given.code));
                Reply::Unique(living.clone())
            }
            Some(same) if same.code == given.code => {
                *same = given;
                Reply::Unique(same.clone())
            }
            _ => {
                self.uniques.retain(|unique| unique.purpose != given.purpose);
                self.uniques.push(given.clone());
                Reply::Unique(given)
            }
        }
    }

    /// A code that leads here until it is used leads nowhere from now on: its time has come, or its visitor is gone.
    pub(super) fn spend_contact_code(&mut self, step: &mut Step<'_>) {
        let spent = self.uniques.extract_if(.., |unique| unique.purpose == CodePurpose::Contact);
        step.effects.extend(spent.map(|unique| Effect::CodeSpent(unique.code)));
    }

    /// The life of a code has ended. Pages that are there by it go.
    pub(super) fn unique_expired(&mut self, code: &Code, step: &mut Step<'_>) {
        let Some(at) = self.uniques.iter().position(|unique| unique.code == *code) else { return };
        if self.uniques.remove(at).purpose != CodePurpose::Reach {
            return;
        }
        let pages = self.sockets.iter().filter(|socket| socket.by_unique);
        let pages: Vec<_> = pages.map(|socket| socket.address).collect();
        for to in &pages {
            self.dismiss(*to, CloseCode::UniqueExpired, None, step);
        }
        let cause = PageEnd::Closed(CloseCode::UniqueExpired);
        self.close_all(&pages, Departure::Disconnect, cause, step);
    }
}
