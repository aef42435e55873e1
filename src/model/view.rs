//! A visitor as agents and back ends read him.

use serde::Serialize;
use utoipa::ToSchema;

use super::{
    event::{TermsStatus, Visibility},
    ids::{GroupId, PageId, TabId, VisitorId},
    presence::{PresenceData, PresenceUpdate},
};
use crate::clock::Timestamp;

/// A visitor who is there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct VisitorView {
    /// Who he is.
    pub visitorid: VisitorId,
    /// The group whose site he is on.
    pub group: GroupId,
    /// Whether the SDK made his id because the site gave none.
    pub anonymous: bool,
    /// Has a socket, or is in transit.
    pub connected: bool,
    /// Unix milliseconds at which he became connected; greater in each later presence.
    pub epoch: u64,
    /// Events told in this epoch.
    pub sequence: u64,
    /// When he became connected, in Unix milliseconds.
    #[schema(value_type = u64)]
    pub since: Timestamp,
    /// When the record last heard of him, in Unix milliseconds.
    #[schema(value_type = u64)]
    pub updated: Timestamp,
    /// How many sockets he has; 0 in transit.
    pub sockets: usize,
    /// Whether one of his pages can be seen.
    #[schema(required = true)]
    pub visibility: Option<Visibility>,
    /// Where he stands with the terms.
    #[schema(required = true)]
    pub terms: Option<TermsStatus>,
    /// The merged presence data.
    #[schema(value_type = PresenceUpdate)]
    pub data: PresenceData,
    /// His pages.
    pub tabs: Vec<TabView>,
    /// Signals that wait for him.
    pub held: usize,
}

/// One of a visitor's pages.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct TabView {
    /// The tab that shows it.
    pub tab: TabId,
    /// The page.
    pub page: PageId,
    /// Whether it can be seen.
    pub visible: bool,
    /// Whether it gets the signals.
    pub focus: bool,
    /// Whether it wants signals at all.
    pub listening: bool,
}
