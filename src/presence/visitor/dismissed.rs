//! Pages that are no longer the visitor's, and may not have heard of it: their sockets are told again, until they are
//! closed or their node is gone.

use serde::{Deserialize, Serialize};

use super::{
    MAX_SOCKETS, Step, Visitor,
    effect::{Effect, ToPage},
};
use crate::{
    clock::Timestamp,
    model::{
        close::CloseCode,
        ids::{NodeId, SocketAddress},
    },
};

/// How long a socket is remembered that nobody knows to be closed, in milliseconds. Nodes say so of each of theirs in the
/// end, and are ended if they cannot; this bounds what a fault would leave.
const DISMISSED_MS: u64 = 600_000;

/// A socket that is to be closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Dismissed {
    socket: SocketAddress,
    code: CloseCode,
    until: Timestamp,
}

impl Dismissed {
    fn told(self) -> Effect {
        Effect::Page { to: self.socket, message: ToPage::Close(self.code) }
    }
}

impl Visitor {
    /// Closes a socket. What the node `by` says to itself is never lost; beyond so many the oldest are told once.
    pub(super) fn dismiss(
        &mut self,
        socket: SocketAddress,
        code: CloseCode,
        by: Option<NodeId>,
        step: &mut Step<'_>,
    ) {
        let dismissed = Dismissed { socket, code, until: step.now + DISMISSED_MS };
        step.effects.push(dismissed.told());
        if by != Some(socket.node) {
            if self.dismissed.len() >= MAX_SOCKETS {
                self.dismissed.remove(0);
            }
            self.dismissed.push(dismissed);
        }
    }

    /// Whether a socket is to be closed.
    pub(super) fn is_dismissed(&self, socket: SocketAddress) -> bool {
        self.dismissed.iter().any(|dismissed| dismissed.socket == socket)
    }

    /// A socket is closed. If it was one of these, its page was there until now; and where nodes' clocks differ it may be the
    /// newer one of its tab, whose end is the visitor's.
    pub(super) fn dismissed_is_closed(&mut self, socket: SocketAddress, step: &mut Step<'_>) {
        let mut dismissed = self.dismissed.iter().filter(|dismissed| dismissed.socket == socket);
        let was_superseded = dismissed.any(|dismissed| dismissed.code == CloseCode::Superseded);
        self.forget_dismissed(|closed| closed == socket);
        if was_superseded {
            self.transit_begins_anew(step);
        }
    }

    /// Sockets that are closed need not be told any more.
    pub(super) fn forget_dismissed(&mut self, is_closed: impl Fn(SocketAddress) -> bool) {
        self.dismissed.retain(|dismissed| !is_closed(dismissed.socket));
        if self.dismissed.is_empty() {
            self.dismissed = Vec::new();
        }
    }

    /// When the first of them is forgotten.
    pub(super) fn dismissed_until(&self) -> Option<Timestamp> {
        self.dismissed.first().map(|dismissed| dismissed.until)
    }

    pub(super) fn forget_old_dismissed(&mut self, now: Timestamp) {
        self.dismissed.retain(|dismissed| now < dismissed.until);
    }

    /// A node may have missed that it is to close sockets.
    pub(super) fn dismiss_again(&self, node: NodeId, step: &mut Step<'_>) {
        let of_node = self.dismissed.iter().filter(|dismissed| dismissed.socket.node == node);
        step.effects.extend(of_node.map(|dismissed| dismissed.told()));
    }

    /// The nodes that may still have such a socket.
    pub(super) fn dismissed_nodes(&self) -> impl Iterator<Item = NodeId> {
        self.dismissed.iter().map(|dismissed| dismissed.socket.node)
    }
}
