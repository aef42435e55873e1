//! Puts load on a real server and says what it took.
//!
//! ```text
//! cargo bench --bench load -- SCENARIO [--name value]...
//! ```
//!
//! The server is a child process with generated settings and one worker, on core 0; this process has one thread, on
//! core 1, and ends only what it started. `VESTIBULE_BIN` names another binary than the one of this build.

// A load generator stops at the first surprise.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs
)]

mod baseline;
mod kit;
mod scale;
mod scenarios;
mod streams;

use std::{collections::HashMap, process::ExitCode, time::Duration};

use kit::{
    bayeux,
    soak::{self, loss::Loss, rolling::Rolling, storm::Storm},
};

/// The baseline server has the product's allocator.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// What stands behind the scenario's name.
pub struct Arguments(HashMap<String, String>);

impl Arguments {
    fn has(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    fn number<T: std::str::FromStr>(&self, name: &str, default: T) -> T {
        let Some(text) = self.0.get(name) else { return default };
        text.parse().unwrap_or_else(|_| panic!("--{name} wants a number, not {text:?}"))
    }
}

fn main() -> ExitCode {
    // `cargo bench` adds a `--bench` of its own.
    let mut words = std::env::args().skip(1).filter(|word| word != "--bench").peekable();
    let scenario = words.next_if(|word| !word.starts_with("--")).unwrap_or_default();
    let mut arguments = HashMap::new();
    while let Some(word) = words.next() {
        let name = word.strip_prefix("--").unwrap_or_else(|| panic!("what is {word:?}?"));
        let value = words.next_if(|word| !word.starts_with("--")).unwrap_or_default();
        arguments.insert(name.to_owned(), value);
    }
    let arguments = Arguments(arguments);
    let is_well = match scenario.as_str() {
        "soak" => {
            let plan = match (arguments.has("short"), arguments.has("long")) {
                (true, _) => soak::Plan::short(),
                (_, true) => soak::Plan::long(),
                _ => soak::Plan::full(),
            };
            let minutes = arguments.number("minutes", plan.time.as_secs_f64() / 60.0);
            soak::run(&soak::Plan {
                changes: arguments.number("changes", plan.changes),
                signals: arguments.number("signals", plan.signals),
                seed: arguments.number("seed", plan.seed),
                visitors: arguments.number("visitors", plan.visitors),
                agents: arguments.number("agents", plan.agents),
                rate: arguments.number("rate", plan.rate),
                time: Duration::from_secs_f64(minutes * 60.0),
                ..plan
            })
        }
        "idle" => scenarios::idle(&arguments),
        "signals" => scenarios::signals(&arguments),
        "fanout" => scenarios::fanout(&arguments),
        "streams" => streams::streams(&arguments),
        "pagechange" => scenarios::page_change(&arguments),
        "restart" if arguments.has("short") => storm(&arguments, Storm::short_restart()),
        "restart" => storm(&arguments, Storm::restart()),
        "avalanche" if arguments.has("short") => storm(&arguments, Storm::short_avalanche()),
        "avalanche" => storm(&arguments, Storm::avalanche()),
        "rolling" => {
            let plan = if arguments.has("short") { Rolling::short() } else { Rolling::full() };
            soak::rolling::run(&Rolling {
                is_blind: arguments.has("blind"),
                nodes: arguments.number("nodes", plan.nodes),
                visitors: arguments.number("visitors", plan.visitors),
                agents: arguments.number("agents", plan.agents),
                signals_per_second: arguments.number("signals", plan.signals_per_second),
                seed: arguments.number("seed", plan.seed),
            })
        }
        "loss" => {
            let plan = if arguments.has("short") { Loss::short() } else { Loss::full() };
            soak::loss::run(&Loss {
                nodes: arguments.number("nodes", plan.nodes),
                visitors: arguments.number("visitors", plan.visitors),
                agents: arguments.number("agents", plan.agents),
                signals_per_second: arguments.number("signals", plan.signals_per_second),
                seed: arguments.number("seed", plan.seed),
            })
        }
        "bayeux" => {
            let plan =
                if arguments.has("short") { bayeux::Plan::short() } else { bayeux::Plan::full() };
            bayeux::run(&bayeux::Plan {
                clients: arguments.number("clients", plan.clients),
                ..plan
            })
        }
        "scale" => scale::scale(&arguments),
        "baseline" => baseline::idle(&arguments),
        "baseline-server" => baseline::serve(),
        other => {
            println!("{other:?} is no scenario; see docs/performance.md");
            false
        }
    };
    if is_well { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn storm(arguments: &Arguments, storm: Storm) -> bool {
    soak::storm::run(&Storm {
        visitors: arguments.number("visitors", storm.visitors),
        agents: arguments.number("agents", storm.agents),
        signals_per_second: arguments.number("signals", storm.signals_per_second),
        away_ms: arguments.number("away", storm.away_ms),
        budget_ms: arguments.number("budget", storm.budget_ms),
        seed: arguments.number("seed", storm.seed),
        ..storm
    })
}
