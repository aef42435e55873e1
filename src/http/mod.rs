//! HTTP: REST, operations and pages. Every route stands in [`routes`]; each noun has a file.

pub mod assets;
pub mod connections;
pub mod cors;
pub mod documents;
pub mod error;
pub mod event_stream;
pub mod events;
pub mod explain;
pub mod extract;
pub mod guard;
pub mod headers;
pub mod help;
pub mod keys;
pub mod list_params;
pub mod operations;
pub mod pages;
pub mod paging;
pub mod past_sessions;
pub mod revocations;
pub mod routes;
pub mod sessions;
pub mod signals;
pub mod state;
pub mod tokens;
pub mod visitors;
pub mod webhooks;
