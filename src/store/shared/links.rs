//! What this node has to do with all parts of the data: a link to each, by a connection of its own.
//!
//! So each part is to the engines what one server was: what is asked and told of it comes in order, its mark is its own, and
//! when it is lost, or moves to another server, the others go on. A connection for each master would be fewer connections,
//! and would tie the parts together that happen to be on it.

use std::{rc::Rc, sync::Arc, time::Duration};

use serde::Serialize;
use tokio::sync::watch;

use super::{
    cluster::Finder,
    figures::Traffic,
    lease::Standing,
    link::{Link, member},
    membership::Membership,
    parts::{self, Part},
    url::ServerUrl,
    way::Way,
};
use crate::{auth::Secret, clock::Clock, model::ids::NodeId, store::Record};

/// The links of a node.
pub(super) struct Links {
    first: Rc<Link>,
    others: Vec<Rc<Link>>,
}

impl Links {
    pub(super) fn new(
        server: &ServerUrl,
        node: NodeId,
        lease: Duration,
        clock: Clock,
        standing: watch::Sender<Standing>,
        traffic: &Arc<Traffic>,
    ) -> Self {
        let parts = server.parts();
        let membership = Rc::new(Membership::new(node, parts.len(), lease, clock, standing));
        let finder = server.seeds().map(|seeds| Rc::new(Finder::new(seeds)));
        let link = |part: Part| {
            let way = Way::new(server, part, finder.clone(), Arc::clone(traffic));
            Rc::new(Link::new(server, part, &membership, way))
        };
        let first = link(parts.first().copied().unwrap_or(Part::WHOLE));
        Self {
            first,
            others: parts.into_iter().filter(|part| !part.is_first()).map(link).collect(),
        }
    }

    pub(super) fn node(&self) -> NodeId {
        self.first.node()
    }

    /// How many parts there are.
    pub(super) fn len(&self) -> usize {
        self.others.len() + 1
    }

    pub(super) fn all(&self) -> impl Iterator<Item = &Rc<Link>> {
        std::iter::once(&self.first).chain(&self.others)
    }

    /// The one to the part of what this is of.
    pub(super) fn of(&self, kind: &str, of: &impl Serialize) -> &Rc<Link> {
        let number = part_of(kind, of, self.len());
        self.all().nth(number).unwrap_or(&self.first)
    }

    /// Keeps all connections, and this node's lease, until it is ended.
    pub(super) fn stay_a_member(&self) {
        for link in self.all() {
            let link = Rc::clone(link);
            tokio::task::spawn_local(async move { link.stay_a_member().await });
        }
    }

    /// A secret that all nodes have in common.
    pub(super) async fn secret(&self, name: &str) -> Secret {
        self.first.secret(name).await
    }

    /// Says that this node ends.
    pub(super) async fn leave(&self) {
        self.first.leave().await;
    }

    /// The records of these keys, in their order, as far as there are any.
    pub(super) async fn rows<R: Record>(&self, keys: Vec<R::Key>) -> Vec<(R::Key, R)> {
        let mut of_part: Vec<Vec<(usize, R::Key)>> = vec![Vec::new(); self.len()];
        for (place, key) in keys.into_iter().enumerate() {
            if let Some(keys) = of_part.get_mut(part_of(R::KIND, &key, self.len())) {
                keys.push((place, key));
            }
        }
        let asked = self.all().zip(of_part).filter(|(_, keys)| !keys.is_empty());
        let asked = asked.map(|(link, keys)| {
            let link = Rc::clone(link);
            tokio::task::spawn_local(async move { link.rows::<R>(keys).await })
        });
        let mut found = Vec::new();
        // All ask before the first is waited for.
        for asked in asked.collect::<Vec<_>>() {
            found.extend(asked.await.unwrap_or_default());
        }
        found.sort_unstable_by_key(|(place, ..)| *place);
        found.into_iter().map(|(_, key, record)| (key, record)).collect()
    }
}

/// The number of the part, of so many, that what this is of is in.
pub(super) fn part_of(kind: &str, of: &impl Serialize, parts: usize) -> usize {
    if parts <= 1 {
        return 0;
    }
    // What cannot be written is refused wherever it is asked for.
    member(of).map_or(0, |member| parts::part_of(kind, &member, parts))
}
