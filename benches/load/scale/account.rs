//! What the nodes and the server that they share count, and differences of that.

use std::{collections::BTreeMap, time::Instant};

use crate::kit::nodes::Nodes;

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
    ("bytes in", "bytes that the server received"),
    ("bytes out", "bytes that it sent"),
    ("heard", "messages that nodes heard of each other or of themselves"),
    ("heard bytes", "bytes of these"),
    ("conflicts", "transitions made anew, because another node was faster"),
    ("memory", "bytes that the server uses"),
    ("server CPU", "µs"),
    ("nodes CPU", "µs, all nodes together"),
    ("seconds", ""),
];

impl Account {
    pub fn of(nodes: &mut Nodes) -> Self {
        let info: String = nodes.ask("INFO", &["everything"]);
        let entry = |name: &str| {
            let line = info.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
            line.and_then(|value| value.trim().parse::<f64>().ok()).unwrap_or_else(|| {
                panic!("the server does not say {name}");
            })
        };
        let calls = info.lines().filter_map(|line| {
            let (name, rest) = line.strip_prefix("cmdstat_")?.split_once(":calls=")?;
            let calls = rest.split(',').next()?.parse().ok()?;
            Some((name.to_owned(), calls))
        });
        let server = entry("used_cpu_sys") + entry("used_cpu_user");
        Self {
            at: Some(Instant::now()),
            seconds: 0.0,
            commands: calls.collect(),
            figures: [
                nodes.sum("cluster_commands_total"),
                entry("total_net_input_bytes"),
                entry("total_net_output_bytes"),
                nodes.sum("cluster_messages_total"),
                nodes.sum("cluster_heard_bytes_total"),
                nodes.sum("cluster_conflicts_total"),
                entry("used_memory"),
                server * 1e6,
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
