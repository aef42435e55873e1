//! Who came into sessions by this interface: a seat for each join, at the home of the client that came. What is known of a
//! seat stays with the client, for the home that it may have later ([`super::adopt`]).

use std::sync::{
    Arc,
    atomic::{AtomicU32, AtomicU64, Ordering},
};

use dashmap::DashMap;
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};

use super::types::{Activated, Deactivated, User};
use crate::{
    bayeux::{
        channel::Channel,
        client::{ClientId, MOST_KEPT},
        fault::Fault,
        server::Bayeux,
    },
    clock::Timestamp,
    cobrowse::session::command::{Enter, Join, Seated, Way},
    model::{
        cobrowse::{MemberView, Permissions, Role, SessionEventKind, SessionTold, UserId},
        ids::{SessionKey, SocketAddress, TabId},
        json::Json,
    },
    sockets::{service::SocketService, table::Ear},
};

/// Most seats of one client.
const MOST: usize = MOST_KEPT;

/// Who comes, into what, and as what.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Arrival {
    pub(super) session: SessionKey,
    pub(super) role: Role,
    pub(super) client: ClientId,
    /// The subject of his token, or a name that nobody else has.
    pub(super) subject: Box<str>,
    pub(super) name: Box<str>,
    pub(super) permissions: Permissions,
}

/// One who takes part.
pub(super) struct Seat {
    /// What it is called among its client's.
    pub(super) name: Box<str>,
    pub(super) arrival: Arrival,
    place: Mutex<Place>,
    /// When the session became active, in Unix milliseconds; 0 before.
    activated: AtomicU64,
    /// The number of the last one of whose coming the client was told: who comes later has a greater one.
    told: AtomicU32,
    ear: Mutex<Option<Ear>>,
}

/// A seat as it stays with its client.
#[derive(Serialize, Deserialize)]
pub(super) struct Kept {
    pub(super) arrival: Arrival,
    /// When the session became active, in Unix milliseconds, if the client was told so.
    pub(super) activated: Option<u64>,
    /// The number of the last one of whose coming it was told.
    #[serde(default)]
    pub(super) told: u32,
}

/// How far somebody is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// On his way in.
    Coming,
    /// In the session, with this number.
    Here(UserId),
    /// His client ended.
    Gone,
}

impl Arrival {
    /// Who comes back from the same client is the same.
    fn tab(&self) -> Option<TabId> {
        self.client.to_string().parse().ok()
    }

    /// As an agent or controller; `None` for a customer.
    pub(super) fn join(&self, socket: SocketAddress) -> Option<Join> {
        let role = match self.role {
            Role::Customer => return None,
            Role::Agent => Seated::Agent,
            Role::Controller => Seated::Controller,
        };
        let Self { subject, name, permissions, .. } = self.clone();
        Some(Join { socket, role, tab: self.tab()?, subject, name, permissions, link: None })
    }

    /// As a customer.
    pub(super) fn enter(&self, socket: SocketAddress, way: Way) -> Option<Enter> {
        let (url, title) = ("".into(), "".into());
        Some(Enter { socket, tab: self.tab()?, url, title, visible: true, agreed: false, way })
    }
}

impl Seat {
    /// His number, once he is in.
    pub(super) fn user(&self) -> Option<UserId> {
        match *self.place.lock() {
            Place::Here(user) => Some(user),
            Place::Coming | Place::Gone => None,
        }
    }

    /// He is in; `false` where his client ended meanwhile, so that he has to be taken out again.
    #[must_use]
    pub(super) fn came(&self, user: UserId, activated: Option<u64>) -> bool {
        if let Some(activated) = activated {
            self.activated.store(activated, Ordering::Relaxed);
        }
        // Of those who were there before him he is told at once.
        self.told.fetch_max(user.0, Ordering::Relaxed);
        let mut place = self.place.lock();
        if *place != Place::Gone {
            *place = Place::Here(user);
        }
        *place != Place::Gone
    }

    /// His client ended; gives his number, if he is in.
    fn goes(&self) -> Option<UserId> {
        match std::mem::replace(&mut *self.place.lock(), Place::Gone) {
            Place::Here(user) => Some(user),
            Place::Coming | Place::Gone => None,
        }
    }

    pub(super) fn activation(&self) -> Option<u64> {
        Some(self.activated.load(Ordering::Relaxed)).filter(|activated| *activated > 0)
    }

    /// Has the client keep what another home would need to know.
    pub(super) fn keep(&self, bayeux: &Bayeux) {
        let told = self.told.load(Ordering::Relaxed);
        let kept = Kept { arrival: self.arrival.clone(), activated: self.activation(), told };
        match serde_json::to_string(&kept) {
            Ok(kept) => bayeux.keep(self.arrival.client, &self.name, Some(kept.into())),
            Err(error) => tracing::error!(%error, "a seat cannot be kept"),
        }
    }

    /// Somebody came: tells the client.
    pub(super) fn tell_joined(&self, bayeux: &Bayeux, member: &MemberView) {
        self.told.fetch_max(member.user.0, Ordering::Relaxed);
        let joined = Json::of(&User::from(member));
        say(bayeux, self.arrival.client, "/service/session/joined", &joined);
        self.keep(bayeux);
    }

    /// The session is active: tells the client.
    pub(super) fn tell_activated(&self, bayeux: &Bayeux, time: Timestamp) {
        self.activated.store(time.0, Ordering::Relaxed);
        let activated = Json::of(&Activated { activation_time: time.0 });
        say(bayeux, self.arrival.client, "/service/session/activated", &activated);
        self.keep(bayeux);
    }
}

/// The seats of the clients that are at home here. Bounded by the clients.
#[derive(Default)]
pub struct Seats {
    by_client: DashMap<ClientId, Vec<Arc<Seat>>>,
}

impl Seats {
    /// A seat for a client that is about to come in, and what hears for it.
    ///
    /// # Errors
    /// The client has too many, or has ended.
    pub(super) fn take(
        self: &Arc<Self>,
        bayeux: &Bayeux,
        service: &SocketService,
        arrival: Arrival,
    ) -> Result<(Arc<Seat>, SocketAddress), Fault> {
        let name = format!("{:016x}", rand::random::<u64>()).into();
        self.put(bayeux, service, name, arrival)
    }

    /// Likewise, one that has its name already.
    pub(super) fn put(
        self: &Arc<Self>,
        bayeux: &Bayeux,
        service: &SocketService,
        name: Box<str>,
        arrival: Arrival,
    ) -> Result<(Arc<Seat>, SocketAddress), Fault> {
        let client = arrival.client;
        let seat = Arc::new(Seat {
            name,
            arrival,
            place: Mutex::new(Place::Coming),
            activated: AtomicU64::new(0),
            told: AtomicU32::new(0),
            ear: Mutex::new(None),
        });
        {
            let mut seats = self.by_client.entry(client).or_default();
            if seats.len() >= MOST {
                let text = "too_many_sessions";
                return Err(Fault::Application { code: 403, argument: Box::default(), text });
            }
            seats.push(Arc::clone(&seat));
        }
        // A client is known no more before its seats are taken away: one of the two finds this one.
        if !bayeux.knows(client) {
            self.forget(&seat);
            return Err(Fault::Unknown);
        }
        let (seats, bayeux) = (Arc::downgrade(self), bayeux.clone());
        let listener = Arc::downgrade(&seat);
        let ear = service.sockets.listen(Arc::new(move |told| {
            let (Some(seats), Some(seat)) = (seats.upgrade(), listener.upgrade()) else { return };
            if hear(&bayeux, &seat, told) {
                seats.leave(&bayeux, &seat);
            }
        }));
        let address = service.presence.address(ear.id);
        *seat.ear.lock() = Some(ear);
        Ok((seat, address))
    }

    /// He takes part no more.
    pub(super) fn leave(&self, bayeux: &Bayeux, seat: &Seat) {
        self.forget(seat);
        bayeux.keep(seat.arrival.client, &seat.name, None);
    }

    fn forget(&self, seat: &Seat) {
        let client = seat.arrival.client;
        if let Some(mut seats) = self.by_client.get_mut(&client) {
            seats.retain(|one| one.name != seat.name);
        }
        self.by_client.remove_if(&client, |_, seats| seats.is_empty());
        let ear = seat.ear.lock().take();
        drop(ear);
    }

    /// A client is gone: the sessions in which it had seats, and its numbers there.
    pub(super) fn leave_all(&self, client: ClientId) -> Vec<(SessionKey, UserId)> {
        let seats = self.by_client.remove(&client).map(|(_, seats)| seats).unwrap_or_default();
        let left = seats.iter().filter_map(|seat| {
            let user = seat.goes();
            self.forget(seat);
            Some((seat.arrival.session.clone(), user?))
        });
        left.collect()
    }
}

/// Tells a client what happened. Whether its seat is over.
fn hear(bayeux: &Bayeux, seat: &Seat, told: &SessionTold) -> bool {
    match &told.event {
        SessionEventKind::Joined { member } => {
            seat.tell_joined(bayeux, member);
            false
        }
        SessionEventKind::Activated => {
            seat.tell_activated(bayeux, told.time);
            false
        }
        SessionEventKind::Ended { .. } => {
            tell_end(bayeux, seat.arrival.client, seat.activation(), told.time.0);
            true
        }
        SessionEventKind::Left { user, .. } => Some(*user) == seat.user(),
        _ => false,
    }
}

/// Tells a client that a session of its is over.
pub(super) fn tell_end(bayeux: &Bayeux, client: ClientId, activation: Option<u64>, end: u64) {
    let over = Deactivated { activation_time: activation, deactivation_time: end };
    say(bayeux, client, "/service/session/deactivated", &Json::of(&over));
}

/// A message on a channel of this interface; `then` is called when it has its place among the client's messages.
pub(super) fn say_first(
    bayeux: &Bayeux,
    client: ClientId,
    channel: &str,
    data: &Json,
    then: impl FnOnce() + Send + 'static,
) {
    if let Ok(channel) = channel.parse::<Channel>() {
        bayeux.deliver_first(client, &channel, data, then);
    }
}

/// A message on a channel of this interface.
fn say(bayeux: &Bayeux, client: ClientId, channel: &str, data: &Json) {
    // Our own names are channels.
    if let Ok(channel) = channel.parse::<Channel>() {
        bayeux.deliver(client, &channel, data);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::ids::SessionId;

    fn seat() -> Seat {
        let session = SessionId::from_u128(1);
        let arrival = Arrival {
            session: SessionKey { group: "12345".parse().unwrap(), session },
            role: Role::Agent,
            client: ClientId::from_u128(2),
            subject: "ann".into(),
            name: "Ann".into(),
            permissions: Permissions::ALL,
        };
        let (name, place) = ("0".into(), Mutex::new(Place::Coming));
        let (activated, told) = (AtomicU64::new(0), AtomicU32::new(0));
        Seat { name, arrival, place, activated, told, ear: Mutex::new(None) }
    }

    #[test]
    fn whose_client_ends_on_his_way_in_is_to_be_taken_out_again() {
        let seat = seat();
        assert_eq!(seat.goes(), None, "he is not in yet");
        assert!(!seat.came(UserId(3), Some(5)));
        assert_eq!(seat.user(), None);
    }

    #[test]
    fn whose_client_ends_later_leaves_by_his_number_and_once() {
        let seat = seat();
        assert!(seat.came(UserId(3), Some(5)));
        assert_eq!((seat.user(), seat.activation()), (Some(UserId(3)), Some(5)));
        assert_eq!((seat.goes(), seat.goes()), (Some(UserId(3)), None));
    }
}
