//! What this node says to others of streams and assets, and what it does about what they say.

use std::{
    fmt,
    sync::{
        Arc, Weak,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use dashmap::DashMap;
use tokio::sync::{Semaphore, oneshot};

use super::{Cobrowse, Shared, over};
use crate::{
    cobrowse::{
        assets::{Found, Stored},
        channel::{Between, Channel, Followed, Part},
        letter::{Letter, What},
        session::{Session, Shown},
    },
    model::{
        error::{ErrorCode, Problem},
        ids::{NodeId, SessionKey},
    },
    store::{
        Afterwards, Engine as _, Refusal,
        shared::post::{Courier, Receive},
    },
};

/// How long an asset is waited for that may yet come.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long an answer from another node may take beyond that.
const WAY: Duration = Duration::from_secs(2);
/// Assets that are waited for on behalf of others at a time. Beyond, they are said to be missing.
const MOST_ASKED: usize = 256;
/// In one of so many turns the streams that nobody needs are looked at.
const IDLE_TURNS: u64 = 16;

/// The other nodes.
pub(super) struct Colleagues {
    courier: Courier,
    questions: AtomicU64,
    /// Who waits for an answer.
    asking: DashMap<u64, oneshot::Sender<Answer>>,
    /// For what is asked of this node.
    asked: Arc<Semaphore>,
}

/// What another node says when it is asked.
enum Answer {
    Asset(Found),
    Stored(Result<(), Problem>),
}

/// A question to another node; when it is dropped nobody waits any more.
struct Question<'a> {
    colleagues: &'a Colleagues,
    number: u64,
}

impl Drop for Question<'_> {
    fn drop(&mut self) {
        self.colleagues.asking.remove(&self.number);
    }
}

impl Colleagues {
    pub(super) fn new(courier: Courier) -> Self {
        Self {
            courier,
            questions: AtomicU64::new(1),
            asking: DashMap::new(),
            asked: Arc::new(Semaphore::new(MOST_ASKED)),
        }
    }

    /// Whether there may be other nodes.
    pub(super) fn are_there(&self) -> bool {
        self.courier.has_others()
    }

    /// Asks a node. `None`: no answer came.
    async fn ask(
        &self,
        node: NodeId,
        session: &SessionKey,
        what: impl FnOnce(u64) -> What,
        body: &[u8],
    ) -> Option<Answer> {
        let number = self.questions.fetch_add(1, Ordering::Relaxed);
        let (sender, answer) = oneshot::channel();
        self.asking.insert(number, sender);
        let _question = Question { colleagues: self, number };
        if !self.send(&[node], session, what(number), body).is_empty() {
            return None;
        }
        tokio::time::timeout(PATIENCE + WAY, answer).await.ok()?.ok()
    }

    fn answered(&self, question: u64, answer: Answer) {
        if let Some((_, asked)) = self.asking.remove(&question) {
            // Whoever asked may be gone.
            let _ = asked.send(answer);
        }
    }
}

impl fmt::Debug for Colleagues {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Colleagues").field("asking", &self.asking.len()).finish_non_exhaustive()
    }
}

impl Between for Colleagues {
    fn send(&self, to: &[NodeId], session: &SessionKey, what: What, body: &[u8]) -> Vec<NodeId> {
        let letter = Letter { session: session.clone(), what }.write(body);
        to.iter().copied().filter(|node| !self.courier.send(*node, letter.clone())).collect()
    }
}

/// What the other nodes say.
pub(super) struct Incoming {
    shared: Weak<Shared>,
    turns: AtomicU64,
}

impl Incoming {
    pub(super) fn new(shared: Weak<Shared>) -> Self {
        Self { shared, turns: AtomicU64::new(0) }
    }
}

impl Receive for Incoming {
    fn receive(&self, from: NodeId, letter: Bytes) {
        let Some(shared) = self.shared.upgrade() else { return };
        let Some((Letter { session, what }, body)) = Letter::read(letter) else {
            return tracing::debug!(?from, "a letter that this version does not know");
        };
        shared.hear(from, session, what, body);
    }

    fn missed(&self) {
        let Some(shared) = self.shared.upgrade() else { return };
        let now = shared.clock.now();
        shared.channels.iter().for_each(|channel| channel.begin_again(now));
    }

    fn turn(&self) {
        let Some(shared) = self.shared.upgrade() else { return };
        let now = shared.clock.now();
        let turn = self.turns.fetch_add(1, Ordering::Relaxed);
        let looks_at_idle = turn.is_multiple_of(IDLE_TURNS);
        let mut unsure = Vec::new();
        for channel in &shared.channels {
            match channel.turn(now, &*shared.post) {
                // Where a session has nothing any more it does not say when it is over.
                Followed::Idle if looks_at_idle => unsure.push(channel.key().clone()),
                Followed::Silent => unsure.push(channel.key().clone()),
                Followed::Well | Followed::Idle => {}
            }
        }
        unsure.into_iter().for_each(|session| shared.look_at(session));
    }
}

impl Shared {
    fn hear(self: Arc<Self>, from: NodeId, session: SessionKey, what: What, body: Bytes) {
        let (now, post) = (self.clock.now(), &*self.post);
        let channel = self.channels.get(&session).map(|channel| Arc::clone(&channel));
        let answer = |what| {
            // Whoever asked asks again.
            self.colleagues.send(&[from], &session, what, &[]);
        };
        match (what, channel) {
            (What::Follow { run, next, is_behind }, channel) => {
                let is_here = channel
                    .is_some_and(|channel| channel.follow(from, (run, next, is_behind), now, post));
                answer(if is_here { What::Here } else { What::NotHere });
            }
            (What::AssetIs { question, content_type }, _) => {
                let found = content_type.map_or(Found::Missing, |content_type| {
                    Found::Here(Stored { content_type, bytes: body })
                });
                self.colleagues.answered(question, Answer::Asset(found));
            }
            (What::Stored { question, problem }, _) => {
                let stored = problem.map_or(Ok(()), Err);
                self.colleagues.answered(question, Answer::Stored(stored));
            }
            (What::NotHere, _) => self.look_at(session),
            (What::Put { question, sha256 }, channel) => {
                let put = channel.ok_or_else(over).and_then(|channel| channel.put(sha256, body));
                answer(What::Stored { question, problem: put.err() });
            }
            (What::Asset { question, epoch, asset }, channel) => {
                let place = Arc::clone(&self.colleagues.asked).try_acquire_owned().ok();
                let (Some(channel), Some(place)) = (channel, place) else {
                    return answer(What::AssetIs { question, content_type: None });
                };
                let colleagues = Arc::clone(&self.colleagues);
                tokio::spawn(async move {
                    let found = tokio::time::timeout(PATIENCE, channel.asset(epoch, asset)).await;
                    let (content_type, body) = match found {
                        Ok(Found::Here(Stored { content_type, bytes })) => {
                            (Some(content_type), bytes)
                        }
                        Ok(Found::NotYet | Found::Missing) | Err(_) => (None, Bytes::new()),
                    };
                    let answer = What::AssetIs { question, content_type };
                    colleagues.send(&[from], &session, answer, &body);
                    drop(place);
                });
            }
            (_, None) => {}
            (What::Part { run, number, epoch, key_frame }, Some(channel)) => {
                let part = Part { epoch, key_frame, message: body };
                channel.part_from(from, (run, number), part, now, post);
            }
            (What::Here, Some(channel)) => channel.here(from, now),
            (What::Leave, Some(channel)) => channel.leave(from),
            (What::KeyFrame, Some(channel)) => channel.key_frame(now, post),
            (What::Mark(mark), Some(channel)) => channel.show_mark(mark, post),
        }
    }

    /// Effects of other nodes' transitions were missed: what is shown is read anew.
    pub(super) fn look_at_all(self: &Arc<Self>) {
        let sessions: Vec<_> = self.channels.iter().map(|channel| channel.key().clone()).collect();
        sessions.into_iter().for_each(|session| self.look_at(session));
    }

    /// Brings a stream in line with what its session says.
    pub(super) fn look_at(self: &Arc<Self>, session: SessionKey) {
        let engine = self.engine.get().and_then(crate::store::place::WeakStore::upgrade);
        let Some(engine) = engine else { return };
        let (shared, key) = (Arc::clone(self), session.clone());
        let reader = move |found: Result<Option<&Session>, Refusal>| -> Afterwards {
            let Ok(found) = found else { return Box::new(|| ()) };
            let is_here = found.is_some_and(|session| session.nodes().contains(&shared.node));
            let shown = found.and_then(Session::shown).filter(|_| is_here);
            Box::new(move || match (shown, shared.channels.get(&key).map(|one| Arc::clone(&one))) {
                (Some(shown), Some(channel)) => {
                    channel.shown(shown, shared.clock.now(), &*shared.post);
                }
                (None, Some(_)) => shared.end_stream(&key),
                (_, None) => {}
            })
        };
        engine.read(session, Box::new(reader));
    }

    /// This node has nothing of the session any more.
    pub(super) fn end_stream(&self, session: &SessionKey) {
        if let Some((_, channel)) = self.channels.remove(session) {
            channel.end(&*self.post);
        }
    }
}

/// Where the stream of a session is.
enum Home {
    Here(Arc<Channel>),
    At(NodeId),
}

impl Cobrowse {
    /// An asset of a page of the session whose assets have this name, once it is there, or it is known that it will not come.
    pub async fn asset(&self, assets: &str, epoch: u32, asset: u32) -> Found {
        let Some(session) = self.shared.tickets.session_of(assets) else { return Found::Missing };
        match self.home(&session).await {
            Some(Home::Here(channel)) => {
                let found = tokio::time::timeout(PATIENCE, channel.asset(epoch, asset)).await;
                found.unwrap_or(Found::NotYet)
            }
            Some(Home::At(node)) => {
                let what = |question| What::Asset { question, epoch, asset };
                match self.shared.colleagues.ask(node, &session, what, &[]).await {
                    Some(Answer::Asset(found)) => found,
                    _ => Found::NotYet,
                }
            }
            None => Found::Missing,
        }
    }

    /// A content that a page's stream announced and the server wanted.
    ///
    /// # Errors
    /// See [`Channel::put`]; `unready` when the page's node does not answer.
    pub async fn put_asset(
        &self,
        session: &SessionKey,
        sha256: [u8; 32],
        content: Bytes,
    ) -> Result<(), Problem> {
        match self.home(session).await.ok_or_else(over)? {
            Home::Here(channel) => channel.put(sha256, content),
            Home::At(node) => {
                let what = |question| What::Put { question, sha256 };
                match self.shared.colleagues.ask(node, session, what, &content).await {
                    Some(Answer::Stored(stored)) => stored,
                    _ => {
                        let sentence = "the node that has the page does not answer";
                        Err(Problem::new(ErrorCode::Unready, sentence).retry_in(1_000))
                    }
                }
            }
        }
    }

    async fn home(&self, session: &SessionKey) -> Option<Home> {
        let here = || Some(Home::Here(Arc::clone(&*self.shared.channels.get(session)?)));
        if !self.shared.colleagues.are_there() {
            return here();
        }
        let Shown { stream, .. } = self.shown(session.clone()).await?;
        match stream?.socket.node {
            node if node == self.shared.node => here(),
            node => Some(Home::At(node)),
        }
    }

    async fn shown(&self, session: SessionKey) -> Option<Shown> {
        let (sender, shown) = oneshot::channel();
        let reader = move |found: Result<Option<&Session>, Refusal>| -> Afterwards {
            let shown = found.ok().flatten().and_then(Session::shown);
            Box::new(move || {
                let _ = sender.send(shown);
            })
        };
        self.engine.read(session, Box::new(reader));
        shown.await.ok()?
    }
}
