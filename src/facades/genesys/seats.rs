//! Who came into sessions by this interface: one seat for each join, known by a token that only its holder has.

use std::sync::{
    Arc,
    atomic::{AtomicU32, AtomicU64, Ordering},
};

use dashmap::DashMap;
use parking_lot::Mutex;

use super::types::{Activated, Deactivated, User};
use crate::{
    bayeux::{channel::Channel, client::ClientId, server::Bayeux},
    model::{
        cobrowse::{Role, SessionEventKind, SessionTold, UserId},
        ids::SessionKey,
        json::Json,
    },
    sockets::{service::SocketService, table::Ear},
};

/// Most seats of one client.
const MOST: usize = 16;

/// One who takes part.
pub(super) struct Seat {
    pub(super) session: SessionKey,
    pub(super) role: Role,
    client: ClientId,
    user: AtomicU32,
    /// When the session became active, in Unix milliseconds; 0 before.
    activated: AtomicU64,
    ear: Mutex<Option<Ear>>,
}

impl Seat {
    pub(super) fn user(&self) -> UserId {
        UserId(self.user.load(Ordering::Relaxed))
    }

    pub(super) fn came(&self, user: UserId, activated: Option<u64>) {
        self.user.store(user.0, Ordering::Relaxed);
        if let Some(activated) = activated {
            self.activated.store(activated, Ordering::Relaxed);
        }
    }

    fn activation(&self) -> Option<u64> {
        Some(self.activated.load(Ordering::Relaxed)).filter(|activated| *activated > 0)
    }
}

/// The seats of this node. Bounded by the clients.
#[derive(Default)]
pub struct Seats {
    by_token: DashMap<Box<str>, Arc<Seat>>,
    by_client: DashMap<ClientId, Vec<Box<str>>>,
}

impl Seats {
    /// Whose token this is.
    pub(super) fn of(&self, token: &str) -> Option<Arc<Seat>> {
        self.by_token.get(token).map(|seat| Arc::clone(&seat))
    }

    /// A seat for a client that is about to come in, its token, and what hears for it. `None`: it has too many.
    pub(super) fn take(
        self: &Arc<Self>,
        bayeux: &Bayeux,
        service: &SocketService,
        client: ClientId,
        (session, role): (SessionKey, Role),
    ) -> Option<(Box<str>, Arc<Seat>, crate::model::ids::SocketAddress)> {
        let token: Box<str> = format!("{:032x}", rand::random::<u128>()).into();
        {
            let mut tokens = self.by_client.entry(client).or_default();
            if tokens.len() >= MOST {
                return None;
            }
            tokens.push(token.clone());
        }
        let seat = Arc::new(Seat {
            session,
            role,
            client,
            user: AtomicU32::new(0),
            activated: AtomicU64::new(0),
            ear: Mutex::new(None),
        });
        self.by_token.insert(token.clone(), Arc::clone(&seat));
        let (seats, bayeux) = (Arc::downgrade(self), bayeux.clone());
        let (named, listener) = (token.clone(), Arc::downgrade(&seat));
        let ear = service.sockets.listen(Arc::new(move |told| {
            let (Some(seats), Some(seat)) = (seats.upgrade(), listener.upgrade()) else { return };
            if hear(&bayeux, &seat, told) {
                seats.forget(&named);
            }
        }));
        let address = service.presence.address(ear.id);
        *seat.ear.lock() = Some(ear);
        Some((token, seat, address))
    }

    /// He takes part no more.
    pub(super) fn forget(&self, token: &str) {
        let Some((_, seat)) = self.by_token.remove(token) else { return };
        if let Some(mut tokens) = self.by_client.get_mut(&seat.client) {
            tokens.retain(|one| &**one != token);
        }
        self.by_client.remove_if(&seat.client, |_, tokens| tokens.is_empty());
        let ear = seat.ear.lock().take();
        drop(ear);
    }

    /// The seats of a client that is gone; they are its no more.
    pub(super) fn leave_all(&self, client: ClientId) -> Vec<Arc<Seat>> {
        let tokens = self.by_client.remove(&client).map(|(_, tokens)| tokens).unwrap_or_default();
        let seats: Vec<_> = tokens.iter().filter_map(|token| self.of(token)).collect();
        tokens.iter().for_each(|token| self.forget(token));
        seats
    }
}

/// Tells a client what happened. Whether its seat is over.
fn hear(bayeux: &Bayeux, seat: &Seat, told: &SessionTold) -> bool {
    let tell = |name: &str, data: Json| say(bayeux, seat.client, name, &data);
    match &told.event {
        SessionEventKind::Joined { member } => {
            tell("/service/session/joined", Json::of(&User::from(member)));
            false
        }
        SessionEventKind::Activated => {
            seat.activated.store(told.time.0, Ordering::Relaxed);
            let activated = Activated { activation_time: told.time.0 };
            tell("/service/session/activated", Json::of(&activated));
            false
        }
        SessionEventKind::Ended { .. } => {
            let (activation_time, deactivation_time) = (seat.activation(), told.time.0);
            let over = Deactivated { activation_time, deactivation_time };
            tell("/service/session/deactivated", Json::of(&over));
            true
        }
        SessionEventKind::Left { user, .. } => *user == seat.user(),
        _ => false,
    }
}

/// Likewise; `then` is called when it has its place among the client's messages.
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
pub(super) fn say(bayeux: &Bayeux, client: ClientId, channel: &str, data: &Json) {
    // Our own names are channels.
    if let Ok(channel) = channel.parse::<Channel>() {
        bayeux.deliver(client, &channel, data);
    }
}
