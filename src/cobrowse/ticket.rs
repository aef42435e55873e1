//! Tickets: what opens `/v1/stream`. A ticket is for one session and one purpose, so that whoever gets hold of it has
//! neither an agent's token nor a visitor's identity.
//!
//! Written as `base64url(JSON).base64url(HMAC-SHA-256)`. The key never leaves the service.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use hmac::{Hmac, KeyInit, Mac};
use serde::{Deserialize, Serialize};
use sha2::Sha256;

use super::link::LinkTicket;
use crate::{
    auth::{Agent, Secret},
    clock::Timestamp,
    model::{
        cobrowse::{Permissions, UserId},
        error::{ErrorCode, Problem},
        ids::{SessionKey, TabId},
    },
};

/// How long a link to a session's view can be opened, in milliseconds.
pub const LINK_LIFE_MS: u64 = 300_000;

/// What is sealed, so that none of it passes for another.
const TICKET: &[u8] = b"vestibule stream ticket ";
const ASSETS: &[u8] = b"vestibule stream assets ";
const MEMBER: &[u8] = b"vestibule session member ";

/// What somebody may do with a ticket.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Ticket {
    /// Stream this page of the visitor.
    Page {
        /// The session.
        session: SessionKey,
        /// The page's number.
        epoch: u32,
    },
    /// Take an agent's seat.
    Seat(Box<SeatTicket>),
    /// Begin a session with a visitor, or join the one that he has, and take an agent's seat there.
    Link(Box<LinkTicket>),
}

/// Whose seat.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SeatTicket {
    /// The session.
    pub session: SessionKey,
    /// On whose token it was given: the seat ends when that is believed no longer, but not when its time is over.
    pub agent: Agent,
    /// What he may do.
    pub permissions: Permissions,
    /// Whose the ticket is.
    pub holder: Holder,
}

/// Whose a ticket to a seat is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Holder {
    /// The first who opens the link with this number.
    Link(u64),
    /// The tab that took the seat.
    Tab(TabId),
}

#[derive(Serialize, Deserialize)]
struct Signed {
    ticket: Ticket,
    /// On the wall clock.
    until: Timestamp,
}

/// Makes tickets and reads them.
pub struct Tickets(Secret);

impl Tickets {
    /// Tickets under this key.
    #[must_use]
    pub fn new(key: Secret) -> Self {
        Self(key)
    }

    /// Writes a ticket that can be used until then, by the wall clock.
    #[must_use]
    pub fn write(&self, ticket: Ticket, until: Timestamp) -> String {
        let json = serde_json::to_vec(&Signed { ticket, until }).unwrap_or_default();
        let text = URL_SAFE_NO_PAD.encode(json);
        let seal = URL_SAFE_NO_PAD.encode(self.mac(&text).finalize().into_bytes());
        format!("{text}.{seal}")
    }

    /// Reads a ticket, and until when it can be used.
    ///
    /// # Errors
    /// `authorization`: it is not one of ours, or its time is over.
    pub fn read(&self, text: &str, wall: Timestamp) -> Result<(Ticket, Timestamp), Problem> {
        let (ticket, until) = self.read_late(text)?;
        if wall >= until {
            return Err(Problem::new(ErrorCode::Authorization, "the ticket's time is over"));
        }
        Ok((ticket, until))
    }

    /// Reads a ticket whose time may be over, and until when it could be used. It opens nothing.
    ///
    /// # Errors
    /// `authorization`: it is not one of ours.
    pub fn read_late(&self, text: &str) -> Result<(Ticket, Timestamp), Problem> {
        let bad = || Problem::new(ErrorCode::Authorization, "the ticket is not valid");
        let (body, seal) = text.split_once('.').ok_or_else(bad)?;
        let seal = URL_SAFE_NO_PAD.decode(seal).map_err(|_| bad())?;
        // Compares in constant time.
        self.mac(body).verify_slice(&seal).map_err(|_| bad())?;
        let json = URL_SAFE_NO_PAD.decode(body).map_err(|_| bad())?;
        let Signed { ticket, until } = serde_json::from_slice(&json).map_err(|_| bad())?;
        Ok((ticket, until))
    }

    /// Names the assets of a session to those who may see them, as long as it runs. On every node, so that any can show
    /// them; only who was told knows it.
    #[must_use]
    pub fn assets(&self, SessionKey { group, session }: &SessionKey) -> String {
        self.sealed(ASSETS, &format!("{group}/{session}"))
    }

    /// The session whose assets have this name.
    #[must_use]
    pub fn session_of(&self, assets: &str) -> Option<SessionKey> {
        session(&self.unsealed(ASSETS, assets)?)
    }

    /// Names one of a session's members to himself: only who was told knows it, and every node knows whom it means.
    #[must_use]
    pub fn member(&self, SessionKey { group, session }: &SessionKey, user: UserId) -> String {
        self.sealed(MEMBER, &format!("{group}/{session}/{}", user.0))
    }

    /// Who has this name, as long as he is a member.
    #[must_use]
    pub fn member_of(&self, name: &str) -> Option<(SessionKey, UserId)> {
        let named = self.unsealed(MEMBER, name)?;
        let (of, user) = named.rsplit_once('/')?;
        Some((session(of)?, UserId(user.parse().ok()?)))
    }

    fn sealed(&self, what: &[u8], text: &str) -> String {
        let text = URL_SAFE_NO_PAD.encode(text);
        let seal = self.mac_of(what, &text).finalize().into_bytes();
        format!("{text}.{}", URL_SAFE_NO_PAD.encode(seal))
    }

    fn unsealed(&self, what: &[u8], sealed: &str) -> Option<String> {
        let (text, seal) = sealed.split_once('.')?;
        let seal = URL_SAFE_NO_PAD.decode(seal).ok()?;
        // Compares in constant time.
        self.mac_of(what, text).verify_slice(&seal).ok()?;
        String::from_utf8(URL_SAFE_NO_PAD.decode(text).ok()?).ok()
    }

    fn mac(&self, text: &str) -> Hmac<Sha256> {
        self.mac_of(TICKET, text)
    }

    fn mac_of(&self, what: &[u8], text: &str) -> Hmac<Sha256> {
        let mac = Hmac::<Sha256>::new_from_slice(self.0.expose_bytes());
        // HMAC takes keys of any length (RFC 2104, section 2).
        let mut mac = mac.unwrap_or_else(|_| unreachable!("a key of any length"));
        mac.update(what);
        mac.update(text.as_bytes());
        mac
    }
}

fn session(text: &str) -> Option<SessionKey> {
    let (group, session) = text.rsplit_once('/')?;
    Some(SessionKey { group: group.parse().ok()?, session: session.parse().ok()? })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::ids::SessionId;

    const NOW: Timestamp = Timestamp(1_700_000_000_000);

    fn ticket() -> Ticket {
        let session = SessionId::from_u128(7);
        let session = SessionKey { group: "12345".parse().unwrap(), session };
        Ticket::Page { session, epoch: 3 }
    }

    #[test]
    fn a_ticket_is_good_until_its_time() {
        let tickets = Tickets::new(Secret::generate());
        let text = tickets.write(ticket(), NOW + 1_000);
        assert_eq!(tickets.read(&text, NOW + 999), Ok((ticket(), NOW + 1_000)));
        assert_eq!(tickets.read_late(&text), Ok((ticket(), NOW + 1_000)));
        assert_eq!(tickets.read(&text, NOW + 1_000).unwrap_err().code, ErrorCode::Authorization);
    }

    #[test]
    fn a_name_of_assets_leads_to_its_session_and_is_not_guessed() {
        let tickets = Tickets::new(Secret::generate());
        let Ticket::Page { session, .. } = ticket() else { unreachable!() };
        let name = tickets.assets(&session);
        assert_eq!(tickets.session_of(&name), Some(session.clone()));
        assert_eq!(Tickets::new(Secret::generate()).session_of(&name), None, "another key");
        assert!(tickets.read(&name, NOW).is_err(), "it is no ticket");
        let text = tickets.write(ticket(), NOW + 1_000);
        let other = SessionKey { session: SessionId::from_u128(8), ..session };
        let (_, seal) = name.split_once('.').unwrap();
        let forged =
            format!("{}.{seal}", URL_SAFE_NO_PAD.encode(format!("12345/{}", other.session)));
        for bad in ["", ".", &*text, &*forged, name.get(1..).unwrap()] {
            assert_eq!(tickets.session_of(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_members_name_is_his_alone() {
        let tickets = Tickets::new(Secret::generate());
        let Ticket::Page { session, .. } = ticket() else { unreachable!() };
        let name = tickets.member(&session, UserId(3));
        assert_eq!(tickets.member_of(&name), Some((session.clone(), UserId(3))));
        assert_ne!(name, tickets.member(&session, UserId(4)));
        assert_eq!(Tickets::new(Secret::generate()).member_of(&name), None, "another key");
        assert_eq!(tickets.session_of(&name), None, "it shows no assets");
        let (_, seal) = name.split_once('.').unwrap();
        let other = URL_SAFE_NO_PAD.encode(format!("12345/{}/4", session.session));
        let assets = tickets.assets(&session);
        for bad in ["", ".", seal, &*assets, &*format!("{other}.{seal}")] {
            assert_eq!(tickets.member_of(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_forged_ticket_is_refused() {
        let tickets = Tickets::new(Secret::generate());
        let text = tickets.write(ticket(), NOW + 1_000);
        let (body, seal) = text.split_once('.').unwrap();
        let json = String::from_utf8(URL_SAFE_NO_PAD.decode(body).unwrap()).unwrap();
        let other = URL_SAFE_NO_PAD.encode(json.replace("\"epoch\":3", "\"epoch\":4"));
        let stranger = Tickets::new(Secret::generate()).write(ticket(), NOW + 1_000);
        let shorter = seal.get(..20).unwrap();
        for bad in [
            "",
            ".",
            "a.b",
            body,
            &format!("{other}.{seal}"),
            &format!("{body}.{shorter}"),
            &stranger,
        ] {
            assert_eq!(tickets.read(bad, NOW).unwrap_err().code, ErrorCode::Authorization, "{bad}");
        }
    }
}
