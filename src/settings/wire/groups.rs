//! `[[groups]]`.

use super::{
    GroupChat, GroupCobrowse, GroupFacades, GroupTopics, Webhook,
    forms::{no_secrets, optional_text_or_number, text_or_number},
};
use crate::auth::Secret;

sections! {
    /// `[[groups]]`
    Group {
        /// The tenant's number, 1 to 20 digits. No default.
        #[serde(deserialize_with = "text_or_number")]
        id: String = String::new(),
        /// What people call it. Default none.
        name: Option<String> = None,
        /// Origins of the pages that visitors come from. Default none.
        visitor_origins: Vec<String> = Vec::new(),
        /// Origins of the pages that agents work in. Default none.
        agent_origins: Vec<String> = Vec::new(),
        /// Keys that ask for tokens, 16 characters or more each. Default none.
        #[serde(serialize_with = "no_secrets")]
        api_keys: Vec<Secret> = Vec::new(),
        /// The partner whose login keys are believed. Default: the group's id.
        #[serde(deserialize_with = "optional_text_or_number")]
        partner_id: Option<String> = None,
        /// Signs login keys: 16 characters or more. Default none: no login keys.
        #[serde(skip_serializing)]
        partner_key: Option<Secret> = None,
        /// Keys that sign visitor ids, 32 characters or more each. Default none.
        #[serde(serialize_with = "no_secrets")]
        visitor_keys: Vec<Secret> = Vec::new(),
        /// Whether known visitors need a signature. Default false.
        require_signed_visitors: bool = false,
        /// Whether visitors' sockets without an `Origin` are let in, as apps open them. Default false.
        native_visitors: bool = false,
        /// Whether `url` and `referrer` of presence lose their query strings. Default false.
        strip_query: bool = false,
        /// Whether agents and back ends see the network addresses that visitors come from. Default false.
        addresses: bool = false,
        /// Whether its events are kept and can be read. Default true.
        events: bool = true,
        /// `[[groups.webhooks]]`. Default none.
        webhooks: Vec<Webhook> = Vec::new(),
        cobrowse: GroupCobrowse = GroupCobrowse::default(),
        facades: GroupFacades = GroupFacades::default(),
        chat: GroupChat = GroupChat::default(),
        topics: GroupTopics = GroupTopics::default(),
    }
}
