//! A process that has been started, and serves at some time, or never.

use std::{
    io::{BufRead as _, BufReader},
    net::SocketAddr,
    process::Child,
    rc::Rc,
    time::Duration,
};

use tempfile::TempDir;

use super::{Server, log_in, new_folder, owned, send, spawn};
use crate::support::{SOON, tls::Authority};

pub struct Starting {
    child: Option<Child>,
    folder: Rc<TempDir>,
    settings: Vec<(String, String)>,
    authority: Option<Rc<Authority>>,
}

impl Starting {
    pub(super) fn begin(
        folder: Rc<TempDir>,
        mut settings: Vec<(String, String)>,
        port: Option<u16>,
        authority: Option<Rc<Authority>>,
    ) -> Self {
        // All that a server does alone, one of several nodes does, too.
        let has_engine = settings.iter().any(|(key, _)| key == "cluster.engine");
        if std::env::var("VESTIBULE_TEST_ENGINE").is_ok_and(|engine| engine == "redis")
            && !has_engine
        {
            let url =
                crate::support::nodes::cluster_url().expect("tests/with-redis runs the tests");
            let own = [("cluster.engine", "redis"), ("cluster.url", &*url)];
            settings.extend(own.iter().map(owned));
        }
        let child = Some(spawn(&folder, &settings, port));
        Self { child, folder, settings, authority }
    }

    /// What it said so far, or whoever else is in its folder.
    pub fn log(&self) -> String {
        log_in(&self.folder)
    }

    /// Stops the process where it stands.
    pub fn pause(&self) {
        send(self.child.as_ref().unwrap().id(), "-STOP");
    }

    /// Lets it go on.
    pub fn resume(&self) {
        send(self.child.as_ref().unwrap().id(), "-CONT");
    }

    /// Waits until it serves.
    pub fn ready(mut self) -> Server {
        let mut child = self.child.take().unwrap();
        let mut greeting = BufReader::new(child.stdout.take().unwrap());
        let mut server = Server {
            child: Some(child),
            address: SocketAddr::from(([127, 0, 0, 1], 0)),
            folder: Rc::clone(&self.folder),
            settings: std::mem::take(&mut self.settings),
            authority: self.authority.take(),
        };
        let scheme = if server.authority.is_some() { "https://" } else { "http://" };
        let mut line = String::new();
        while !line.contains(scheme) {
            line.clear();
            let read = greeting.read_line(&mut line).unwrap();
            assert!(read > 0, "the server ended without a greeting:\n{}", server.log());
        }
        let address = line.split(scheme).nth(1).unwrap().split('/').next().unwrap();
        let is_elsewhere = server.settings.iter().any(|(key, _)| key == "server.public_url");
        server.address = if is_elsewhere { server.listens() } else { address.parse().unwrap() };
        server
    }

    /// Waits until it ends by itself, with an error: that error.
    pub async fn refused(mut self) -> String {
        let end = tokio::time::Instant::now() + 2 * SOON;
        let child = self.child.as_mut().unwrap();
        let status = loop {
            if let Some(status) = child.try_wait().unwrap() {
                break status;
            }
            assert!(
                tokio::time::Instant::now() < end,
                "it does not end:\n{}",
                log_in(&self.folder)
            );
            tokio::time::sleep(Duration::from_millis(20)).await;
        };
        let log = self.log();
        assert!(!status.success(), "{log}");
        let error = log.lines().rfind(|line| line.starts_with("vestibule: "));
        error.unwrap_or_else(|| panic!("no error:\n{log}")).to_owned()
    }
}

impl Drop for Starting {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            // It may have ended already.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

impl Server {
    /// Starts one, and does not wait for it.
    pub fn begins(settings: &[(&str, &str)]) -> Starting {
        Starting::begin(new_folder(), settings.iter().map(owned).collect(), None, None)
    }

    /// Starts another process with the same settings, but for those that are changed, in the same folder: with the same
    /// storage, and another port.
    pub fn another_process(&self, changed: &[(&str, &str)]) -> Starting {
        let mut settings = self.settings.clone();
        settings.extend(changed.iter().map(owned));
        Starting::begin(Rc::clone(&self.folder), settings, None, self.authority.clone())
    }
}
