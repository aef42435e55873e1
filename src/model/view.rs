//! A visitor as agents and back ends read him.

use std::net::IpAddr;

use serde::Serialize;
use utoipa::ToSchema;

use super::{
    ids::{Code, GroupId, PageId, TabId},
    list::Row,
};

/// A visitor who is there, with his pages.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct VisitorView {
    /// What lists show of him.
    #[serde(flatten)]
    pub row: Row,
    /// The group whose site he is on.
    pub group: GroupId,
    /// Has a socket, or is in transit.
    pub connected: bool,
    /// His pages.
    pub tabs: Vec<TabView>,
    /// Signals that wait for him.
    pub held: usize,
    /// The network address that he comes from; `null` where the group does not want to see that.
    #[schema(required = true, value_type = Option<String>)]
    pub address: Option<IpAddr>,
    /// The code that leads to him, if one lives.
    #[schema(required = true)]
    pub uniqueid: Option<Code>,
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

#[cfg(test)]
impl VisitorView {
    /// One who came at a known time, told this of himself, and has no page open.
    pub(crate) fn example(visitorid: &str, told: serde_json::Value) -> Self {
        use super::presence::{PresenceData, PresenceUpdate};
        use crate::clock::Timestamp;

        let visitorid: super::ids::VisitorId = visitorid.parse().unwrap();
        let mut data = PresenceData::EMPTY;
        data.merge(&PresenceUpdate::from_json(told, "data").unwrap()).unwrap();
        let row = Row {
            anonymous: visitorid.is_anonymous(),
            visitorid,
            epoch: 1,
            sequence: 1,
            since: Timestamp(1_583_953_702_049),
            updated: Timestamp(1_583_953_703_900),
            sockets: 1,
            visibility: None,
            terms: None,
            help: None,
            data,
        };
        let (group, tabs) = ("12345".parse().unwrap(), Vec::new());
        Self { row, group, connected: true, tabs, held: 0, address: None, uniqueid: None }
    }
}
