//! Lists of visitors: what a row says, which rows are wanted, in which order, and which part of them.
//!
//! The same types serve REST, which reads them from a query string, and the agents' sockets, which read them from JSON.

mod facts;
mod filter;
mod sort;
mod window;

pub use self::{
    facts::Facts,
    filter::{Filter, MAX_CLAUSES, MAX_VALUE_CHARACTERS},
    sort::{Place, Rank, Sort},
    window::{DEFAULT_SIZE, MAX_OFFSET, MAX_SIZE, Window},
};

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{
    error::Problem,
    event::{TermsStatus, Visibility},
    help::HelpView,
    ids::VisitorId,
    json::Json,
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
    /// What he wants of agents: his wish for help, while it waits or an agent has it.
    #[schema(required = true)]
    pub help: Option<Box<HelpView>>,
    /// The merged presence data.
    #[schema(value_type = PresenceUpdate)]
    pub data: PresenceData,
}

/// What a live list shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListQuery {
    /// Who is in it.
    pub filter: Filter,
    /// In which order.
    pub sort: Sort,
    /// Which part is looked at.
    pub window: Window,
}

impl ListQuery {
    /// Reads the parts of a query; what is missing is everybody, the newest first.
    ///
    /// # Errors
    /// Names the field and the rule that it breaks.
    pub fn read(
        filter: Option<&Json>,
        sort: Option<&str>,
        window: Window,
    ) -> Result<Self, Problem> {
        let filter = filter
            .map(|json| Filter::from_json(&serde_json::from_str(json.text()).unwrap_or_default()));
        Ok(Self {
            filter: filter.transpose()?.unwrap_or_default(),
            sort: sort.map(str::parse).transpose()?.unwrap_or(Sort::NEWEST_FIRST),
            window: window.checked()?,
        })
    }
}
