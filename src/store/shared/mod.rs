//! The engine of several nodes, which keep their records on one server that they share.
//!
//! Any node works on any record. [`core`] is what a node does, pure; [`question`] what it asks of the server, [`records`] how
//! that is said to Redis or what speaks its protocol, over a [`link`]; [`way`] is how it gets there, by one [`connection`]
//! after another to where [`url`] says, which it tells of the [`wishes`] for channels; [`message`] is what nodes hear of each other, with their [`ears`], and [`lease`] says
//! which of them are there, which [`member`] sees to, with what is known of all in [`membership`]; [`restated`] waits for them
//! after a loss. [`post`] carries what no record says. [`worker`] brings them together, on one thread, for an [`engine`], and
//! has [`sweep`] look for what nobody else does.
//!
//! In a cluster the data are in several [`parts`], and all of this is there for each of them, but for the lease; [`links`]
//! lead to them, by what [`cluster`] knows of the [`layout`].
//!
//! A transition is one script on one key: is the version still the expected one, then put the new row in its place and
//! publish what follows. So it is made once, and whoever is told of it is told in the order of versions.

mod cluster;
mod connection;
mod core;
mod ears;
mod engine;
mod fields;
mod figures;
mod gap;
mod layout;
mod lease;
mod link;
mod links;
mod listing;
mod member;
mod membership;
mod message;
mod parts;
pub mod post;
mod question;
mod records;
mod restated;
#[cfg(test)]
pub(crate) mod simulation;
mod sweep;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
mod url;
mod way;
mod wishes;
mod worker;

use std::{rc::Rc, sync::Arc, time::Duration};

use tokio::sync::{mpsc, oneshot, watch};

pub use self::{
    engine::{SharedEngine, WeakSharedEngine},
    figures::NodeFigures,
    lease::Standing,
    url::{InvalidServerUrl, ServerUrl},
};
use self::{figures::Traffic, links::Links};
use crate::{auth::Secret, clock::Clock, model::ids::NodeId};

/// How long after a node applied a command the server may still make what comes of it, by the clock of any node, in
/// milliseconds: as long as a node waits for an answer, and what their clocks differ.
pub const LATE_MS: u64 = 2_500;

/// This process as one of several nodes: its connection to the server, and the thread that all its engines work on.
#[derive(Clone)]
pub struct SharedNode(Arc<NodeInner>);

struct NodeInner {
    id: NodeId,
    clock: Clock,
    /// How many parts the data are in.
    parts: usize,
    spawn: mpsc::UnboundedSender<Spawn>,
    standing: watch::Receiver<Standing>,
    traffic: Arc<Traffic>,
}

/// Begins something on the thread of the engines.
type Spawn = Box<dyn FnOnce(Rc<Links>) + Send>;

impl SharedNode {
    /// Begins the thread, which connects, and connects again whenever the connection was lost. A node that does not renew
    /// its `lease` (10 s in design section 5) is ended by the others.
    ///
    /// # Errors
    /// There is no thread to be had.
    pub fn start(
        server: ServerUrl,
        id: NodeId,
        lease: Duration,
        clock: Clock,
    ) -> std::io::Result<Self> {
        let (tell_standing, standing) = watch::channel(Standing::Away);
        let (spawn, mut spawned) = mpsc::unbounded_channel::<Spawn>();
        let traffic = Arc::<Traffic>::default();
        let carried = Arc::clone(&traffic);
        let (time, parts) = (clock.clone(), server.parts().len());
        let run = move || {
            let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
                Ok(runtime) => runtime,
                Err(error) => return tracing::error!(%error, "the engines cannot run"),
            };
            let tasks = tokio::task::LocalSet::new();
            tasks.block_on(&runtime, async move {
                let links = Links::new(&server, id, lease, time, tell_standing, &carried);
                let links = Rc::new(links);
                links.stay_a_member();
                while let Some(begin) = spawned.recv().await {
                    begin(Rc::clone(&links));
                }
            });
        };
        std::thread::Builder::new().name("engines".to_owned()).spawn(run)?;
        Ok(Self(Arc::new(NodeInner { id, clock, parts, spawn, standing, traffic })))
    }

    /// Which of the nodes it is.
    #[must_use]
    pub fn id(&self) -> NodeId {
        self.0.id
    }

    /// How many parts the data are in.
    #[must_use]
    pub fn parts(&self) -> usize {
        self.0.parts
    }

    /// A secret that all nodes have in common, under this name. Waits for the server.
    pub async fn secret(&self, name: &'static str) -> Secret {
        self.on_the_thread(async move |links| links.secret(name).await)
            .await
            .unwrap_or_else(Secret::generate)
    }

    /// Says to the others that this node ends. Its engines do nothing more.
    pub async fn leave(&self) {
        self.on_the_thread(async |links| links.leave().await).await;
    }

    /// One whose thread has ended.
    #[cfg(test)]
    fn nowhere() -> Self {
        let (spawn, standing) = (mpsc::unbounded_channel().0, watch::channel(Standing::Ended).1);
        let id = NodeId { node: 0, incarnation: 0 };
        Self(Arc::new(NodeInner {
            id,
            clock: Clock::system(),
            parts: 1,
            spawn,
            standing,
            traffic: Arc::default(),
        }))
    }

    async fn on_the_thread<T: Send + 'static>(
        &self,
        act: impl AsyncFnOnce(Rc<Links>) -> T + Send + 'static,
    ) -> Option<T> {
        let (sender, receiver) = oneshot::channel();
        let begin = Box::new(|links: Rc<Links>| {
            tokio::task::spawn_local(async move {
                let _ = sender.send(act(links).await);
            });
        });
        self.0.spawn.send(begin).ok()?;
        receiver.await.ok()
    }

    /// How it stands with this node, now and whenever that changes. A node that was ended must begin anew, under a new
    /// incarnation.
    #[must_use]
    pub fn standing(&self) -> watch::Receiver<Standing> {
        self.0.standing.clone()
    }

    /// Whether other nodes had a lease when this one renewed its own last.
    #[must_use]
    pub fn has_others(&self) -> bool {
        self.figures().nodes > 1
    }

    /// What its connection carried since the start.
    #[must_use]
    pub fn figures(&self) -> NodeFigures {
        self.0.traffic.figures()
    }
}
