//! What is seen of a server from outside: its process, its log, and what it has left over.

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use super::{Server, asking::figure, log_in};
use crate::support::SOON;

impl Server {
    pub fn log(&self) -> String {
        log_in(&self.folder)
    }

    /// The threads of the process, by their names.
    pub fn threads(&self) -> Vec<String> {
        let tasks = std::fs::read_dir(format!("/proc/{}/task", self.pid())).unwrap();
        // One may end while it is looked at.
        let name = |task: std::io::Result<std::fs::DirEntry>| {
            std::fs::read_to_string(task.ok()?.path().join("comm")).ok()
        };
        let mut names: Vec<_> = tasks.filter_map(name).map(|name| name.trim().to_owned()).collect();
        names.sort_unstable();
        names
    }

    /// Where it listens, as its log says. Its greeting says where others find it.
    pub(super) fn listens(&self) -> SocketAddr {
        let end = Instant::now() + SOON;
        loop {
            let log = self.log();
            if let Some((_, line)) = log.rsplit_once("listening on: ") {
                return line.lines().next().unwrap().trim().parse().unwrap();
            }
            assert!(Instant::now() < end, "it does not listen:\n{log}");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// What a server has that nobody uses does not have, or that none has ever.
    pub(super) fn leftovers(&self) -> Option<String> {
        let metrics = match self.try_get("/metrics") {
            Ok((_, metrics)) => metrics,
            Err(error) => return Some(error.to_string()),
        };
        let gone = [
            r#"sockets_open{kind="visitor"}"#,
            r#"sockets_open{kind="agent"}"#,
            "watchers",
            "lists_open",
            "list_views",
            "topic_subscriptions",
            "inbox_depth",
        ];
        let never = [
            "record_panics_total",
            "actor_restarts_total",
            "inbox_full_total",
            "list_panics_total",
        ];
        // Bayeux clients outlive their connections for a while, and hear what they subscribed to.
        let outlives =
            |name| name == "topic_subscriptions" && figure(&metrics, "bayeux_clients") != Some(0.0);
        let looked_at = gone.into_iter().filter(|name| !outlives(*name)).chain(never);
        let left = looked_at.filter_map(|name| {
            let value = figure(&metrics, name);
            (value != Some(0.0)).then(|| format!("{name} is {value:?}"))
        });
        let left: Vec<_> = left.collect();
        (!left.is_empty()).then(|| left.join(", "))
    }
}
