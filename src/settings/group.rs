//! A tenant's settings.

use std::{collections::HashMap, sync::Arc};

use super::Trust;
use crate::{
    auth::{ApiKeys, OriginList, OutsideAddress, Partner, Signer, VisitorSignatures},
    model::{
        cobrowse::PageSettings,
        event::Kinds,
        ids::{ButtonId, GroupId},
        masking::Masking,
        topic::{Rights, TopicFilter},
    },
};

/// One tenant.
#[derive(Clone, Debug)]
pub struct Group {
    /// Its number.
    pub id: GroupId,
    /// What people call it.
    pub name: Option<String>,
    /// Where its visitors' pages come from.
    pub visitor_origins: OriginList,
    /// Where its agents' pages come from.
    pub agent_origins: OriginList,
    /// The keys that ask for tokens.
    pub api_keys: ApiKeys,
    /// Whose login keys are believed.
    pub partner: Option<Partner>,
    /// What it asks of its visitors' ids.
    pub visitor_signatures: VisitorSignatures,
    /// Whether apps may open visitors' sockets: those without an `Origin`.
    pub native_visitors: bool,
    /// Whether `url` and `referrer` of presence lose their query strings.
    pub strip_query: bool,
    /// Whether agents and back ends see the network addresses that visitors come from.
    pub addresses: bool,
    /// Whether its events are kept and can be read.
    pub events: bool,
    /// Where its events are posted.
    pub webhooks: Vec<Webhook>,
    /// What it wants of its co-browse sessions.
    pub cobrowse: GroupCobrowse,
    /// How Bayeux clients are trusted.
    pub bayeux: Trust,
    /// Whether where their sessions are is told to pages of its agents only, where it lists such pages.
    pub bayeux_pages_only: bool,
    /// Whose pages may show a desktop's view in a frame, besides those of its agents.
    pub bayeux_frames: OriginList,
    /// Its chat buttons; none: agents may be available for any.
    pub buttons: Vec<ButtonId>,
    /// What it wants of its topics.
    pub topics: GroupTopics,
}

/// What a group wants of its topics.
#[derive(Clone, Debug, Default)]
pub struct GroupTopics {
    /// What its visitors may do.
    pub visitors: Rights,
    /// Whether they may leave retained values.
    pub visitors_retain: bool,
    /// Messages of each topic that are kept.
    pub history: usize,
    /// How long, in ms.
    pub history_ms: u64,
    /// Topics of which only the newest message counts.
    pub latest: Vec<TopicFilter>,
}

/// What a group wants of its co-browse sessions.
#[derive(Clone, Debug, Default)]
pub struct GroupCobrowse {
    /// What is blotted out on the server.
    pub masking: Arc<Masking>,
    /// What the visitors' pages are told.
    pub page: Arc<PageSettings>,
    /// What a script that begins sessions by itself is told.
    pub launch: Launch,
}

/// How sessions begin on pages whose script sees to that.
#[derive(Clone, Debug, Default)]
pub struct Launch {
    /// What the site is called.
    pub site_code: String,
    /// `button`, `none`, or `#` and the id of the page's own element.
    pub by: String,
    /// What the visitor must accept before.
    pub terms: Option<String>,
}

/// Where a group's events are posted.
#[derive(Clone, Debug)]
pub struct Webhook {
    /// Its name within the group: made from the address, so that it outlives a restart.
    pub id: Arc<str>,
    /// The address: https, or http where the settings allow it.
    pub address: OutsideAddress,
    /// Signs what is posted.
    pub signer: Signer,
    /// Which events.
    pub kinds: Kinds,
}

/// The tenants, by id and in the order of the settings.
#[derive(Clone, Debug, Default)]
pub struct Groups {
    ordered: Vec<Arc<Group>>,
    by_id: HashMap<GroupId, Arc<Group>>,
}

impl Groups {
    /// The group with this id.
    #[must_use]
    pub fn get(&self, id: &GroupId) -> Option<&Arc<Group>> {
        self.by_id.get(id)
    }

    /// All groups.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Group>> {
        self.ordered.iter()
    }

    /// How many groups there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.ordered.len()
    }

    /// Whether there is no group.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ordered.is_empty()
    }

    /// Adds a group; `false` when its id is taken.
    pub(super) fn insert(&mut self, group: Group) -> bool {
        let group = Arc::new(group);
        if self.by_id.contains_key(&group.id) {
            return false;
        }
        self.by_id.insert(group.id.clone(), group.clone());
        self.ordered.push(group);
        true
    }
}
