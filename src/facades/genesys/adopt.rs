//! Takes up the seats of clients that are at home here from now on, because the home that they had is lost or the process that
//! saved them has ended: they take part as before.

use std::sync::Arc;

use super::seats::{Kept, Seats, tell_end};
use crate::{
    bayeux::{client::ClientId, server::Bayeux},
    clock::Timestamp,
    cobrowse::{
        handle::Standing,
        session::{
            SessionView,
            command::{Command, Entrance, Way},
        },
    },
    model::{
        cobrowse::{MemberView, UserId},
        error::Problem,
    },
    sockets::service::SocketService,
};

/// He takes part again.
struct Back {
    user: UserId,
    activated: Option<Timestamp>,
    /// Who is there.
    members: Vec<MemberView>,
}

impl Seats {
    /// A client is at home here, and this was kept with it under that name.
    pub(super) fn take_again(
        self: &Arc<Self>,
        bayeux: &Bayeux,
        service: &SocketService,
        client: ClientId,
        (name, kept): (&str, &str),
    ) {
        let Kept { arrival, activated, told } = match serde_json::from_str(kept) {
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
        let back = move |came: Result<Back, Problem>| match came {
            Ok(Back { user, activated: now, members }) if seat.came(user, activated) => {
                // They came, and it became active, while nobody heard for him.
                let is_new = |member: &&MemberView| member.user.0 > told && member.user != user;
                for member in members.iter().filter(is_new) {
                    seat.tell_joined(&bayeux, member);
                }
                if let (None, Some(time)) = (activated, now) {
                    seat.tell_activated(&bayeux, time);
                }
            }
            // His client ended meanwhile.
            Ok(Back { user, .. }) => cobrowse.command(session, Command::Leave { user }, |_| ()),
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
                back(joined.map(|(user, view)| {
                    let SessionView { activated, members, .. } = view;
                    Back { user, activated, members }
                }));
            }),
            (None, Some(enter)) => service.cobrowse.enter_apart(key, enter, |entered| {
                back(entered.map(|entrance| {
                    let Entrance { user, activated, others: members, .. } = entrance;
                    Back { user, activated, members }
                }));
            }),
            (None, None) => back(Err(Problem::field("client", "is no tab"))),
        }
    }
}
