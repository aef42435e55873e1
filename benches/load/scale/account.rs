//! What the nodes count and the server that they share, or all masters of a cluster together, and differences of that.

use std::{collections::BTreeMap, time::Instant};

use redis::Connection;

use crate::kit::nodes::{self, Nodes};

/// What was counted up to a moment, or within a time, or for one of many operations.
#[derive(Clone, Default)]
pub struct Account {
    at: Option<Instant>,
    pub seconds: f64,
    /// By name, commands that the server carried out, those within scripts included.
    commands: BTreeMap<String, f64>,
    figures: [f64; FIGURES.len()],
}

/// Names and units of what is counted beside the commands.
const FIGURES: [(&str, &str); 10] = [
    ("sent", "commands that nodes sent; a script is one"),
    ("bytes in", "bytes that the server received, or all masters together"),
    ("bytes out", "bytes that it sent"),
    ("heard", "messages that nodes heard of each other or of themselves"),
    ("heard bytes", "bytes of these"),
    ("conflicts", "transitions made anew, because another node was faster"),
    ("memory", "bytes that the server uses"),
    ("server CPU", "µs, all masters together"),
    ("nodes CPU", "µs, all nodes together"),
    ("seconds", ""),
];

impl Account {
    pub fn of(nodes: &mut Nodes) -> Self {
        let said: Vec<Said> = nodes.servers().iter_mut().map(Said::by).collect();
        let sum = |name| said.iter().map(|said| said.entry(name)).sum();
        let mut commands = BTreeMap::<String, f64>::new();
        for (name, calls) in said.iter().flat_map(Said::commands) {
            *commands.entry(name).or_default() += calls;
        }
        Self {
            at: Some(Instant::now()),
            seconds: 0.0,
            commands,
            figures: [
                nodes.sum("cluster_commands_total"),
                sum("total_net_input_bytes"),
                sum("total_net_output_bytes"),
                nodes.sum("cluster_messages_total"),
                nodes.sum("cluster_heard_bytes_total"),
                nodes.sum("cluster_conflicts_total"),
                sum("used_memory"),
                said.iter().map(Said::cpu_us).sum(),
                nodes.cpu_ns() as f64 / 1e3,
                0.0,
            ],
        }
    }

    /// What came between.
    pub fn since(&self, before: &Self) -> Self {
        let mut between = self.less(before);
        if let (Some(now), Some(then)) = (self.at, before.at) {
            between.seconds = (now - then).as_secs_f64();
        }
        between
    }

    pub fn less(&self, other: &Self) -> Self {
        let mut commands = self.commands.clone();
        for (name, calls) in &other.commands {
            *commands.entry(name.clone()).or_default() -= calls;
        }
        let figures = std::array::from_fn(|n| self.figures[n] - other.figures[n]);
        Self { at: self.at, seconds: self.seconds, commands, figures }
    }

    pub fn times(&self, factor: f64) -> Self {
        let commands = self.commands.iter().map(|(name, calls)| (name.clone(), calls * factor));
        let figures = self.figures.map(|figure| figure * factor);
        Self { at: None, seconds: self.seconds, commands: commands.collect(), figures }
    }

    pub fn each(&self, number: f64) -> Self {
        self.times(1.0 / number)
    }

    pub fn head() -> String {
        let names = FIGURES.iter().map(|(name, _)| format!("{name:>12}"));
        format!("{:40}{:>12}{}", "", "carried out", names.collect::<String>())
    }

    pub fn line(&self, what: &str) -> String {
        let all: f64 = self.commands.values().sum();
        let figures = self.figures.iter().map(|figure| format!("{figure:>12.2}"));
        format!("{what:40}{all:>12.2}{}", figures.collect::<String>())
    }

    /// Commands by name, the most frequent first.
    pub fn commands_line(&self) -> String {
        let mut commands: Vec<_> =
            self.commands.iter().filter(|(_, calls)| **calls > 0.02).collect();
        commands.sort_by(|one, other| other.1.total_cmp(one.1));
        let commands = commands.iter().map(|(name, calls)| format!("{name} {calls:.2}"));
        commands.collect::<Vec<_>>().join(", ")
    }
}

/// What `INFO` says.
struct Said(String);

impl Said {
    fn by(server: &mut Connection) -> Self {
        Self(nodes::ask(server, "INFO", &["everything"]))
    }

    fn entry(&self, name: &str) -> f64 {
        let line = self.0.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        line.and_then(|value| value.trim().parse().ok())
            .unwrap_or_else(|| panic!("the server does not say {name}"))
    }

    fn cpu_us(&self) -> f64 {
        (self.entry("used_cpu_sys") + self.entry("used_cpu_user")) * 1e6
    }

    /// Those that it carried out, by name.
    fn commands(&self) -> impl Iterator<Item = (String, f64)> {
        self.0.lines().filter_map(|line| {
            let (name, rest) = line.strip_prefix("cmdstat_")?.split_once(":calls=")?;
            let calls = rest.split(',').next()?.parse().ok()?;
            Some((name.to_owned(), calls))
        })
    }
}

/// The CPU of each server since its start, in µs.
pub fn cpu_of_each(nodes: &mut Nodes) -> Vec<f64> {
    nodes.servers().iter_mut().map(|server| Said::by(server).cpu_us()).collect()
}
