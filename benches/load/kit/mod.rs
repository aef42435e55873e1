//! What all scenarios share: sockets without a runtime, the server as a child process, and what /proc tells of it.

pub mod backoff;
pub mod bayeux;
pub mod net;
pub mod nodes;
pub mod proxy;
pub mod random;
pub mod server;
pub mod soak;
pub mod system;
pub mod wire;

use std::time::Duration;

/// How long one call waits for the network where nothing is due earlier.
pub const TURN: Duration = Duration::from_millis(5);
/// Where the visitors' pages come from.
pub const ORIGIN: &str = "https://shop.example";
/// The one group.
pub const GROUP: &str = "12345";
