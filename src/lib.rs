//! Vestibule: presence, signalling and co-browse for web sites, in one binary.
//!
//! The modules in order of dependency; each knows only those before it.

pub mod clock;

pub mod model;

pub mod limits;

pub mod auth;

pub mod telemetry;

pub mod reload;

pub mod tls;

pub mod outbound;

pub mod store;

pub mod codes;

pub mod settings;

pub mod trust;

pub mod presence;

pub mod lists;

pub mod events;

pub mod topics;

pub mod cobrowse;

pub mod chat;

pub mod sockets;

pub mod http;

pub mod bayeux;

pub mod facades;

pub mod app;

pub mod cli;
