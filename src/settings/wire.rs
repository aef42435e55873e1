//! The settings as they are written: a file a section, with what a group says on the same. One field a setting, with its
//! default and unit; rules are in `validate`.

macro_rules! sections {
    ($($(#[$doc:meta])* $name:ident {
        $($(#[$field_doc:meta])* $field:ident: $type:ty = $default:expr,)*
    })*) => {
        $(
            $(#[$doc])*
            #[derive(Debug, serde::Deserialize, serde::Serialize)]
            #[serde(default, deny_unknown_fields)]
            pub(in crate::settings) struct $name { $($(#[$field_doc])* pub(in crate::settings) $field: $type,)* }

            impl Default for $name {
                fn default() -> Self {
                    Self { $($field: $default,)* }
                }
            }
        )*
    };
}

mod auth;
mod bayeux;
mod chat;
mod cluster;
mod cobrowse;
mod events;
mod facades;
mod forms;
mod groups;
mod limits;
mod log;
mod presence;
mod server;
mod storage;
mod topics;

pub(super) use self::{
    auth::{Auth, Issuer, Key},
    bayeux::Bayeux,
    chat::{Chat, GroupChat},
    cluster::Cluster,
    cobrowse::{Cobrowse, GroupCobrowse},
    events::{Events, Webhook},
    facades::{Facades, GroupFacades},
    groups::Group,
    limits::Limits,
    log::Log,
    presence::Presence,
    server::{Server, Tls},
    storage::Storage,
    topics::{GroupTopics, Topics},
};

sections! {
    /// The whole file.
    Wire {
        server: Server = Server::default(),
        limits: Limits = Limits::default(),
        auth: Auth = Auth::default(),
        groups: Vec<Group> = Vec::new(),
        presence: Presence = Presence::default(),
        events: Events = Events::default(),
        cobrowse: Cobrowse = Cobrowse::default(),
        chat: Chat = Chat::default(),
        topics: Topics = Topics::default(),
        facades: Facades = Facades::default(),
        bayeux: Bayeux = Bayeux::default(),
        cluster: Cluster = Cluster::default(),
        storage: Storage = Storage::default(),
        log: Log = Log::default(),
    }
}
