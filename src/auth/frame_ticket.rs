//! Tickets of frames: what a page that the server gives out to stand in a customer's page shows when it opens a visitor's
//! socket, whose `Origin` is the server's own and says nothing of the page around it. The server gives the frame to that page's
//! origins only, and a ticket with it.
//!
//! Written as `until.base64url(HMAC-SHA-256)`; the group is known to both sides. The key never leaves the service.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

use super::Secret;
use crate::{clock::Timestamp, model::ids::GroupId};

/// How long a ticket opens a socket, in milliseconds: a frame asks for a fresh one before each connection.
pub const FRAME_TICKET_LIFE_MS: u64 = 60_000;

/// Makes tickets of frames and reads them.
pub struct FrameTickets(Secret);

impl FrameTickets {
    /// Tickets under this key.
    #[must_use]
    pub fn new(key: Secret) -> Self {
        Self(key)
    }

    /// A ticket for a frame of the group, from now on; `wall` is the wall clock.
    #[must_use]
    pub fn write(&self, group: &GroupId, wall: Timestamp) -> String {
        let until = wall + FRAME_TICKET_LIFE_MS;
        let seal = self.mac(group, until).finalize().into_bytes();
        format!("{}.{}", until.0, URL_SAFE_NO_PAD.encode(seal))
    }

    /// Whether the ticket is one of ours for this group, and its time is not over.
    #[must_use]
    pub fn opens(&self, text: &str, group: &GroupId, wall: Timestamp) -> bool {
        let Some((until, seal)) = text.split_once('.') else { return false };
        let (Ok(until), Ok(seal)) = (until.parse().map(Timestamp), URL_SAFE_NO_PAD.decode(seal))
        else {
            return false;
        };
        // Compares in constant time.
        wall < until && self.mac(group, until).verify_slice(&seal).is_ok()
    }

    fn mac(&self, group: &GroupId, until: Timestamp) -> Hmac<Sha256> {
        let mac = Hmac::<Sha256>::new_from_slice(self.0.expose_bytes());
        // HMAC takes keys of any length (RFC 2104, section 2).
        let mut mac = mac.unwrap_or_else(|_| unreachable!("a key of any length"));
        mac.update(format!("vestibule frame ticket {group} {}", until.0).as_bytes());
        mac
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp(1_700_000_000_000);

    #[test]
    fn a_frames_ticket_is_for_its_group_and_for_a_minute() {
        let tickets = FrameTickets::new(Secret::generate());
        let group: GroupId = "12345".parse().unwrap();
        let text = tickets.write(&group, NOW);
        assert!(tickets.opens(&text, &group, NOW + FRAME_TICKET_LIFE_MS - 1));
        assert!(!tickets.opens(&text, &group, NOW + FRAME_TICKET_LIFE_MS));
        assert!(!tickets.opens(&text, &"777".parse().unwrap(), NOW));
        assert!(!FrameTickets::new(Secret::generate()).opens(&text, &group, NOW));
        let (until, seal) = text.split_once('.').unwrap();
        let later = until.parse::<u64>().unwrap() + 1;
        let shorter = seal.get(..20).unwrap();
        for bad in ["", ".", until, seal, "a.b"].map(str::to_owned) {
            assert!(!tickets.opens(&bad, &group, NOW), "{bad}");
        }
        assert!(!tickets.opens(&format!("{later}.{seal}"), &group, NOW));
        assert!(!tickets.opens(&format!("{until}.{shorter}"), &group, NOW));
    }
}
