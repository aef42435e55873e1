//! Who hears which channel, by group. Follows the clients' records, one change after another.

use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
};

use dashmap::DashMap;
use parking_lot::RwLock;

use super::{channel::Channel, client::ClientId};
use crate::model::ids::GroupId;

type Listeners = HashMap<Channel, BTreeSet<ClientId>>;

/// Who hears which channel. Bounded by the clients and by what each may hear.
#[derive(Default)]
pub(super) struct Index(DashMap<GroupId, Arc<RwLock<Listeners>>>);

impl Index {
    fn group(&self, group: &GroupId) -> Arc<RwLock<Listeners>> {
        Arc::clone(&self.0.entry(group.clone()).or_default())
    }

    pub(super) fn add(&self, group: &GroupId, channel: Channel, client: ClientId) {
        self.group(group).write().entry(channel).or_default().insert(client);
    }

    pub(super) fn remove(&self, group: &GroupId, channel: &Channel, client: ClientId) {
        let group = self.group(group);
        let mut listeners = group.write();
        if let Some(clients) = listeners.get_mut(channel) {
            clients.remove(&client);
            if clients.is_empty() {
                listeners.remove(channel);
            }
        }
    }

    /// Everybody who hears `channel`, each once however many of his patterns choose it.
    pub(super) fn of(&self, group: &GroupId, channel: &Channel) -> BTreeSet<ClientId> {
        let group = self.group(group);
        let listeners = group.read();
        let heard = channel.choosers().filter_map(|chooser| listeners.get(chooser.as_str()));
        heard.flatten().copied().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_client_is_found_once_and_only_in_its_group() {
        let index = Index::default();
        let (ours, theirs): (GroupId, GroupId) = ("1".parse().unwrap(), "2".parse().unwrap());
        let channel = |name: &str| name.parse::<Channel>().unwrap();
        let (ada, bob) = (ClientId::from_u128(1), ClientId::from_u128(2));
        for name in ["/a/*", "/a/**", "/**", "/a/b"] {
            index.add(&ours, channel(name), ada);
        }
        index.add(&ours, channel("/a/*"), bob);
        index.add(&theirs, channel("/**"), bob);
        assert_eq!(Vec::from_iter(index.of(&ours, &channel("/a/b"))), [ada, bob]);
        assert_eq!(Vec::from_iter(index.of(&ours, &channel("/c"))), [ada]);
        index.remove(&ours, &channel("/a/*"), bob);
        assert_eq!(Vec::from_iter(index.of(&ours, &channel("/a/b"))), [ada]);
        assert_eq!(Vec::from_iter(index.of(&theirs, &channel("/a/b"))), [bob]);
    }
}
