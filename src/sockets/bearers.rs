//! Which agent sockets of this node belong to whom, so that an agent can be told what is meant for him alone.

use std::sync::Arc;

use dashmap::{DashMap, mapref::entry::Entry};

use crate::model::ids::{GroupId, SocketId};

type Bearer = (GroupId, Box<str>);

/// Sockets by the group and subject of the token that they live by. Bounded by the limit on sockets.
#[derive(Default)]
pub struct Bearers(DashMap<Bearer, Vec<SocketId>>);

impl Bearers {
    /// Enters a socket; it is taken out when the entry is dropped.
    pub fn enter(self: &Arc<Self>, group: GroupId, subject: Box<str>, socket: SocketId) -> Borne {
        let bearer = (group, subject);
        self.0.entry(bearer.clone()).or_default().push(socket);
        Borne { bearers: Arc::clone(self), bearer, socket }
    }

    /// The sockets of this agent.
    #[must_use]
    pub fn of(&self, group: &GroupId, subject: &str) -> Vec<SocketId> {
        let bearer = (group.clone(), subject.into());
        self.0.get(&bearer).map(|sockets| sockets.clone()).unwrap_or_default()
    }
}

/// A socket's place among those of its agent.
pub struct Borne {
    bearers: Arc<Bearers>,
    bearer: Bearer,
    socket: SocketId,
}

impl Drop for Borne {
    fn drop(&mut self) {
        if let Entry::Occupied(mut sockets) = self.bearers.0.entry(self.bearer.clone()) {
            sockets.get_mut().retain(|socket| *socket != self.socket);
            if sockets.get().is_empty() {
                sockets.remove();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_agents_sockets_are_his_as_long_as_they_are_open() {
        let bearers = Arc::new(Bearers::default());
        let group = |text: &str| text.parse::<GroupId>().unwrap();
        let first = bearers.enter(group("1"), "ann".into(), SocketId(1));
        let second = bearers.enter(group("1"), "ann".into(), SocketId(2));
        let _other = bearers.enter(group("2"), "ann".into(), SocketId(3));
        assert_eq!(bearers.of(&group("1"), "ann"), [SocketId(1), SocketId(2)]);
        assert_eq!(bearers.of(&group("1"), "bob"), []);
        drop(first);
        assert_eq!(bearers.of(&group("1"), "ann"), [SocketId(2)]);
        drop(second);
        assert_eq!(bearers.0.len(), 1, "nothing is kept of who is gone");
    }
}
