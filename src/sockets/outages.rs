//! Tells agents, unasked, that the server which the nodes share is away, and that it is back.

use std::{collections::HashMap, sync::Arc};

use parking_lot::Mutex;

use super::{
    outbox::{Class, LatestKey, Outbox},
    table::text,
};
use crate::{
    clock::Timestamp,
    model::{ids::SocketId, protocol::agent::ToAgent},
};

/// From one telling to the next at the earliest, in milliseconds, however often the server comes and goes meanwhile.
const PAUSE_MS: u64 = 1_000;

/// Only how it is now counts.
const DEGRADED: LatestKey = LatestKey(5);

/// Who is told: agents, and those of them who view, once they were welcomed. Bounded by the limit on sockets.
#[derive(Default)]
pub struct Outages(Mutex<State>);

#[derive(Default)]
struct State {
    is_away: bool,
    /// When they were told last.
    told: Option<Timestamp>,
    hearers: HashMap<SocketId, Arc<Outbox>>,
}

impl Outages {
    /// Lets a socket hear of outages until what is given back is dropped; at once of one that lasts. To be called behind
    /// the socket's welcome.
    pub fn hear(self: &Arc<Self>, socket: SocketId, outbox: Arc<Outbox>) -> Hearing {
        let mut state = self.0.lock();
        if state.is_away {
            // Before the lock is free: what is told later is pushed later.
            push(&outbox, true);
        }
        state.hearers.insert(socket, outbox);
        Hearing { outages: Arc::clone(self), socket }
    }

    /// Tells everybody how it is now. Also who was told the same before: his answers may have said something else since.
    /// For one task.
    ///
    /// # Errors
    /// In how many milliseconds they may be told, because they were just told something. Nothing is told then.
    pub fn tell(&self, is_away: bool, now: Timestamp) -> Result<(), u64> {
        let outboxes: Vec<_> = {
            let mut state = self.0.lock();
            match state.told.map(|told| now.since(told)) {
                // That all is well is no news at the start.
                None if !is_away => return Ok(()),
                Some(passed) if passed < PAUSE_MS => return Err(PAUSE_MS - passed),
                _ => {}
            }
            (state.is_away, state.told) = (is_away, Some(now));
            state.hearers.values().cloned().collect()
        };
        outboxes.iter().for_each(|outbox| push(outbox, is_away));
        Ok(())
    }
}

/// The same words on both kinds of sockets, see [`ToStream::Degraded`](crate::model::protocol::stream::ToStream).
fn push(outbox: &Outbox, degraded: bool) {
    // A socket that is closing needs no word.
    let _ = outbox.push(Class::Latest(DEGRADED), text(&ToAgent::Degraded { degraded }));
}

/// A socket that hears of outages.
pub struct Hearing {
    outages: Arc<Outages>,
    socket: SocketId,
}

impl Drop for Hearing {
    fn drop(&mut self) {
        self.outages.0.lock().hearers.remove(&self.socket);
    }
}

#[cfg(test)]
mod tests {
    use std::{
        io,
        pin::Pin,
        task::{Context, Poll, Waker},
    };

    use tokio::io::AsyncWrite;

    use super::*;
    use crate::model::protocol::stream::ToStream;

    const NOW: Timestamp = Timestamp(1_000_000);
    const AWAY: &str = r#"{"type":"degraded","degraded":true}"#;
    const BACK: &str = r#"{"type":"degraded","degraded":false}"#;

    /// A socket whose peer reads at once.
    #[derive(Default)]
    struct Peer(Vec<u8>);

    impl AsyncWrite for Peer {
        fn poll_write(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
            bytes: &[u8],
        ) -> Poll<io::Result<usize>> {
            self.0.extend_from_slice(bytes);
            Poll::Ready(Ok(bytes.len()))
        }

        fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }

        fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }
    }

    fn outbox() -> Arc<Outbox> {
        Arc::new(Outbox::new(10_000))
    }

    /// What the peer has read since the last time.
    fn read(outbox: &Outbox) -> Vec<String> {
        let mut peer = Peer::default();
        let _ =
            outbox.poll_flush(&mut Context::from_waker(Waker::noop()), Pin::new(&mut peer), NOW);
        // Frames of less than 126 bytes have two before the text.
        let mut rest = &*peer.0;
        let mut texts = Vec::new();
        while let [_, length, after @ ..] = rest {
            let (text, others) = after.split_at(usize::from(*length));
            texts.push(String::from_utf8(text.to_vec()).unwrap());
            rest = others;
        }
        texts
    }

    #[test]
    fn who_is_there_is_told_and_who_comes_in_the_middle_of_it() {
        let outages = Arc::new(Outages::default());
        let (early, late) = (outbox(), outbox());
        let _early = outages.hear(SocketId(1), Arc::clone(&early));
        assert_eq!(outages.tell(false, NOW), Ok(()));
        assert_eq!(read(&early), [""; 0], "that all is well from the start");
        assert_eq!(outages.tell(true, NOW), Ok(()));
        let left = outages.hear(SocketId(2), Arc::clone(&late));
        assert_eq!((read(&early), read(&late)), (vec![AWAY.to_owned()], vec![AWAY.to_owned()]));
        drop(left);
        assert_eq!(outages.tell(false, NOW + PAUSE_MS), Ok(()));
        assert_eq!(read(&early), [BACK]);
        assert_eq!(read(&late), [""; 0], "who is gone");
        let _again = outages.hear(SocketId(3), Arc::clone(&late));
        assert_eq!(read(&late), [""; 0], "who comes when it is over");
    }

    #[test]
    fn a_server_that_comes_and_goes_is_told_of_once_a_second_and_keeps_one_word_waiting() {
        let outages = Arc::new(Outages::default());
        let slow = outbox();
        let _hearing = outages.hear(SocketId(1), Arc::clone(&slow));
        let mut told = 0;
        for ms in 0..10_000 {
            match outages.tell(ms % 7 < 3, NOW + ms) {
                Ok(()) => told += 1,
                Err(wait) => assert!((1..=PAUSE_MS).contains(&wait), "{wait}"),
            }
        }
        assert_eq!(told, 10);
        assert_eq!(outages.tell(false, NOW + 9_500), Err(500));
        assert_eq!(outages.tell(false, NOW + 10_000), Ok(()));
        assert_eq!(read(&slow), [BACK], "the newest, for who does not read");
        // Answers may have said otherwise in between.
        assert_eq!(outages.tell(false, NOW + 11_000), Ok(()));
        assert_eq!(read(&slow), [BACK]);
    }

    #[test]
    fn viewers_are_told_in_the_words_of_their_own_messages() {
        for degraded in [false, true] {
            let (agent, viewer) = (ToAgent::Degraded { degraded }, ToStream::Degraded { degraded });
            assert_eq!(text(&agent), text(&viewer));
        }
    }
}
