//! What a node says of its pages where the record went on without what that node knew: the server had lost it, and the
//! node came too late to say it again.

use super::{
    Socket, Step, Visitor,
    command::{Connect, Departure, Reply},
};
use crate::model::{
    close::CloseCode,
    ids::{NodeId, SocketAddress},
    timeline::PageEnd,
};

impl Visitor {
    /// The pages of a node.
    pub(super) fn pages_of(&self, node: NodeId) -> Vec<Socket> {
        self.sockets.iter().filter(|socket| socket.address.node == node).cloned().collect()
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
