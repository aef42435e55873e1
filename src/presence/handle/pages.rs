//! What pages do: they come, report, go on under another visitor id, and go.

use super::{Presence, unexpected};
use crate::{
    model::{
        error::Problem,
        event::EventKind,
        ids::{SocketAddress, VisitorId, VisitorKey},
        timeline::PageEnd,
    },
    presence::visitor::command::{Command, Connect, Departure, Reply, Report, Welcome},
};

/// Why a page is not let in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NotWelcome {
    /// Its tab shows a newer page.
    Superseded,
    /// It may not, or not now.
    Refused(Problem),
}

impl Presence {
    /// A page connects. `answer` is called before anything that follows is sent to the page.
    pub fn connect(
        &self,
        key: VisitorKey,
        connect: Connect,
        answer: impl FnOnce(Result<Welcome, NotWelcome>) + Send + 'static,
    ) {
        self.submit(key, Command::Connect(Box::new(connect)), |reply| match reply {
            Ok(Reply::Welcome(welcome)) => answer(Ok(welcome)),
            Ok(Reply::Superseded) => answer(Err(NotWelcome::Superseded)),
            Ok(_) => answer(Err(NotWelcome::Refused(unexpected()))),
            Err(problem) => answer(Err(NotWelcome::Refused(problem))),
        });
    }

    /// A socket ended.
    pub fn close(
        &self,
        key: VisitorKey,
        socket: SocketAddress,
        departure: Departure,
        cause: PageEnd,
    ) {
        self.submit(key, Command::Close { socket, departure, cause }, |_| ());
    }

    /// A page's report for the watchers.
    pub fn report(
        &self,
        key: VisitorKey,
        socket: SocketAddress,
        kind: EventKind,
        answer: impl FnOnce(Result<(), Problem>) + Send + 'static,
    ) {
        match Report::new(kind) {
            Some(report) => self.command(key, Command::Report { socket, report }, answer),
            None => answer(Err(unexpected())),
        }
    }

    /// An anonymous visitor goes on as `known`, to whose record his page is connected already; `page` is the socket
    /// that leaves the anonymous record, if it is connected there. `done` is called when all is carried over, or at
    /// once when the anonymous record is gone.
    pub fn join(
        &self,
        anonymous: VisitorId,
        page: Option<SocketAddress>,
        known: VisitorKey,
        done: impl FnOnce() + Send + 'static,
    ) {
        let presence = self.clone();
        let key = VisitorKey { group: known.group.clone(), visitor: anonymous };
        let left = key.clone();
        let command = Command::Join { page, known: known.visitor.clone() };
        self.submit(key, command, move |reply| match reply {
            Ok(Reply::Joined { data, terms, sharing, help }) => {
                // A turn of that record later: by then its watchers have gone over, and hear what is inherited.
                let (anonymous, next) = (left, presence.clone());
                presence.read(
                    anonymous,
                    |_| (),
                    move |_| {
                        let inherit = Command::Inherit { data, terms, sharing, help };
                        next.submit(known, inherit, |_| done());
                    },
                );
            }
            _ => done(),
        });
    }
}
