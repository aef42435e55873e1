//! The model's signals: it does not decide when one goes out, but is told ([`Model::sent`]), and says whether that was
//! right.

use super::model::{Model, Open, Whereabouts};
use crate::model::{
    ids::{SignalId, SocketAddress},
    signal::Outcome,
};

impl Model {
    pub fn finish(&mut self, id: SignalId, outcome: Outcome) {
        let Some(at) = self.open.iter().position(|open| open.id == id) else { return };
        let open = self.open.remove(at);
        if let Some(sender) = open.sender {
            self.told.settled.push((sender, id, outcome));
        }
        self.ended.push((id, outcome, self.now + 60_000));
    }

    /// Whether a new signal must be accepted.
    pub fn takes(&self, bytes: usize) -> bool {
        let unknown = matches!(self.whereabouts, Whereabouts::Unknown { .. });
        let waiting: usize = self.open.iter().map(|open| open.bytes).sum();
        (self.listens() || unknown || self.in_signal_window())
            && self.open.len() < 32
            && waiting + bytes <= 256 * 1024
    }

    pub fn accept(&mut self, id: SignalId, sender: Option<SocketAddress>, all: bool, bytes: usize) {
        let window = self.rules.signal_window_ms;
        let due = match self.whereabouts {
            Whereabouts::Unknown { until } => until + window,
            _ if self.listens() => self.now + window.max(self.rules.ack_ms),
            _ => self.now + window,
        };
        let (at, was_sent) = (Vec::new(), false);
        self.open.push(Open { id, sender, all, bytes, due, at, was_sent, interrupted: None });
    }

    /// The service sends a signal to these pages.
    pub fn sent(&mut self, id: SignalId, to: &[SocketAddress]) {
        let index = self.open.iter().position(|open| open.id == id);
        let index = index.unwrap_or_else(|| panic!("{id:?} is sent after its end"));
        let open = &self.open[index];
        assert!(open.all || open.at.is_empty(), "{id:?} is sent again while a page has it");
        let tab = open.interrupted.as_ref().map(|(tabs, _)| tabs);
        let same = self
            .pages
            .iter()
            .find(|page| page.listening && tab.is_some_and(|tabs| tabs.contains(&page.tab)));
        let mut expected: Vec<_> = if open.all {
            self.lacking(open).collect()
        } else {
            same.or(self.focus()).map(|page| page.address).into_iter().collect()
        };
        let mut to = to.to_vec();
        expected.sort();
        to.sort();
        assert_eq!(to, expected, "{id:?} goes to the wrong pages");
        // Given to another tab, since its own did not come back, it may come late.
        let is_in_order = open.all || !open.was_sent || same.is_some();
        for page in self.pages.iter_mut().filter(|page| to.contains(&page.address)) {
            let behind = page.got.last().filter(|last| is_in_order && **last > id);
            assert!(behind.is_none(), "{:?} gets {id:?} behind {behind:?}", page.address);
            assert!(page.got.insert(id), "{:?} gets {id:?} twice", page.address);
        }
        let open = &mut self.open[index];
        open.due = self.now + self.rules.ack_ms;
        open.at.extend(to);
        open.was_sent = true;
    }

    /// The pages that have yet to get what is for all.
    pub fn lacking<'a>(&'a self, open: &'a Open) -> impl Iterator<Item = SocketAddress> {
        let listening = self.pages.iter().filter(|page| page.listening).map(|page| page.address);
        listening.filter(|address| !open.at.contains(address))
    }

    /// Until when the first signal that waits may wait although a page listens; `None` when there is no reason.
    pub fn excuse(&self) -> Option<u64> {
        let waiting = self.open.iter().find(|open| open.at.is_empty())?;
        let (tabs, since) = waiting.interrupted.as_ref()?;
        let back = self.pages.iter().any(|page| page.listening && tabs.contains(&page.tab));
        let until = since + self.patience();
        (!back && self.now < until).then_some(until)
    }

    /// How long a page change of the tab that had a signal keeps it from the other tabs.
    pub fn patience(&self) -> u64 {
        self.rules.signal_window_ms.min(self.rules.ack_ms) / 2
    }
}
