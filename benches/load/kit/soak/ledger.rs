//! What was sent, what became of it, and which rules were broken.

use std::collections::{BTreeMap, HashMap};

use super::visitors::Visitor;

/// A signal, from its sending to its outcome.
pub struct Sent {
    pub agent: usize,
    pub visitor: usize,
    /// Whether it was meant for all tabs.
    pub to_all: bool,
    /// The server's id, once accepted.
    pub id: Option<String>,
    pub outcome: Option<Outcome>,
    /// How many final outcomes were told.
    pub told: u32,
    /// The visitor was away on purpose at some time of its life: it need not arrive.
    pub is_excused: bool,
    /// How often its agent sent it: again from each socket on which he had not heard of its end.
    pub sendings: u32,
    /// How often a handler ran with it: more than once only if it was meant for all tabs.
    pub runs: u32,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Outcome {
    Delivered,
    Expired,
    Refused,
}

#[derive(Default)]
pub struct Ledger {
    pub signals: Vec<Sent>,
    pub by_id: HashMap<String, usize>,
    /// Outcomes that were told before the id was, as the SDK remembers them.
    pub early: HashMap<String, String>,
    pub open: usize,
    pub changes: usize,
    pub by_manner: BTreeMap<&'static str, usize>,
    pub agents_lost: usize,
    pub visits_ended: usize,
    pub events: usize,
    pub false_leaves: usize,
    pub missed_leaves: usize,
    pub disordered_events: usize,
    pub disordered_signals: usize,
    pub repeated: usize,
    pub lost: usize,
    pub late: usize,
    /// Ran again or after a later one in a second tab, since the first came back too late to be waited for.
    pub misplaced: usize,
    pub redelivered: usize,
    pub resent: usize,
    pub excused: usize,
    pub accepted: usize,
    pub outcomes: BTreeMap<Outcome, usize>,
    pub tabs: usize,
    /// Leaves that could not be judged, since this process itself stood still.
    pub unjudged: usize,
    /// Leaves of visitors who came back after the grace.
    pub rightly_told: usize,
    pub longest_pause_ms: u64,
    pub failures: Vec<String>,
}

impl Ledger {
    pub fn fail(&mut self, failure: String) {
        self.failures.push(failure);
    }

    /// Prints what went wrong, and whether anything did.
    pub fn tell_failures(&self, name: &str) -> bool {
        for failure in self.failures.iter().take(20) {
            println!("  FAILED: {failure}");
        }
        let is_well = self.failures.is_empty();
        println!("{name}: {}", if is_well { "passed" } else { "FAILED" });
        is_well
    }

    pub fn events_line(&self) -> String {
        format!(
            "events to watchers {}, false leaves {}, out of order {}; {}",
            self.events,
            self.false_leaves,
            self.disordered_events,
            self.pauses_line()
        )
    }

    pub fn pauses_line(&self) -> String {
        format!(
            "this process stood still for {} ms at most, {} leaves were not judged for it",
            self.longest_pause_ms, self.unjudged
        )
    }

    pub fn all_ended(&self) -> bool {
        self.open == 0
    }

    /// The final outcome of a signal was told.
    pub fn end(&mut self, signal: usize, outcome: Outcome) {
        let sent = &mut self.signals[signal];
        sent.told += 1;
        if let Some(before) = sent.outcome {
            let failure = format!("signal {signal} ended twice: {before:?}, {outcome:?}");
            return self.fail(failure);
        }
        sent.outcome = Some(outcome);
        self.open -= 1;
    }

    /// A signal, with what may explain its fate.
    pub fn describe(&self, signal: usize) -> String {
        let Sent { agent, to_all, is_excused, sendings, .. } = &self.signals[signal];
        let to = if *to_all { "all tabs" } else { "one tab" };
        let excused = if *is_excused { ", excused" } else { "" };
        format!("signal {signal} (of agent {agent} to {to}, sent {sendings} times{excused})")
    }

    /// A handler ran; not judged where a tab of the visitor came back late.
    pub fn ran(&mut self, signal: usize, is_judged: bool) {
        let sent = &mut self.signals[signal];
        sent.runs += 1;
        if sent.runs > 1 && !sent.to_all && !is_judged {
            self.misplaced += 1;
        } else if sent.runs > 1 && !sent.to_all {
            let visitor = sent.visitor;
            self.repeated += 1;
            self.fail(format!("signal {signal} ran twice for visitor {visitor}"));
        }
    }

    /// Looks at every signal once all is over.
    pub fn judge(&mut self, visitors: &[Visitor]) {
        let mut failures = Vec::new();
        for (number, sent) in self.signals.iter().enumerate() {
            let name = &visitors[sent.visitor].name;
            self.accepted += usize::from(sent.id.is_some());
            self.excused += usize::from(sent.is_excused);
            if let Some(outcome) = sent.outcome {
                *self.outcomes.entry(outcome).or_default() += 1;
            }
            let is_delivered = sent.outcome == Some(Outcome::Delivered);
            if is_delivered != (sent.runs > 0) && !(sent.is_excused && sent.runs > 0) {
                failures.push(format!(
                    "signal {number} to {name}: {:?}, ran {} times",
                    sent.outcome, sent.runs
                ));
                self.lost += usize::from(sent.runs == 0);
            } else if !is_delivered && !sent.is_excused {
                failures
                    .push(format!("signal {number} to {name}, who was there: {:?}", sent.outcome));
                self.lost += usize::from(sent.id.is_some());
            }
        }
        self.failures.extend(failures);
        let of_nothing = self.early.keys().map(|id| format!("an outcome of nothing, {id}"));
        self.failures.extend(of_nothing);
        for (count, what) in [
            (self.false_leaves, "false leaves"),
            (self.missed_leaves, "missed leaves"),
            (self.disordered_events, "events out of order"),
            (self.disordered_signals, "signals out of order"),
        ] {
            if count > 0 {
                self.failures.push(format!("{count} {what}"));
            }
        }
    }

    pub fn manners(&self) -> String {
        let manners = self.by_manner.iter().map(|(manner, count)| format!("{manner} {count}"));
        manners.collect::<Vec<_>>().join(", ")
    }

    pub fn signals_line(&self) -> String {
        let outcomes = self.outcomes.iter().map(|(outcome, count)| format!("{outcome:?} {count}"));
        format!(
            "signals {}, accepted {}: {}; excused {}; lost {}, repeated {}, out of order {}; kept from repeating by the tab {}, \
             sent again by the agent {}, too late for the page {}, \
             not judged for a tab that came back late {}",
            self.signals.len(),
            self.accepted,
            outcomes.collect::<Vec<_>>().join(", ").to_lowercase(),
            self.excused,
            self.lost,
            self.repeated,
            self.disordered_signals,
            self.redelivered,
            self.resent,
            self.late,
            self.misplaced,
        )
    }

    /// Adds another round's counts.
    pub fn add(&mut self, other: Ledger) {
        for (mine, theirs) in [
            (&mut self.changes, other.changes),
            (&mut self.agents_lost, other.agents_lost),
            (&mut self.visits_ended, other.visits_ended),
            (&mut self.events, other.events),
            (&mut self.false_leaves, other.false_leaves),
            (&mut self.missed_leaves, other.missed_leaves),
            (&mut self.disordered_events, other.disordered_events),
            (&mut self.disordered_signals, other.disordered_signals),
            (&mut self.repeated, other.repeated),
            (&mut self.lost, other.lost),
            (&mut self.late, other.late),
            (&mut self.misplaced, other.misplaced),
            (&mut self.redelivered, other.redelivered),
            (&mut self.resent, other.resent),
            (&mut self.excused, other.excused),
            (&mut self.accepted, other.accepted),
            (&mut self.unjudged, other.unjudged),
            (&mut self.rightly_told, other.rightly_told),
        ] {
            *mine += theirs;
        }
        for (manner, count) in other.by_manner {
            *self.by_manner.entry(manner).or_default() += count;
        }
        for (outcome, count) in other.outcomes {
            *self.outcomes.entry(outcome).or_default() += count;
        }
        self.signals.extend(other.signals);
        self.failures.extend(other.failures);
        self.tabs = other.tabs;
        self.longest_pause_ms = self.longest_pause_ms.max(other.longest_pause_ms);
    }
}
