//! Vestibule: presence, signalling and co-browse for web sites, in one binary.
//!
//! The modules in order of dependency; each knows only those before it.

pub mod clock;
pub mod model;

/// Who may do what: tokens, scopes, keys, login keys, origins.
pub mod auth;

/// What operators see: logs and figures.
pub mod telemetry;

/// What outlives a record, a shard, a process.
pub mod store;

/// What the operator chose: file, environment and flags, checked.
pub mod settings;

/// The command line.
pub mod cli;
