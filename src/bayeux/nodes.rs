//! Clients of several nodes. Any node takes the requests of any client; what stands behind them is on one node, the client's
//! *home* (`client::Client`): what it hears of topics, and what the application has of it. A node that is not the home has
//! the home carry messages out, and answers the client with what the home says.

use std::{
    net::IpAddr,
    sync::{
        Weak,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use dashmap::DashMap;
use serde::{Deserialize, Serialize};
use tokio::sync::oneshot;

use super::{
    answer::Text,
    application::Caller,
    client::{ClientId, command::Member},
    message::{Message, read},
    server::{Bayeux, Shared},
};
use crate::{
    model::ids::NodeId,
    store::shared::post::{Courier, Receive},
};

/// The kind of the letters, which no record has.
pub(super) const KIND: &str = "bayeux-letters";
/// How long a node waits for what another one says.
const PATIENCE: Duration = Duration::from_secs(10);

/// What one node says to another.
#[derive(Serialize, Deserialize)]
enum Letter {
    /// Carry this out.
    Ask { number: u64, client: ClientId, member: Box<Member>, address: IpAddr, message: Box<str> },
    /// It is carried out, and this is what the client is answered.
    Answer { number: u64, answers: Vec<Text> },
}

/// What this node has asked others. Bounded as the requests are that wait, and in time.
pub(super) struct Letters {
    courier: Courier,
    next: AtomicU64,
    waiting: DashMap<u64, oneshot::Sender<Vec<Text>>>,
}

impl Letters {
    pub(super) fn new(courier: Courier) -> Self {
        Self { courier, next: AtomicU64::new(0), waiting: DashMap::new() }
    }

    /// Has a client's home carry out a message; gives the answers, if it does so in time.
    pub(super) async fn ask(
        &self,
        home: NodeId,
        caller: &Caller,
        message: &Message,
    ) -> Option<Vec<Text>> {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let letter = Letter::Ask {
            number,
            client: caller.client,
            member: Box::new(caller.member.clone()),
            address: caller.address,
            message: message.text().into(),
        };
        let (sender, answers) = oneshot::channel();
        self.waiting.insert(number, sender);
        let answered = match self.send(home, &letter) {
            true => tokio::time::timeout(PATIENCE, answers).await.ok().and_then(Result::ok),
            false => None,
        };
        self.waiting.remove(&number);
        answered
    }

    fn send(&self, to: NodeId, letter: &Letter) -> bool {
        match serde_json::to_vec(letter) {
            Ok(letter) => self.courier.send(to, letter.into()),
            Err(error) => {
                tracing::error!(%error, "a letter cannot be written");
                false
            }
        }
    }
}

/// Takes letters of other nodes. Bayeux keeps whoever brings them: so this keeps nothing alive.
pub(super) struct Incoming(pub(super) Weak<Shared>);

impl Receive for Incoming {
    fn receive(&self, from: NodeId, letter: Bytes) {
        let Some(bayeux) = self.0.upgrade().map(Bayeux) else { return };
        match serde_json::from_slice(&letter) {
            Ok(Letter::Ask { number, client, member, address, message }) => {
                let caller = Caller { client, member: *member, address };
                tokio::spawn(async move {
                    let answers = match read(message.as_bytes()).as_deref() {
                        Ok([Ok(message)]) => bayeux.at_home(&caller, message).await,
                        _ => return tracing::error!(?from, "a letter holds no message"),
                    };
                    // Who asked waits no longer than his patience lasts.
                    let _ = bayeux.letters().send(from, &Letter::Answer { number, answers });
                });
            }
            Ok(Letter::Answer { number, answers }) => {
                if let Some((_, waiting)) = bayeux.letters().waiting.remove(&number) {
                    let _ = waiting.send(answers);
                }
            }
            Err(error) => tracing::error!(?from, %error, "a letter cannot be read"),
        }
    }

    /// Whoever waits for an answer does so for a time only.
    fn missed(&self) {}

    fn turn(&self) {}
}
