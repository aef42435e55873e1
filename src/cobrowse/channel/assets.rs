//! The assets of a session's pages: a page says what each is, sends what the server lacks, and whoever wants one waits until
//! it came or will not come.

use bytes::Bytes;

use super::{Channel, StreamPost};
use crate::{
    cobrowse::assets::Found,
    model::{error::Problem, ids::SocketId, protocol::stream::Content},
};

impl Channel {
    /// A page says what its asset is.
    ///
    /// # Errors
    /// See [`Assets::announce`](crate::cobrowse::assets::Assets::announce).
    pub fn announce(
        &self,
        from: SocketId,
        epoch: u32,
        asset: u32,
        content: Content,
        post: &dyn StreamPost,
    ) -> Result<(), Problem> {
        let sha256 = content.sha256;
        let announced = self.state.lock().assets.announce(epoch, asset, content);
        match announced {
            Ok(true) => post.want(from, sha256),
            Ok(false) => self.settled.notify_waiters(),
            Err(problem) => {
                self.settled.notify_waiters();
                return Err(problem);
            }
        }
        Ok(())
    }

    /// A page cannot have its asset.
    pub fn missing(&self, epoch: u32, asset: u32) {
        self.state.lock().assets.missing(epoch, asset);
        self.settled.notify_waiters();
    }

    /// A content that was wanted comes.
    ///
    /// # Errors
    /// See [`Assets::put`](crate::cobrowse::assets::Assets::put).
    pub fn put(&self, sha256: [u8; 32], content: Bytes) -> Result<(), Problem> {
        self.state.lock().assets.put(sha256, content)?;
        self.settled.notify_waiters();
        Ok(())
    }

    /// A page's asset, once it is here, or it is known that it will not come.
    pub async fn asset(&self, epoch: u32, asset: u32) -> Found {
        loop {
            let settled = self.settled.notified();
            tokio::pin!(settled);
            settled.as_mut().enable();
            match self.state.lock().assets.get(epoch, asset) {
                Found::NotYet => {}
                found => return found,
            }
            settled.await;
        }
    }
}
