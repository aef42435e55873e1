//! Who may come in, and how fast. Costs little, and comes before everything that costs more.
//!
//! Addresses are counted as [`client_key`](crate::limits::client_key) says: an IPv6 subscriber with all his addresses is one client.

use std::{net::IpAddr, num::NonZeroU32, sync::Arc};

use parking_lot::Mutex;

use crate::{
    clock::Timestamp,
    limits::{Keyed, Pace, Place, Places, Rate, client_key},
    model::{
        close::{Close, CloseCode},
        error::{ErrorCode, Problem},
        ids::{GroupId, VisitorKey},
    },
    settings::{Chat, Limits},
    telemetry::labels::Limiter,
};

/// When a client that came too fast should come back at the earliest, in ms.
const RETRY_MS: u64 = 1_000;
/// How often an agent may say what he is available for.
const AVAILABILITY_PER_MINUTE: NonZeroU32 = NonZeroU32::new(60).unwrap();
/// When a client whose address has all the sockets that it may have should try again, in ms.
const PLACE_RETRY_MS: u64 = 5_000;

/// Counts by address, by visitor, by token subject, and in all.
pub struct Admission {
    by_address: Keyed<IpAddr>,
    by_address_hard: Keyed<IpAddr>,
    by_visitor: Keyed<VisitorKey>,
    sessions: Keyed<VisitorKey>,
    sessions_apart: Keyed<Beginner>,
    chats: Keyed<VisitorKey>,
    chat_messages: Keyed<VisitorKey>,
    availability: Keyed<(GroupId, Box<str>)>,
    requests: Keyed<IpAddr>,
    requests_by_subject: Keyed<(GroupId, Box<str>)>,
    wrong_credentials: Keyed<IpAddr>,
    sockets: Arc<Places<IpAddr>>,
    total: Mutex<Pace>,
    total_rate: Rate,
}

/// Who begins a session for a customer who is not among the visitors.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Beginner {
    /// The subject of a token, which each group gives as it likes.
    Subject(GroupId, Box<str>),
    /// Whoever comes from an address.
    Address(IpAddr),
}

/// How a handshake may go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// As it wants to.
    Admit,
    /// It is taken and closed at once, so that a browser's script learns why.
    Close(Close),
    /// It gets a plain HTTP refusal: so many come that even that is too much work.
    Refuse,
}

impl Admission {
    /// The limits of the settings.
    #[must_use]
    pub fn new(limits: &Limits, sessions_per_minute: Rate, chat: &Chat) -> Self {
        let most = limits.remembered_keys;
        let by_address = |rate| Keyed::new(Rate::per_second(rate), most);
        Self {
            by_address: by_address(limits.handshakes_per_second),
            by_address_hard: by_address(limits.handshakes_per_second_hard),
            by_visitor: Keyed::new(Rate::per_second(limits.connects_per_second), most),
            sessions: Keyed::new(sessions_per_minute, most),
            sessions_apart: Keyed::new(sessions_per_minute, most),
            chats: Keyed::new(chat.chats_per_minute, most),
            chat_messages: Keyed::new(chat.messages_per_minute, most),
            availability: Keyed::new(Rate::per_minute(AVAILABILITY_PER_MINUTE), most),
            requests: by_address(limits.requests_per_second),
            requests_by_subject: Keyed::new(
                Rate::per_second(limits.requests_per_second_per_subject),
                most,
            ),
            wrong_credentials: Keyed::new(Rate::per_minute(limits.guesses_per_minute), most),
            sockets: Places::new(limits.sockets_per_address),
            total: Mutex::default(),
            total_rate: Rate::per_second(limits.handshakes_per_second_total),
        }
    }

    /// Judges a handshake from `address`.
    pub fn handshake(&self, address: IpAddr, now: Timestamp) -> Verdict {
        let key = client_key(address);
        if self.by_address_hard.take(&key, now).is_err() {
            return Verdict::Refuse;
        }
        let by_address = self.by_address.take(&key, now);
        let admitted = by_address.and_then(|()| self.total.lock().take(&self.total_rate, 1, now));
        match admitted {
            Ok(()) => Verdict::Admit,
            Err(retry_ms) => Verdict::Close(too_fast(retry_ms)),
        }
    }

    /// A place for a socket from `address`, as long as it is held.
    ///
    /// # Errors
    /// How to close the socket when the address has all that it may have.
    pub fn place(&self, address: IpAddr) -> Result<Place<IpAddr>, Close> {
        let spread = rand::random::<u64>() % PLACE_RETRY_MS;
        let full = || Close::from(CloseCode::TooMany).retry_in(PLACE_RETRY_MS + spread);
        self.sockets.take(client_key(address)).ok_or_else(full)
    }

    /// Judges a hello in the name of a visitor.
    ///
    /// # Errors
    /// How to close the socket when the visitor connects too often.
    pub fn hello(&self, visitor: &VisitorKey, now: Timestamp) -> Result<(), Close> {
        self.by_visitor.take(visitor, now).map_err(too_fast)
    }

    /// Judges a session that a visitor wants to start.
    ///
    /// # Errors
    /// `ratelimited`.
    pub fn session(&self, visitor: &VisitorKey, now: Timestamp) -> Result<(), Problem> {
        let taken = self.sessions.take(visitor, now);
        taken.map_err(|retry_ms| limited("this visitor starts too many sessions", retry_ms))
    }

    /// Judges a session that somebody wants to begin for a customer who is not among the visitors.
    ///
    /// # Errors
    /// `ratelimited`.
    pub fn session_apart(&self, by: &Beginner, now: Timestamp) -> Result<(), Problem> {
        let taken = self.sessions_apart.take(by, now);
        taken.map_err(|retry_ms| limited("too many sessions are begun from here", retry_ms))
    }

    /// Judges a chat that a visitor wants to begin.
    ///
    /// # Errors
    /// `ratelimited`.
    pub fn chat(&self, visitor: &VisitorKey, now: Timestamp) -> Result<(), Problem> {
        let taken = self.chats.take(visitor, now);
        taken.map_err(|retry_ms| limited("this visitor begins too many chats", retry_ms))
    }

    /// Judges something that a visitor says in a chat.
    ///
    /// # Errors
    /// `ratelimited`.
    pub fn chat_message(&self, visitor: &VisitorKey, now: Timestamp) -> Result<(), Problem> {
        let taken = self.chat_messages.take(visitor, now);
        taken.map_err(|retry_ms| limited("this visitor says too much at once", retry_ms))
    }

    /// Judges a word of an agent on what he is available for: each may be told to all pages of his group.
    ///
    /// # Errors
    /// `ratelimited`.
    pub fn availability(
        &self,
        group: &GroupId,
        subject: &str,
        now: Timestamp,
    ) -> Result<(), Problem> {
        let taken = self.availability.take(&(group.clone(), subject.into()), now);
        taken.map_err(|retry_ms| limited("this agent changes his mind too often", retry_ms))
    }

    /// Judges an HTTP request from `address`.
    ///
    /// # Errors
    /// `ratelimited`.
    pub fn request(&self, address: IpAddr, now: Timestamp) -> Result<(), Problem> {
        let taken = self.requests.take(&client_key(address), now);
        taken.map_err(|retry_ms| limited("too many requests from this address", retry_ms))
    }

    /// Judges an HTTP request with a token of `subject`.
    ///
    /// # Errors
    /// `ratelimited`.
    pub fn request_of(
        &self,
        group: &GroupId,
        subject: &str,
        now: Timestamp,
    ) -> Result<(), Problem> {
        let taken = self.requests_by_subject.take(&(group.clone(), subject.into()), now);
        taken.map_err(|retry_ms| limited("too many requests with tokens of this subject", retry_ms))
    }

    /// Whether an address may still offer credentials (an API key, a login key): it has not offered too many wrong ones.
    ///
    /// # Errors
    /// `ratelimited`.
    pub fn may_offer(&self, address: IpAddr, now: Timestamp) -> Result<(), Problem> {
        let asked = self.wrong_credentials.ask(&client_key(address), now);
        asked.map_err(|retry_ms| limited("too many wrong keys from this address", retry_ms))
    }

    /// Counts wrong credentials. Only by address: a limit by group would let a stranger shut its own people out, and
    /// what is guessed at has 95 bits and more.
    pub fn was_wrong(&self, address: IpAddr, now: Timestamp) {
        // Beyond the limit it was not asked in the first place.
        let _ = self.wrong_credentials.take(&client_key(address), now);
    }

    /// Forgets whoever has the full allowance again.
    pub fn tidy(&self, now: Timestamp) {
        let by_address =
            [&self.by_address, &self.by_address_hard, &self.requests, &self.wrong_credentials];
        by_address.iter().for_each(|limiter| limiter.tidy(now));
        let by_visitor = [&self.by_visitor, &self.sessions, &self.chats, &self.chat_messages];
        by_visitor.iter().for_each(|limiter| limiter.tidy(now));
        self.sessions_apart.tidy(now);
        self.requests_by_subject.tidy(now);
        self.availability.tidy(now);
    }

    /// How many keys each limiter remembers, and how many newcomers found no room.
    #[must_use]
    pub fn fill(&self) -> [(Limiter, usize, u64); 12] {
        fn of<K: Eq + std::hash::Hash + Clone>(keyed: &Keyed<K>) -> (usize, u64) {
            (keyed.len(), keyed.refused_full())
        }
        [
            (Limiter::Handshakes, of(&self.by_address)),
            (Limiter::HandshakesHard, of(&self.by_address_hard)),
            (Limiter::Connects, of(&self.by_visitor)),
            (Limiter::Sessions, of(&self.sessions)),
            (Limiter::SessionsApart, of(&self.sessions_apart)),
            (Limiter::Chats, of(&self.chats)),
            (Limiter::ChatMessages, of(&self.chat_messages)),
            (Limiter::Availability, of(&self.availability)),
            (Limiter::Requests, of(&self.requests)),
            (Limiter::RequestsBySubject, of(&self.requests_by_subject)),
            (Limiter::WrongCredentials, of(&self.wrong_credentials)),
            (Limiter::SocketsByAddress, (self.sockets.keys(), 0)),
        ]
        .map(|(limiter, (keys, full))| (limiter, keys, full))
    }
}

/// The wish to come back later, spread so that those who were refused together do not return together.
fn too_fast(retry_ms: u64) -> Close {
    let spread = rand::random::<u64>() % RETRY_MS;
    Close::from(CloseCode::RateLimited).retry_in(RETRY_MS.max(retry_ms) + spread)
}

fn limited(sentence: &str, retry_ms: u64) -> Problem {
    Problem::new(ErrorCode::RateLimited, sentence).retry_in(retry_ms)
}
