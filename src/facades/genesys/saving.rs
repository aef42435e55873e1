//! Carries seats over a restart: whose client is known again takes part as before, under the token that he has.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::seats::{Arrival, Seats, tell_end};
use crate::{
    bayeux::server::Bayeux,
    cobrowse::{handle::Standing, session::command::Way},
    model::{cobrowse::UserId, error::Problem},
    sockets::service::SocketService,
    store::saved::{Boot, SavedState, StorageError},
};

/// The kind of their rows.
const KIND: &str = "genesys_seat";

/// A seat as it is saved, under its token.
#[derive(Serialize, Deserialize)]
struct Saved {
    arrival: Arrival,
    /// When the session became active, in Unix milliseconds.
    activated: Option<u64>,
}

impl Seats {
    /// Saves all seats of those who are in, after their sessions; gives their number.
    ///
    /// # Errors
    /// The storage cannot be written.
    pub async fn save(&self, storage: &SavedState) -> Result<u64, StorageError> {
        let seats = self.by_token.iter().filter(|seat| seat.user().is_some());
        let rows = seats.filter_map(|seat| {
            let saved = Saved { arrival: seat.arrival.clone(), activated: seat.activation() };
            let row = serde_json::to_vec(&saved);
            let error = |error: &_| tracing::error!(%error, "a seat could not be saved");
            Some((seat.key().to_string(), row.inspect_err(error).ok()?))
        });
        storage.save_all(KIND, rows.collect::<Vec<_>>()).await
    }

    /// Takes over what the last process saved, if it ended well; gives the number of seats. After sessions and clients: who
    /// has no client any more is waited for in vain by his session, as whoever loses his connection.
    ///
    /// # Errors
    /// The storage cannot be read.
    pub async fn load(
        self: &Arc<Self>,
        bayeux: &Bayeux,
        service: &SocketService,
        storage: &SavedState,
        boot: Boot,
    ) -> Result<u64, StorageError> {
        let rows = storage.take_all(KIND).await?;
        if !boot.clean {
            return Ok(0);
        }
        let mut loaded = 0;
        for (token, row) in rows {
            let Ok(saved) = serde_json::from_slice::<Saved>(&row) else {
                tracing::error!("a saved seat could not be read");
                continue;
            };
            loaded += u64::from(self.take_again(bayeux, service, token.into(), saved));
        }
        Ok(loaded)
    }

    /// Whether the client is there who had the seat.
    fn take_again(
        self: &Arc<Self>,
        bayeux: &Bayeux,
        service: &SocketService,
        token: Box<str>,
        saved: Saved,
    ) -> bool {
        let Saved { arrival, activated } = saved;
        let key = arrival.session.clone();
        let Ok((token, seat, socket)) = self.put(bayeux, service, token, arrival) else {
            return false;
        };
        let again = (seat.arrival.join(socket), seat.arrival.enter(socket, Way::ApartAgain));
        let (seats, bayeux, cobrowse) =
            (Arc::clone(self), bayeux.clone(), service.cobrowse.clone());
        let session = key.clone();
        let back = move |came: Result<UserId, Problem>| match came {
            Ok(user) if seat.came(user, activated) => {}
            Ok(_) | Err(_) => {
                seats.forget(&token);
                // It ended meanwhile.
                cobrowse.look_up(session, move |standing| {
                    if let Ok(Some(Standing::Over(over))) = standing {
                        let activated = over.activated.map(|time| time.0);
                        tell_end(&bayeux, seat.arrival.client, activated, over.ended.0);
                    }
                });
            }
        };
        match again {
            (Some(join), _) => {
                service.cobrowse.join_apart(key, join, |joined| back(joined.map(|(user, _)| user)))
            }
            (None, Some(enter)) => service
                .cobrowse
                .enter_apart(key, enter, |entered| back(entered.map(|entrance| entrance.user))),
            (None, None) => back(Err(Problem::field("client", "is no tab"))),
        }
        true
    }
}
