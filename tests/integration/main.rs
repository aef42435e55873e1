//! The server as its clients meet it: started as a process, spoken to by its protocols, ended by signals.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

#[path = "../support/mod.rs"]
mod support;

mod agents;
mod architecture;
mod bayeux;
mod channelme;
mod chat;
mod cluster;
mod cobrowse;
mod documents;
mod events;
mod explain;
mod genesys;
mod glance;
mod guesses;
mod help;
mod issuers;
mod keys;
mod limits;
mod links;
mod lists;
mod operations;
mod oracle;
mod presence;
mod refused_tokens;
mod restart;
mod revocations;
mod scopes;
mod secrets;
mod security_headers;
mod security_page;
mod signals;
mod signed;
mod sockets;
mod storage;
mod tls;
mod tokens_rest;
mod topics;
mod upscope;
mod visitors_rest;
mod webhooks;
