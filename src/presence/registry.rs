//! The registry's actors: one on each worker's thread, which keeps that worker's shards going.
//!
//! Records live in the shards' handles. When a registry actor dies, its supervisor makes a new one by its factory, and
//! the new one goes on where the old one was.

use std::{
    pin::Pin,
    rc::Rc,
    task::{Context as TaskContext, Poll},
    time::Duration,
};

use actix::{Actor, ActorFuture, Addr, AsyncContext, Context};

use crate::store::memory::Keep;

/// How often timers are looked at. A grace ends at most so much late.
const TICK: Duration = Duration::from_millis(25);
/// Ticks between two sweeps of the thread's sockets.
const TICKS_PER_SWEEP: u32 = 20;
/// How long a registry actor that died waits for its successor.
const RESTART_PAUSE: Duration = Duration::from_millis(50);

/// What a registry actor does on its thread.
pub struct Duties {
    /// The shards that it keeps.
    pub shards: Vec<Box<dyn Keep>>,
    /// Looks after the leases of the thread's sockets; called about twice a second.
    pub sweep: Box<dyn Fn()>,
    /// Called each time an actor is replaced.
    pub restarted: Box<dyn Fn()>,
}

/// Keeps the shards of one worker's thread.
pub struct Registry {
    duties: Rc<Duties>,
    ticks: u32,
    /// Makes a successor when this actor goes without having been told to.
    _successor: Successor,
}

impl Registry {
    /// Starts a registry actor on this thread, and another whenever it dies, until the thread's arbiter ends.
    pub fn supervise(duties: Duties) -> Addr<Self> {
        Self::start_with(Rc::new(duties))
    }

    fn start_with(duties: Rc<Duties>) -> Addr<Self> {
        let successor = Successor(Rc::clone(&duties));
        Self { duties, ticks: 0, _successor: successor }.start()
    }
}

impl Actor for Registry {
    type Context = Context<Self>;

    fn started(&mut self, context: &mut Self::Context) {
        for shard in &self.duties.shards {
            shard.adopt();
        }
        context.spawn(Drain);
        context.run_interval(TICK, |registry, _| {
            registry.duties.shards.iter().for_each(|shard| shard.run_due());
            registry.ticks = registry.ticks.wrapping_add(1);
            if registry.ticks.is_multiple_of(TICKS_PER_SWEEP) {
                (registry.duties.sweep)();
            }
        });
    }
}

/// Empties the inboxes whenever something comes in. Never ends.
struct Drain;

impl ActorFuture<Registry> for Drain {
    type Output = ();

    fn poll(
        self: Pin<&mut Self>,
        registry: &mut Registry,
        _: &mut Context<Registry>,
        task: &mut TaskContext<'_>,
    ) -> Poll<()> {
        registry.duties.shards.iter().for_each(|shard| shard.drain(task.waker()));
        Poll::Pending
    }
}

struct Successor(Rc<Duties>);

impl Drop for Successor {
    fn drop(&mut self) {
        // `spawn_local` would panic on a thread that is being taken down; there nobody needs a successor either.
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        if actix_rt::Arbiter::try_current().is_none() {
            return;
        }
        drop(runtime);
        let duties = Rc::clone(&self.0);
        let restart = async move {
            tokio::time::sleep(RESTART_PAUSE).await;
            (duties.restarted)();
            tracing::error!("a registry actor died and was replaced");
            Registry::start_with(duties);
        };
        let _ = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            actix_rt::spawn(restart);
        }));
    }
}

#[cfg(test)]
mod tests {
    use std::{cell::Cell, sync::Arc, task::Waker};

    use parking_lot::Mutex;

    use super::*;

    /// Counts what is asked of it, and keeps the waker of the last drain.
    #[derive(Default)]
    struct Shard(Arc<Mutex<(u32, Option<Waker>)>>);

    impl Keep for Shard {
        fn adopt(&self) {
            self.0.lock().0 += 1;
        }
        fn drain(&self, waker: &Waker) {
            self.0.lock().1 = Some(waker.clone());
        }
        fn run_due(&self) {}
    }

    #[actix_rt::test]
    async fn rule_4_9_a_registry_actor_that_dies_is_replaced_by_its_factory() {
        let shard = Shard::default();
        let adopted = Arc::clone(&shard.0);
        let (restarts, sweeps) = (Rc::new(Cell::new(0)), Rc::new(Cell::new(0)));
        let (restarted, swept) = (Rc::clone(&restarts), Rc::clone(&sweeps));
        Registry::supervise(Duties {
            shards: vec![Box::new(shard)],
            sweep: Box::new(move || {
                swept.set(swept.get() + 1);
                assert!(swept.get() > 2, "asked to");
            }),
            restarted: Box::new(move || restarted.set(restarted.get() + 1)),
        });
        let goes_on = async {
            while sweeps.get() < 4 {
                tokio::time::sleep(TICK).await;
            }
        };
        let goes_on = tokio::time::timeout(Duration::from_secs(10), goes_on).await;
        goes_on.expect("a successor sweeps");
        assert_eq!(restarts.get(), 2, "twice dead, twice replaced");
        let (adoptions, waker) = adopted.lock().clone();
        assert_eq!(adoptions, 3, "each adopts the shards");
        assert!(waker.is_some(), "and drains their inboxes");
    }
}
