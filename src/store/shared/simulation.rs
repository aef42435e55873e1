//! Several nodes' cores against one server, with every delay, cut and crash that a seed can draw: the same seed gives the
//! same run. `SEEDS` says how many, or which ones (`from..to`), and `SEED` names one that failed.
//!
//! [`World`] has the nodes and what breaks, whatever the records are. `journals` looks at the engine by itself, with records
//! that keep what was done to them; presence puts its visitors into it.

mod faults;
mod journals;
mod node;
mod server;
mod world;

pub(crate) use self::{
    server::{Came, Made, effects_for},
    world::{Stage, World, random},
};
pub(crate) use super::lease::{Lease, Standing};

/// Runs the seeds that the environment names, `usually` so many. Names the one that fails.
pub(crate) fn for_each_seed(usually: u64, run: impl Fn(u64) + std::panic::RefUnwindSafe) {
    let named = |name| std::env::var(name).ok();
    let number = |text: &str| text.parse::<u64>().unwrap();
    let seeds = match (named("SEED"), named("SEEDS")) {
        (Some(seed), _) => number(&seed)..number(&seed) + 1,
        (None, Some(seeds)) => match seeds.split_once("..") {
            Some((from, to)) => number(from)..number(to),
            None => 0..number(&seeds),
        },
        (None, None) => 0..usually,
    };
    for seed in seeds {
        let result = std::panic::catch_unwind(|| run(seed));
        if let Err(panic) = result {
            eprintln!("SEED={seed} repeats this");
            std::panic::resume_unwind(panic);
        }
    }
}
