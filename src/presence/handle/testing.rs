//! A presence without sockets, for the tests of what stands on it.

use std::num::NonZeroU32;

use parking_lot::Mutex;

use super::*;
use crate::{
    clock::Timestamp,
    limits::Rate,
    model::{event::EventKind, signal::Message},
    presence::visitor::command::Connect,
};

/// When the tests' clock begins.
pub(crate) const START: Timestamp = Timestamp(1_700_000_000_000);

/// Writes down what leaves for the sockets.
#[derive(Default)]
pub(crate) struct Recorder(Mutex<Vec<String>>);

impl Recorder {
    fn write(&self, line: String) {
        self.0.lock().push(line);
    }

    /// What left since the last call.
    pub(crate) fn told(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock())
    }
}

impl Post for Recorder {
    fn page(&self, to: SocketId, message: ToPage) {
        self.write(match message {
            ToPage::Signal { message: Message::Signal { data }, .. } => {
                format!("{}: signal {}", to.0, data.text())
            }
            ToPage::Close(code) => format!("{}: close {}", to.0, code.as_str()),
            other => format!("{}: {other:?}", to.0),
        });
    }

    fn event(&self, _: &[SocketId], event: &Event) {
        self.write(match &event.kind {
            EventKind::VisitorConn { connected } => format!("conn {connected}"),
            EventKind::VisitorSock { sockets, .. } => format!("sock {sockets}"),
            other => format!("{other:?}"),
        });
    }

    fn agent(&self, to: SocketId, message: &ToAgent) {
        self.write(format!("{}: {message:?}", to.0));
    }

    fn settled(&self, outcome: Outcome) {
        self.write(format!("settled {outcome:?}"));
    }
}

/// Two shards, the grace and the windows of the design, and a clock that stands.
pub(crate) fn options() -> Options {
    Options {
        place: Place::alone(NodeId { node: 0, incarnation: 1 }, 2, Clock::manual(START)),
        rules: Rules::USUAL,
        unique_life_ms: 300_000,
        unique_digits: 6,
        guesses: GuessLimits {
            per_address: Rate::per_minute(NonZeroU32::MAX),
            per_group: Rate::per_minute(NonZeroU32::MAX),
            remembered: 100,
        },
        watches: WatchLimits::default(),
        most_records: usize::MAX,
        timeline_entries: 1_000,
        most_help: 2,
    }
}

/// A page that can be seen and wants signals.
pub(crate) fn page(socket: SocketAddress) -> Connect {
    Connect {
        socket,
        tab: "t".parse().unwrap(),
        page: "p".parse().unwrap(),
        accepted: START,
        visible: true,
        listening: true,
        seen: Vec::new(),
        data: None,
        from: None,
    }
}
