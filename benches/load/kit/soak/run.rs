//! A whole run against one server: a warm-up, the storm that counts, and what is judged afterwards.

use std::time::Instant;

use super::{Plan, Soak, ledger::Ledger, memory::Memory, settle::settle};
use crate::kit::server::{Server, Wishes};

/// Runs it all. Prints one closing summary; false when a rule was broken.
pub fn run(plan: &Plan) -> bool {
    // The server's own limits stay: connections leave from many addresses.
    let server = Server::start(&Wishes { lift_limits: false, ..Wishes::default() });
    let cold = server.resident_kib();
    let started = Instant::now();
    let mut failures = Vec::new();
    let (mut ledger, _) = round(&server, &plan.warm_up());
    failures.extend(settle(&server, plan.is_thorough));
    let warm = server.resident_kib();
    let cpu = server.cpu_ns();
    let storm_started = Instant::now();
    let (storm, memory) = round(&server, plan);
    let storm_seconds = storm_started.elapsed().as_secs_f64();
    let peak = server.resident_kib();
    let cpu = (server.cpu_ns() - cpu) as f64 / 1e9;
    ledger.add(storm);
    failures.extend(settle(&server, plan.is_thorough));
    let end = server.resident_kib();
    let figures = server.metrics();
    failures.extend(memory.judge());
    let allowed = warm + warm / 10 + 8 * 1024;
    if end > allowed {
        failures.push(format!("memory: {end} KiB at the end, more than {allowed} KiB"));
    }
    for name in [
        "record_panics_total",
        "records_set_aside_total",
        "actor_restarts_total",
        "inbox_full_total",
        "records_full_total",
        "limiter_full_total",
    ] {
        if figures.sum(name) > 0.0 {
            failures.push(format!("{name} is {}", figures.sum(name)));
        }
    }
    let log = server.log();
    let (stop, is_well) = server.stop();
    if !is_well {
        failures.push("the server did not end well".into());
    }
    if !log.is_empty() {
        failures.push(format!("the server complained:\n{log}"));
    }
    failures.extend(ledger.failures.iter().cloned());
    println!(
        "soak: seed {}, {} visitors ({} tabs), {} agents, {:.0} s\n  \
         page changes {} ({}), agents' sockets lost {}, visits ended on purpose {}\n  {}\n  \
         events to watchers {}, false leaves {}, missed leaves {}, out of order {}; {}\n  \
         memory: cold {cold} KiB, warm {warm}, after the storm {peak}, at the end {end} (allowed {allowed}){}\n  \
         server: {cpu:.2} s of CPU in a storm of {storm_seconds:.0} s, ended in {} ms",
        plan.seed,
        plan.visitors,
        ledger.tabs,
        plan.agents,
        started.elapsed().as_secs_f64(),
        ledger.changes,
        ledger.manners(),
        ledger.agents_lost,
        ledger.visits_ended,
        ledger.signals_line(),
        ledger.events,
        ledger.false_leaves,
        ledger.missed_leaves,
        ledger.disordered_events,
        ledger.pauses_line(),
        memory.line(),
        stop.as_millis(),
    );
    ledger.failures = failures;
    ledger.tell_failures("soak")
}

/// One storm from the first connect to the last close.
fn round(server: &Server, plan: &Plan) -> (Ledger, Memory) {
    let mut soak = Soak::new(server.address, server.token(), plan.seed);
    soak.told_at = plan.is_thorough.then(Instant::now);
    soak.make_visitors(plan.visitors, true);
    soak.make_agents(plan.agents);
    // Five hundred a second from many addresses: within every limit.
    soak.move_in(2.0);
    let mut memory = Memory::of(server.process());
    soak.storm(plan, &mut memory);
    soak.calm_down();
    soak.move_out();
    soak.ledger.longest_pause_ms = soak.pauses.longest();
    (soak.ledger, memory)
}
