//! Lists of visitors: what a row says, which rows are wanted, in which order, and which part of them.
//!
//! The same types serve REST, which reads them from a query string, and the agents' sockets, which read them from JSON.

mod facts;
mod filter;
mod sort;
mod window;

pub use self::{
    facts::Facts,
    filter::{Filter, MAX_CLAUSES, MAX_VALUE_BYTES},
    sort::{Place, Rank, Sort},
    window::{DEFAULT_SIZE, MAX_OFFSET, MAX_SIZE, Window},
};

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{
    event::{TermsStatus, Visibility},
    ids::VisitorId,
    presence::{PresenceData, PresenceUpdate},
};
use crate::clock::Timestamp;

/// A visitor who is there, as lists show him. Kept for each of them: small, and the data's text is the record's own.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Row {
    /// Who he is.
    pub visitorid: VisitorId,
    /// Whether the SDK made his id because the site gave none.
    pub anonymous: bool,
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
    pub sockets: u32,
    /// Whether one of his pages can be seen.
    #[schema(required = true)]
    pub visibility: Option<Visibility>,
    /// Where he stands with the terms.
    #[schema(required = true)]
    pub terms: Option<TermsStatus>,
    /// The merged presence data.
    #[schema(value_type = PresenceUpdate)]
    pub data: PresenceData,
}
