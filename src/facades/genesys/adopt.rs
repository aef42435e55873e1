//! Takes up the seats of clients that are at home here from now on, because the home that they had is lost or the process that
//! saved them has ended: they take part as before.

use std::sync::Arc;

use super::seats::{Kept, Seats, tell_end};
use crate::{
    bayeux::{client::ClientId, server::Bayeux},
    clock::Timestamp,
    cobrowse::{
        handle::Standing,
        session::command::{Command, Way},
    },
    model::{cobrowse::UserId, error::Problem},
    sockets::service::SocketService,
};

impl Seats {
    /// A client is at home here, and this was kept with it under that name.
    pub(super) fn take_again(
        self: &Arc<Self>,
        bayeux: &Bayeux,
        service: &SocketService,
        client: ClientId,
        (name, kept): (&str, &str),
    ) {
        let Kept { arrival, activated } = match serde_json::from_str(kept) {
            Ok(kept) => kept,
            Err(error) => {
                tracing::error!(?client, %error, "a seat that was kept cannot be read");
                return bayeux.keep(client, name, None);
            }
        };
        let key = arrival.session.clone();
        let Ok((seat, socket)) = self.put(bayeux, service, name.into(), arrival) else { return };
        let again = (seat.arrival.join(socket), seat.arrival.enter(socket, Way::ApartAgain));
        let (seats, bayeux, cobrowse) =
            (Arc::clone(self), bayeux.clone(), service.cobrowse.clone());
        let session = key.clone();
        let back = move |came: Result<(UserId, Option<Timestamp>), Problem>| match came {
            Ok((user, now)) if seat.came(user, activated) => {
                // It became that while nobody heard for him.
                if let (None, Some(time)) = (activated, now) {
                    seat.tell_activated(&bayeux, time);
                }
            }
            // His client ended meanwhile.
            Ok((user, _)) => cobrowse.command(session, Command::Leave { user }, |_| ()),
            Err(_) => {
                seats.leave(&bayeux, &seat);
                // His session did.
                cobrowse.look_up(session, move |standing| {
                    if let Ok(Some(Standing::Over(over))) = standing {
                        let activated = over.activated.map(|time| time.0);
                        tell_end(&bayeux, seat.arrival.client, activated, over.ended.0);
                    }
                });
            }
        };
        match again {
            (Some(join), _) => service.cobrowse.join_apart(key, join, |joined| {
                back(joined.map(|(user, view)| (user, view.activated)));
            }),
            (None, Some(enter)) => service.cobrowse.enter_apart(key, enter, |entered| {
                back(entered.map(|entrance| (entrance.user, entrance.activated)));
            }),
            (None, None) => back(Err(Problem::field("client", "is no tab"))),
        }
    }
}
