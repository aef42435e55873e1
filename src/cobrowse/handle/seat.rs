//! Who comes by a ticket: pages that stream, agents who view.

use std::sync::Arc;

use bytes::Bytes;

use super::{Cobrowse, Shared, plain, unexpected};
use crate::{
    auth::Agent,
    clock::Timestamp,
    cobrowse::{
        channel::{Channel, Part},
        envelope::Envelope,
        session::{
            SessionView, Stream,
            command::{Command, Join, Reply, Seated as Role},
        },
        ticket::{Holder, LINK_LIFE_MS, SeatTicket, Ticket},
    },
    model::{
        cobrowse::{Permissions, UserId},
        error::{ErrorCode, Problem},
        ids::{SessionKey, SocketAddress, TabId},
        protocol::stream::{Content, Mark, Seat},
    },
    store::{Engine, Expect},
};

/// How long a seat can be taken again after a lost connection by its ticket, in milliseconds: as long as a session may last,
/// which ends sooner as a rule.
const SEAT_LIFE_MS: u64 = 24 * 3_600_000;

/// A page's way into the stream. Dropping it ends that.
pub struct PagePass {
    cobrowse: Cobrowse,
    channel: Arc<Channel>,
    session: SessionKey,
    epoch: u32,
    socket: SocketAddress,
}

/// An agent's seat at a session, from his socket's side. Dropping it says that his connection is lost.
pub struct ViewerSeat {
    cobrowse: Cobrowse,
    channel: Arc<Channel>,
    session: SessionKey,
    user: UserId,
    name: Box<str>,
    permissions: Permissions,
    socket: SocketAddress,
}

impl Cobrowse {
    /// A link's ticket: an agent may take a seat.
    #[must_use]
    pub fn seat_ticket(
        &self,
        session: SessionKey,
        agent: Agent,
        permissions: Permissions,
    ) -> String {
        let holder = Holder::Link(rand::random());
        let ticket = SeatTicket { session, agent, permissions, holder };
        let until = self.shared.clock.wall() + LINK_LIFE_MS;
        self.shared.tickets.write(Ticket::Seat(Box::new(ticket)), until)
    }

    /// Reads a ticket, and until when it can be used, by the wall clock.
    ///
    /// # Errors
    /// `authorization`.
    pub fn ticket(&self, text: &str) -> Result<(Ticket, Timestamp), Problem> {
        self.shared.tickets.read(text, self.shared.clock.wall())
    }

    /// A page comes to stream. `answer` gets its way in; `notfound` when it is not to be recorded any more.
    pub fn open_page(
        &self,
        session: SessionKey,
        epoch: u32,
        socket: SocketAddress,
        answer: impl FnOnce(Result<PagePass, Problem>) + Send + 'static,
    ) {
        let (cobrowse, key) = (self.clone(), session.clone());
        let sink = Box::new(move |result| {
            if let Err(problem) = plain(result) {
                return answer(Err(problem));
            }
            let channel = cobrowse.shared.channel(&key);
            // Here, in the order of what the session says.
            channel.expects(epoch, socket.socket, &*cobrowse.shared.post);
            answer(Ok(PagePass { cobrowse, channel, session: key, epoch, socket }));
        });
        let stream = Command::Stream(Stream { epoch, socket });
        self.engine.submit(session, Expect::Any, stream, sink);
    }

    /// An agent takes his seat by a ticket. `answer` gets what he comes into, and then the stream; it is called before
    /// anything of the session is sent to him.
    pub fn open_seat(
        &self,
        ticket: SeatTicket,
        tab: TabId,
        socket: SocketAddress,
        answer: impl FnOnce(Result<(Seat, ViewerSeat), Problem>) + Send + 'static,
    ) {
        let SeatTicket { session, agent, permissions, holder } = ticket;
        let link = match holder {
            Holder::Link(link) => Some(link),
            Holder::Tab(taken) if taken == tab => None,
            Holder::Tab(_) => {
                let sentence = "the ticket is another tab's";
                return answer(Err(Problem::new(ErrorCode::Authorization, sentence)));
            }
        };
        let name: Box<str> = agent.name.as_deref().unwrap_or_default().into();
        let subject: Box<str> = (&*agent.subject).into();
        let join = Join {
            socket,
            role: Role::Agent,
            tab: tab.clone(),
            subject,
            name: name.clone(),
            permissions,
            link,
        };
        let (cobrowse, key) = (self.clone(), session.clone());
        let sink = Box::new(move |result| {
            let (user, view, shown) = match plain(result) {
                Ok(Reply::Joined { user, view, shown }) => (user, *view, shown),
                Ok(_) => return answer(Err(unexpected())),
                Err(problem) => return answer(Err(problem)),
            };
            let shared = Arc::clone(&cobrowse.shared);
            let channel = shared.channel(&key);
            channel.shown(shown, shared.clock.now(), &*shared.post);
            let again =
                SeatTicket { session: key.clone(), agent, permissions, holder: Holder::Tab(tab) };
            let until = shared.clock.wall() + SEAT_LIFE_MS;
            let ticket = shared.tickets.write(Ticket::Seat(Box::new(again)), until);
            let assets = shared.tickets.assets(&key);
            let seat = seat(view, user, permissions, ticket, assets);
            let session = key;
            let viewer = ViewerSeat { cobrowse, channel, session, user, name, permissions, socket };
            answer(Ok((seat, viewer)));
        });
        self.engine.submit(session, Expect::Any, Command::Join(Box::new(join)), sink);
    }
}

fn seat(
    view: SessionView,
    user: UserId,
    permissions: Permissions,
    ticket: String,
    assets: String,
) -> Seat {
    Seat {
        user,
        visitorid: view.visitorid,
        view: view.view,
        consent: view.consent,
        pages: view.pages,
        members: view.members,
        permissions,
        ticket,
        assets,
    }
}

impl PagePass {
    /// The session.
    #[must_use]
    pub fn session(&self) -> &SessionKey {
        &self.session
    }

    /// The page's number.
    #[must_use]
    pub fn epoch(&self) -> u32 {
        self.epoch
    }

    /// It is ready for what is asked of it.
    ///
    /// # Errors
    /// `notfound`: it is not to be recorded any more.
    pub fn begin(&self) -> Result<(), Problem> {
        self.channel.page_opens(self.socket.socket)
    }

    /// A message of the stream: checked, masked, and passed on.
    ///
    /// # Errors
    /// `badrequest` or `toolarge`: it is no message of a stream. `notfound`: the page is not to be recorded any more.
    pub fn part(&self, message: &[u8]) -> Result<(), Problem> {
        let shared = &self.cobrowse.shared;
        let envelope = Envelope::read(message, shared.part_bytes)?;
        if envelope.epoch != self.epoch {
            return Err(Problem::field("epoch", "must be that of the ticket"));
        }
        let text = std::str::from_utf8(&envelope.payload)
            .map_err(|_| Problem::field("payload", "must be UTF-8"))?;
        let masked = match shared.groups.get(&self.session.group) {
            Some(group) => group.masking.json(text),
            None => text.into(),
        };
        let (epoch, key_frame) = (envelope.epoch, envelope.key_frame);
        let message = match masked {
            std::borrow::Cow::Borrowed(_) => Bytes::copy_from_slice(message),
            std::borrow::Cow::Owned(masked) => {
                Envelope { epoch, key_frame, payload: masked.into() }.write()
            }
        };
        let part = Part { epoch, key_frame, message };
        self.channel.part(self.socket.socket, part, shared.clock.now(), &*shared.post)
    }

    /// An asset of the page has this content.
    ///
    /// # Errors
    /// See [`Channel::announce`].
    pub fn announce(&self, asset: u32, content: Content) -> Result<(), Problem> {
        let post = &*self.cobrowse.shared.post;
        self.channel.announce(self.socket.socket, self.epoch, asset, content, post)
    }

    /// An asset of the page cannot be had.
    pub fn missing(&self, asset: u32) {
        self.channel.missing(self.epoch, asset);
    }
}

impl Drop for PagePass {
    fn drop(&mut self) {
        self.channel.closes(self.socket.socket);
        self.cobrowse.gone(self.session.clone(), self.socket);
    }
}

impl ViewerSeat {
    /// The session.
    #[must_use]
    pub fn session(&self) -> &SessionKey {
        &self.session
    }

    /// His number.
    #[must_use]
    pub fn user(&self) -> UserId {
        self.user
    }

    /// He is ready for the stream.
    pub fn begin(&self) {
        let Shared { clock, post, .. } = &*self.cobrowse.shared;
        self.channel.viewer_opens(self.socket.socket, self.user, clock.now(), &**post);
    }

    /// He has lost his thread, and needs a key frame.
    pub fn lost(&self) {
        let Shared { clock, post, .. } = &*self.cobrowse.shared;
        self.channel.viewer_lost(self.socket.socket, clock.now(), &**post);
    }

    /// He shows something on the visitor's page.
    ///
    /// # Errors
    /// `scope`: his link does not allow that.
    pub fn mark(&self, mark: Mark) -> Result<(), Problem> {
        let may = match mark {
            Mark::Cursor { .. } | Mark::Spotlight { .. } => self.permissions.point,
            Mark::Stroke { .. } => self.permissions.draw,
        };
        if !may {
            let sentence = "the link to this session does not allow that";
            return Err(Problem::new(ErrorCode::Scope, sentence));
        }
        self.channel.mark(self.user, &self.name, mark, &*self.cobrowse.shared.post);
        Ok(())
    }

    /// A command of his.
    pub fn command(
        &self,
        command: Command,
        answer: impl FnOnce(Result<(), Problem>) + Send + 'static,
    ) {
        self.cobrowse.command(self.session.clone(), command, answer);
    }
}

impl Drop for ViewerSeat {
    fn drop(&mut self) {
        self.channel.closes(self.socket.socket);
        self.cobrowse.gone(self.session.clone(), self.socket);
    }
}

impl From<crate::cobrowse::envelope::BadEnvelope> for Problem {
    fn from(bad: crate::cobrowse::envelope::BadEnvelope) -> Self {
        use crate::cobrowse::envelope::BadEnvelope;
        let code = match bad {
            BadEnvelope::TooLarge { .. } => ErrorCode::TooLarge,
            BadEnvelope::Length | BadEnvelope::Flags | BadEnvelope::Deflate => {
                ErrorCode::BadRequest
            }
        };
        Problem { code, ..Problem::field("message", bad.to_string()) }
    }
}
