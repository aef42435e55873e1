//! What a node says of its pages where the record went on without what that node knew: the server had lost it, and the
//! node came too late to say it again.

use super::{
    Socket, Step, Visitor,
    command::{Connect, Departure, Reply, Told},
};
use crate::model::{
    close::CloseCode,
    event::EventKind,
    ids::{NodeId, SocketAddress},
    timeline::{Note, PageEnd},
};

impl Visitor {
    /// The pages of a node.
    pub(super) fn pages_of(&self, node: NodeId) -> Vec<Socket> {
        self.sockets.iter().filter(|socket| socket.address.node == node).cloned().collect()
    }

    /// What watchers were told last.
    pub(super) fn told(&self) -> Told {
        Told { epoch: self.epoch, connected: self.is_connected() }
    }

    /// Watchers were told this, which the record may not know. They believe nothing of an earlier epoch, and nobody comes
    /// back in one that is over: so if he is there otherwise, he is there in a new one.
    pub(super) fn was_told(&mut self, told: Told, step: &mut Step<'_>) {
        let is_over = told.epoch == self.epoch && !told.connected;
        if !self.is_connected() || told.epoch <= self.epoch && !is_over {
            return;
        }
        (self.epoch, self.sequence) = (step.now.0.max(told.epoch + 1), 0);
        self.updated = step.now;
        step.note(Note::Connected { epoch: self.epoch });
        let sockets = self.sockets.len();
        self.publish(EventKind::VisitorConn { connected: true }, step);
        self.publish(EventKind::VisitorSock { connected: sockets > 0, sockets }, step);
        let whole = self.data.to_update();
        if !whole.is_empty() {
            self.publish(EventKind::Presence(whole), step);
        }
        self.data_sequence = self.sequence;
    }

    /// The node has these pages, and no other ones. Those that are to be closed stay so, and each has its place among the
    /// pages of its tab.
    pub(super) fn node_holds(&mut self, node: NodeId, pages: Vec<Socket>, step: &mut Step<'_>) {
        let is_there = |address: SocketAddress| pages.iter().any(|page| page.address == address);
        let of_node = self.sockets().filter(|address| address.node == node);
        let gone: Vec<_> = of_node.filter(|address| !is_there(*address)).collect();
        let mut comes = false;
        for page in pages {
            if self.is_dismissed(page.address) {
                continue;
            }
            let (visible, listening) = (page.visible, page.listening);
            if let Some(known) = self.socket(page.address) {
                if (known.visible, known.listening) != (visible, listening) {
                    self.touch(page.address, step, |socket| {
                        socket.listening = listening;
                        std::mem::replace(&mut socket.visible, visible) != visible && visible
                    });
                }
                continue;
            }
            let Socket { address: socket, tab, page, accepted, .. } = page;
            let (seen, data, from) = (Vec::new(), None, self.from);
            let connect =
                Connect { socket, tab, page, accepted, visible, listening, seen, data, from };
            let code = match self.connect(connect, step) {
                Reply::Superseded => CloseCode::Superseded,
                Reply::Refused(_) => CloseCode::TooMany,
                _ => {
                    comes = true;
                    continue;
                }
            };
            self.dismiss(socket, code, Some(node), step);
        }
        self.close_all(&gone, Departure::Gone, PageEnd::Lost, step);
        if comes {
            self.tell_again(node, step);
        }
    }
}
