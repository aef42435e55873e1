//! Plain messages from node to node that no record's transition leads to: parts of streams, and questions between nodes.
//!
//! A letter comes at most once, and letters from one node to another come in the order in which they were sent: in a cluster,
//! all letters of one kind that a node sends go through one part. What waits
//! to be sent is bounded: beyond, a letter is refused, and whoever sent it sees to it that what follows makes up for it.

use std::{
    collections::VecDeque,
    rc::Rc,
    sync::{
        Arc, Weak,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use bytes::{BufMut as _, Bytes, BytesMut};
use parking_lot::Mutex;
use tokio::sync::Notify;

use super::{
    SharedNode,
    ears::{Ears, Heard},
    figures::{self, Traffic},
    gap::Gap,
    link::Link,
    links::Links,
    question::Target,
};
use crate::model::ids::NodeId;

/// Bytes of letters that wait to be sent. Beyond, letters are refused.
pub const MOST_BYTES: usize = 32 << 20;
/// Bytes that are sent before the server's answer is waited for; a longer letter goes alone.
const AT_ONCE: usize = 1 << 20;
/// How often a receiver is given its turn when nothing comes.
pub const TURN: Duration = Duration::from_secs(1);
/// How long a node waits before it tries again to hear its channel.
const PAUSE: Duration = Duration::from_millis(200);
/// What stands before each letter: its sender.
const HEAD: usize = 12;

/// What is done with letters. Called on the thread of the engines, so nothing here may wait.
pub trait Receive: Send + Sync + 'static {
    /// A letter from another node.
    fn receive(&self, from: NodeId, letter: Bytes);

    /// Letters may have been missed until now.
    fn missed(&self);

    /// Every [`TURN`]: what got lost without a word can be found now.
    fn turn(&self);
}

/// Sends letters of one kind. Cheap to clone.
#[derive(Clone)]
pub struct Courier(Option<Arc<Outgoing>>);

struct Outgoing {
    waiting: Mutex<Waiting>,
    news: Arc<Notify>,
    lost: AtomicU64,
    /// Keeps the thread.
    node: SharedNode,
}

#[derive(Default)]
struct Waiting {
    letters: VecDeque<(Target, Bytes)>,
    bytes: usize,
}

impl Courier {
    /// Of a process that is alone: there is nobody to send anything to.
    #[must_use]
    pub fn alone() -> Self {
        Self(None)
    }

    /// Of one of several nodes. `receiver` gets what the others send under the same `kind`, which no record has.
    pub fn new(node: &SharedNode, kind: &'static str, receiver: impl Receive) -> Self {
        let news = Arc::new(Notify::new());
        let outgoing = Arc::new(Outgoing {
            waiting: Mutex::default(),
            news: Arc::clone(&news),
            lost: AtomicU64::new(0),
            node: node.clone(),
        });
        let weak = Arc::downgrade(&outgoing);
        let traffic = Arc::clone(&node.0.traffic);
        let begin = Box::new(move |links: Rc<Links>| {
            let receiver: Arc<dyn Receive> = Arc::new(receiver);
            let ears = ears(&traffic);
            tokio::task::spawn_local(receive(
                Rc::clone(&links),
                kind,
                weak.clone(),
                receiver,
                ears,
            ));
            let link = Rc::clone(links.of(kind, &links.node()));
            tokio::task::spawn_local(send(link, kind, weak, news));
        });
        if node.0.spawn.send(begin).is_err() {
            tracing::error!(kind, "letters cannot be sent");
        }
        Self(Some(outgoing))
    }

    /// Sends a letter, some time soon. `false`: too many wait, or there is no other node; it is not sent.
    #[must_use]
    pub fn send(&self, to: NodeId, letter: Bytes) -> bool {
        self.leave(Target::Node(to), letter)
    }

    /// Likewise, to all other nodes.
    #[must_use]
    pub fn send_to_all(&self, letter: Bytes) -> bool {
        self.leave(Target::Everyone, letter)
    }

    fn leave(&self, to: Target, letter: Bytes) -> bool {
        let Some(outgoing) = &self.0 else { return false };
        let mut waiting = outgoing.waiting.lock();
        if waiting.bytes + letter.len() > MOST_BYTES {
            outgoing.loses(1);
            return false;
        }
        waiting.bytes += letter.len();
        figures::add(&outgoing.node.0.traffic.letter_bytes, letter.len());
        waiting.letters.push_back((to, letter));
        drop(waiting);
        outgoing.news.notify_one();
        true
    }

    /// Whether there may be other nodes.
    #[must_use]
    pub fn has_others(&self) -> bool {
        self.0.is_some()
    }

    /// Bytes of letters that wait, and letters that were refused, or that nobody knows to have been sent.
    #[must_use]
    pub fn figures(&self) -> (usize, u64) {
        let of = |outgoing: &Arc<Outgoing>| {
            (outgoing.waiting.lock().bytes, outgoing.lost.load(Ordering::Relaxed))
        };
        self.0.as_ref().map_or((0, 0), of)
    }
}

impl Outgoing {
    /// What is sent next.
    fn take(&self) -> Vec<(Target, Bytes)> {
        let mut waiting = self.waiting.lock();
        let (mut taken, mut bytes) = (Vec::new(), 0);
        while let Some((_, letter)) = waiting.letters.front()
            && (taken.is_empty() || bytes + letter.len() <= AT_ONCE)
            && let Some((to, letter)) = waiting.letters.pop_front()
        {
            bytes += letter.len();
            taken.push((to, letter));
        }
        waiting.bytes -= bytes;
        figures::subtract(&self.node.0.traffic.letter_bytes, bytes);
        taken
    }

    fn loses(&self, letters: usize) {
        figures::add(&self.lost, letters);
        figures::add(&self.node.0.traffic.letters_lost, letters);
    }
}

async fn send(link: Rc<Link>, kind: &'static str, courier: Weak<Outgoing>, news: Arc<Notify>) {
    loop {
        let Some(outgoing) = courier.upgrade() else { return };
        let letters = outgoing.take();
        if letters.is_empty() {
            drop(outgoing);
            // Now and then it looks whether there is still somebody who sends.
            let _ = tokio::time::timeout(TURN, news.notified()).await;
            continue;
        }
        let signed = letters.iter().map(|(to, letter)| (to.clone(), sign(link.node(), letter)));
        let signed: Vec<_> = signed.collect();
        if let Err(error) = link.publish(kind, &signed).await {
            outgoing.loses(letters.len());
            tracing::debug!(kind, letters = letters.len(), %error, "letters are lost");
        }
    }
}

/// Hears what it is to hear, as soon as there is a connection to hear it by.
async fn begin_to_hear(link: Rc<Link>, kind: &'static str, courier: Weak<Outgoing>) {
    while courier.strong_count() > 0 && link.publish(kind, &[]).await.is_err() {
        tokio::time::sleep(PAUSE).await;
    }
}

/// Ears for letters of one kind, and who is told when they hear.
fn ears(traffic: &Traffic) -> (Arc<Ears>, Arc<Notify>) {
    let news = Arc::new(Notify::new());
    (Arc::new(Ears::new(Arc::clone(&news), Arc::clone(&traffic.letters), 1)), news)
}

async fn receive(
    links: Rc<Links>,
    kind: &'static str,
    courier: Weak<Outgoing>,
    receiver: Arc<dyn Receive>,
    (ears, news): (Arc<Ears>, Arc<Notify>),
) {
    for link in links.all() {
        link.listen(kind, &ears);
        tokio::task::spawn_local(begin_to_hear(Rc::clone(link), kind, courier.clone()));
    }
    let gap = Gap::of(links.len());
    let mut turns = tokio::time::interval(TURN);
    turns.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    while courier.strong_count() > 0 {
        while let Some(heard) = ears.take() {
            match heard {
                Heard::Message(message) => {
                    // What this node says to everyone it hears, too.
                    let letter = signed(message.into()).filter(|(from, _)| *from != links.node());
                    if let Some((from, letter)) = letter {
                        receiver.receive(from, letter);
                    }
                }
                Heard::Again => {
                    let receiver = Arc::clone(&receiver);
                    gap.tell(move || receiver.missed());
                }
            }
        }
        tokio::select! {
            biased;
            () = news.notified() => {}
            _ = turns.tick() => receiver.turn(),
        }
    }
}

fn sign(NodeId { node, incarnation }: NodeId, letter: &Bytes) -> Bytes {
    let mut message = BytesMut::with_capacity(HEAD + letter.len());
    message.put_u32(node);
    message.put_u64(incarnation);
    message.put_slice(letter);
    message.freeze()
}

fn signed(mut message: Bytes) -> Option<(NodeId, Bytes)> {
    let (head, _) = message.split_at_checked(HEAD)?;
    let (node, incarnation) = head.split_at_checked(4)?;
    let node = u32::from_be_bytes(node.try_into().ok()?);
    let incarnation = u64::from_be_bytes(incarnation.try_into().ok()?);
    Some((NodeId { node, incarnation }, message.split_off(HEAD)))
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Receiver, Sender, channel};

    use super::*;
    use crate::{
        clock::Clock,
        store::shared::{ears, tests::server},
    };

    struct Told(Sender<(NodeId, Bytes)>);

    impl Receive for Told {
        fn receive(&self, from: NodeId, letter: Bytes) {
            let _ = self.0.send((from, letter));
        }
        fn missed(&self) {}
        fn turn(&self) {}
    }

    fn node(
        server: &super::super::ServerUrl,
        node: u32,
    ) -> (NodeId, Courier, Receiver<(NodeId, Bytes)>) {
        let id = NodeId { node, incarnation: 7 };
        let lease = Duration::from_secs(10);
        let shared = SharedNode::start(server.clone(), id, lease, Clock::system()).unwrap();
        let (sender, receiver) = channel();
        (id, Courier::new(&shared, "letter", Told(sender)), receiver)
    }

    #[test]
    fn letters_come_in_order_and_say_from_whom() {
        let Some(server) = server() else { return };
        let (ann, from_ann, _) = node(&server, 1);
        let (ben, from_ben, to_ben) = node(&server, 2);
        // Whoever sends hears; before that nobody may hear him.
        let long = Bytes::from(vec![b'x'; 3 << 20]);
        let deadline = std::time::Instant::now() + Duration::from_secs(20);
        loop {
            assert!(from_ann.send(ben, "are you there?".into()));
            if to_ben.recv_timeout(PAUSE).is_ok() {
                break;
            }
            assert!(std::time::Instant::now() < deadline, "nobody is there");
        }
        for number in 0..1_000 {
            assert!(from_ann.send(ben, number.to_string().into()));
        }
        assert!(from_ann.send(ben, long.clone()));
        let mut came = std::iter::from_fn(|| to_ben.recv_timeout(Duration::from_secs(20)).ok())
            .filter(|(_, letter)| letter != "are you there?");
        for number in 0..1_000 {
            assert_eq!(came.next(), Some((ann, number.to_string().into())));
        }
        assert_eq!(came.next(), Some((ann, long)));
        drop(from_ben);
    }

    /// Whose letters nobody sends.
    fn courier(node: &SharedNode) -> Courier {
        let (waiting, news, lost) = (Mutex::default(), Arc::default(), AtomicU64::new(0));
        Courier(Some(Arc::new(Outgoing { waiting, news, lost, node: node.clone() })))
    }

    #[test]
    fn what_waits_is_bounded() {
        let courier = courier(&SharedNode::nowhere());
        let to = NodeId { node: 1, incarnation: 1 };
        let half = Bytes::from(vec![0; MOST_BYTES / 2]);
        assert!(courier.send(to, half.clone()) && courier.send(to, half.clone()));
        assert!(!courier.send(to, "x".into()));
        assert_eq!(courier.figures(), (MOST_BYTES, 1));
        let taken = courier.0.as_ref().unwrap().take();
        assert_eq!(taken.len(), 1, "a long one goes alone");
        assert!(courier.send(to, "x".into()), "there is room again");
    }

    #[test]
    fn a_nodes_figures_have_the_letters_of_all_kinds() {
        let node = SharedNode::nowhere();
        let [one, two] = [courier(&node), courier(&node)];
        let to = NodeId { node: 1, incarnation: 1 };
        assert!(one.send(to, "one".into()) && two.send_to_all("eleven".into()));
        assert_eq!(node.figures().letter_bytes, 9);
        assert_eq!(one.0.as_ref().unwrap().take().len(), 1);
        assert_eq!(node.figures().letter_bytes, 6);
        let too_long = Bytes::from(vec![0; MOST_BYTES + 1]);
        assert!(!one.send(to, too_long.clone()) && !two.send(to, too_long.clone()));
        assert!(!two.send(to, too_long));
        assert_eq!((one.figures().1, two.figures().1), (1, 2));
        assert_eq!(node.figures().letters_lost, 3);
    }

    #[test]
    fn letters_that_come_too_fast_are_counted() {
        let node = SharedNode::nowhere();
        let kinds = [(); 2].map(|()| ears(&node.0.traffic).0);
        for (kind, too_many) in kinds.iter().zip([1, 2]) {
            (0..ears::MOST_MESSAGES + too_many).for_each(|_| kind.hear(Heard::Again));
        }
        assert_eq!(node.figures().letters_missed, 3);
    }

    #[test]
    fn a_process_alone_sends_nothing() {
        let courier = Courier::alone();
        assert!(!courier.send(NodeId { node: 1, incarnation: 1 }, "x".into()));
        assert_eq!((courier.has_others(), courier.figures()), (false, (0, 0)));
    }

    #[test]
    fn what_is_no_letter_is_nobodys() {
        assert_eq!(signed(Bytes::from_static(b"short")), None);
        let from = NodeId { node: 3, incarnation: 1 << 40 };
        assert_eq!(signed(sign(from, &"x".into())), Some((from, "x".into())));
    }
}
