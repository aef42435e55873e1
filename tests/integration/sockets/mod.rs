//! How sockets are served (design section 4). Rules of the outbox, the inbox, panics and shards that cannot be seen from
//! outside have their tests beside the code.

mod frames;
mod slow_readers;
mod stop;
mod takeover;
mod threads;

use crate::support::{Closed, Raw, Server};

async fn refused(server: &Server, path: &str, origin: Option<&str>) -> Closed {
    let mut raw = Raw::connect(server).await;
    raw.upgrade(path, origin).await;
    raw.closed().await
}
