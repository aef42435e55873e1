//! After a loss each node says of each kind of records when it has said again what it knows of them, and waits until the others
//! have. What a part's kinds wait for is looked at together, or so many looks would be what a return costs most.

use std::{
    cell::RefCell,
    rc::Rc,
    time::{Duration, Instant},
};

use redis::RedisResult;
use tokio::sync::oneshot;

use super::{
    link::{Link, in_time, member},
    member::Marked,
};

/// How long a node waits for others to restate what they know, after it has done so itself.
const WAITS_FOR_OTHERS: Duration = Duration::from_millis(1_500);
/// A server that takes longer to answer keeps the others from that.
const PROMPT: Duration = Duration::from_millis(500);
/// How often it looks whether they have.
const LOOKS_EVERY: Duration = Duration::from_millis(25);

/// The kinds of a part that wait for the other nodes.
#[derive(Default)]
pub(super) struct Restating(RefCell<Looks>);

#[derive(Default)]
struct Looks {
    waiting: Vec<Waiting>,
    /// Whether somebody sees to them.
    are_made: bool,
}

impl Looks {
    /// Of one kind the latest waits: under an earlier mark nobody restates any more.
    fn add(&mut self, waiting: Waiting) {
        self.waiting.retain(|of| of.kind != waiting.kind);
        self.waiting.push(waiting);
    }

    /// Puts back what was looked at meanwhile.
    fn put_back(&mut self, looked_at: Vec<Waiting>) {
        let is_latest = |of: &Waiting| self.waiting.iter().all(|other| other.kind != of.kind);
        let (mut latest, _): (Vec<_>, Vec<_>) = looked_at.into_iter().partition(is_latest);
        self.waiting.append(&mut latest);
    }
}

struct Waiting {
    kind: &'static str,
    marked: Marked,
    /// Since when it waits for a server that answers promptly.
    since: Instant,
    /// Whether the others can know that this node waits.
    is_said: bool,
    /// Told by its end.
    _done: oneshot::Sender<()>,
}

impl Link {
    /// Says that this node has restated its records of a kind under this mark, and waits until the others have, or had time
    /// for it.
    pub(super) async fn restated(self: &Rc<Self>, kind: &'static str, marked: Marked) {
        let (done, is_done) = oneshot::channel();
        let waiting = Waiting { kind, marked, since: Instant::now(), is_said: false, _done: done };
        let are_made = {
            let mut looks = self.restating.0.borrow_mut();
            looks.add(waiting);
            std::mem::replace(&mut looks.are_made, true)
        };
        if !are_made {
            let link = Rc::clone(self);
            tokio::task::spawn_local(async move { link.look_for_others().await });
        }
        // It says nothing but that it is over.
        let _ = is_done.await;
    }

    async fn look_for_others(&self) {
        loop {
            let mut waiting = std::mem::take(&mut self.restating.0.borrow_mut().waiting);
            let began = Instant::now();
            let looked = self.look_once(&mut waiting).await;
            // A server that keeps this node waiting kept the others waiting, too.
            if looked.is_err() || began.elapsed() >= PROMPT {
                waiting.iter_mut().for_each(|of| of.since = Instant::now());
            }
            if let Err(error) = looked {
                tracing::debug!(part = self.part.number(), %error, "could not look at other nodes");
            }
            let no_hope = self.standing().is_final();
            waiting.retain(|of| {
                let gives_up = no_hope || of.is_said && of.since.elapsed() >= WAITS_FOR_OTHERS;
                if gives_up {
                    let kind = of.kind;
                    tracing::warn!(kind, "some nodes may not have said again what they know");
                }
                !gives_up
            });
            {
                let mut looks = self.restating.0.borrow_mut();
                looks.put_back(waiting);
                looks.are_made = !looks.waiting.is_empty();
                if !looks.are_made {
                    return;
                }
            }
            tokio::time::sleep(LOOKS_EVERY).await;
        }
    }

    /// Says for all of them that this node has done its part, and lets those go on whose others have.
    async fn look_once(&self, waiting: &mut Vec<Waiting>) -> RedisResult<()> {
        let me = member(&self.node)?;
        // Whom this asks for is known before it is asked, so that nobody is missing.
        let is_settled: Vec<bool> = waiting.iter().map(|of| self.is_settled(&of.marked)).collect();
        let mut pipe = redis::pipe();
        for of in &*waiting {
            let place = self.of_nodes(&format!("restated:{}", of.kind));
            let others = self.membership.others(&of.marked.others);
            let others: Vec<String> = others.iter().filter_map(|node| member(node).ok()).collect();
            pipe.hset(&place, &me, &*of.marked.mark).ignore();
            pipe.cmd("HMGET").arg(&place).arg(&me).arg(others);
        }
        let asked = in_time(async {
            let mut connection = self.as_member().await?;
            pipe.query_async::<Vec<Vec<Option<String>>>>(&mut connection).await
        });
        let mut answers = asked.await?.into_iter().zip(is_settled);
        let mut done = Vec::new();
        waiting.retain_mut(|of| {
            let Some((marks, is_settled)) = answers.next() else { return true };
            of.is_said = true;
            let all = marks.iter().all(|mark| mark.as_deref() == Some(&*of.marked.mark));
            if all && is_settled {
                done.push((of.kind, of.since.elapsed()));
            }
            !(all && is_settled)
        });
        if !done.is_empty() {
            let part = self.part.number();
            tracing::debug!(part, ?done, "all nodes have said again what they know");
        }
        Ok(())
    }

    fn is_settled(&self, marked: &Marked) -> bool {
        marked.since.is_none_or(|since| self.membership.knows_all_of(since))
    }
}
