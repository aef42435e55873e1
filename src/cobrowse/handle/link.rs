//! Links that begin a session when they are opened.

use super::{Cobrowse, Shared, Start, ViewerSeat};
use crate::{
    auth::Agent,
    clock::Timestamp,
    cobrowse::{
        link::{LinkTerms, LinkTicket},
        session::command::Command,
        ticket::{Holder, LINK_LIFE_MS, SeatTicket, Ticket},
    },
    model::{
        cobrowse::Permissions,
        error::{ErrorCode, Problem},
        ids::{GroupId, SessionKey, SocketAddress, TabId, VisitorKey},
        protocol::stream::{MAX_TICKET_BYTES, Seat},
        watch::Metadata,
    },
};

/// A link to be made.
#[derive(Clone, Debug)]
pub struct NewLink {
    /// Whose page.
    pub visitor: VisitorKey,
    /// For whom.
    pub agent: Agent,
    /// What he may do; narrows what there is to do.
    pub permissions: Permissions,
    /// How the page looks to him.
    pub terms: LinkTerms,
    /// Goes to the session, in the place of what it had.
    pub metadata: Metadata,
}

type SeatAnswer = Box<dyn FnOnce(Result<(Seat, ViewerSeat), Problem>) + Send>;

impl Cobrowse {
    /// A link's ticket. Nothing happens before it is opened.
    ///
    /// # Errors
    /// `toolarge`: what it carries is too much for an address.
    pub fn link(&self, new: NewLink) -> Result<String, Problem> {
        let NewLink { visitor, agent, permissions, terms, metadata } = new;
        let (number, incarnation) = (rand::random(), self.shared.start_of_links());
        let ticket =
            LinkTicket { visitor, agent, permissions, terms, metadata, number, incarnation };
        let until = self.shared.clock.wall() + LINK_LIFE_MS;
        let text = self.shared.tickets.write(Ticket::Link(Box::new(ticket)), until);
        if text.len() > MAX_TICKET_BYTES {
            let rule = format!("makes the link longer than {MAX_TICKET_BYTES} bytes with the rest");
            let problem = Problem::field("metadata", rule);
            return Err(Problem { code: ErrorCode::TooLarge, ..problem });
        }
        Ok(text)
    }

    /// What the page of a link must know, of one whose time is over too; `None` when it is none of ours.
    #[must_use]
    pub fn link_terms(&self, text: &str) -> Option<(GroupId, LinkTerms)> {
        match self.shared.tickets.read_late(text) {
            Ok((Ticket::Link(link), _)) => Some((link.visitor.group, link.terms)),
            _ => None,
        }
    }

    /// An agent opens a link: begins the session, or joins the one that the visitor has, and takes his seat. `answer` as for
    /// [`Cobrowse::open_seat`]; `visitornotpresent` when the visitor is not there, and then the link stays good.
    pub fn open_link(
        &self,
        link: LinkTicket,
        until: Timestamp,
        tab: TabId,
        socket: SocketAddress,
        answer: impl FnOnce(Result<(Seat, ViewerSeat), Problem>) + Send + 'static,
    ) {
        let now = self.shared.clock.wall();
        if link.incarnation != self.shared.start_of_links() {
            let sentence = "the link was made before the service started anew";
            return answer(Err(Problem::new(ErrorCode::Authorization, sentence)));
        }
        let known = match self.shared.opened.lock().open(link.number, &tab, until, now) {
            Ok(known) => known,
            Err(problem) => return answer(Err(problem)),
        };
        if let Some(session) = known {
            let session = SessionKey { group: link.visitor.group.clone(), session };
            return self.open_seat(seat(link, session), tab, socket, answer);
        }
        let (cobrowse, answer) = (self.clone(), Box::new(answer));
        let start = Start::by_agent(self.policy());
        self.begin(link.visitor.clone(), start, move |begun| match begun {
            Ok(session) => {
                cobrowse.shared.opened.lock().led_to(link.number, session.session);
                cobrowse.describe(link, session, tab, socket, answer);
            }
            Err(problem) => {
                cobrowse.shared.opened.lock().led_nowhere(link.number);
                answer(Err(problem));
            }
        });
    }

    fn describe(
        &self,
        mut link: LinkTicket,
        session: SessionKey,
        tab: TabId,
        socket: SocketAddress,
        answer: SeatAnswer,
    ) {
        let metadata = std::mem::take(&mut link.metadata);
        if metadata.is_empty() {
            return self.open_seat(seat(link, session), tab, socket, answer);
        }
        let (cobrowse, of) = (self.clone(), session.clone());
        self.command(of, Command::Describe(metadata), move |described| match described {
            Ok(()) => cobrowse.open_seat(seat(link, session), tab, socket, answer),
            Err(problem) => answer(Err(problem)),
        });
    }
}

impl Shared {
    /// Which start of the service links are of. Where there are several nodes the session remembers who came by which.
    fn start_of_links(&self) -> u64 {
        if self.colleagues.are_there() { 0 } else { self.node.incarnation }
    }
}

/// The seat that a link gives to the tab that opened it first: the session knows which that was, on whatever node.
fn seat(link: LinkTicket, session: SessionKey) -> SeatTicket {
    let LinkTicket { agent, permissions, number, .. } = link;
    SeatTicket { session, agent, permissions, holder: Holder::Link(number) }
}
