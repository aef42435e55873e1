//! The session as a record of the store.

use super::{
    Session, State,
    command::{Command, Effect, Reply},
};
use crate::{
    clock::Timestamp,
    model::ids::{NodeId, SessionKey},
    store::{Record, Route},
};

impl Record for Session {
    const KIND: &'static str = "session";
    type Key = SessionKey;
    type Command = Command;
    type Reply = Reply;
    type Effect = Effect;
    type Rules = ();
    type Checkpoint = Self;

    fn vacant((): &(), _: Timestamp) -> Self {
        Session::vacant()
    }

    fn apply(
        &mut self,
        _: &SessionKey,
        command: Command,
        now: Timestamp,
        (): &(),
        effects: &mut Vec<Effect>,
    ) -> Reply {
        Session::apply(self, command, now, effects)
    }

    fn tick() -> Command {
        Command::Tick
    }

    fn deadline(&self, (): &()) -> Option<Timestamp> {
        Session::deadline(self)
    }

    fn is_vacant(&self, (): &(), _: Timestamp) -> bool {
        Session::is_vacant(self)
    }

    fn checkpoint(&self) -> Self {
        self.clone()
    }

    fn roll_back(&mut self, checkpoint: Self) {
        *self = checkpoint;
    }

    /// Nobody is shown anything any more.
    fn set_aside(&self, effects: &mut Vec<Effect>) {
        if let State::Open(open) = &self.0 {
            let pages = open.pages.iter().map(|page| (page.socket, page.epoch));
            effects.extend(pages.map(|(socket, epoch)| Effect::Record {
                socket,
                epoch,
                on: false,
                nodes: open.nodes(),
            }));
            effects.push(Effect::Lost { visitor: open.visitor.clone() });
            effects.push(Effect::Over { nodes: open.nodes() });
        }
    }

    fn holders(&self) -> Vec<NodeId> {
        self.nodes()
    }

    fn lost(NodeId { node, incarnation }: NodeId) -> Option<Command> {
        Some(Command::NodeLost { node, before: incarnation + 1 })
    }

    /// Those that run, with the others of their group.
    fn listed(&self, key: &SessionKey) -> Option<String> {
        matches!(self.0, State::Open(_)).then(|| key.group.to_string())
    }

    fn route(_: &SessionKey, effect: &Effect) -> Route {
        match effect {
            Effect::Tell { to, .. } => Route::nodes(to),
            Effect::Ask { socket, .. } => Route::Node(socket.node),
            Effect::Record { nodes, .. }
            | Effect::Streams { nodes, .. }
            | Effect::Over { nodes } => Route::Nodes(nodes.clone()),
            // The agent's sockets are anywhere.
            Effect::Offer { .. } => Route::Everyone,
            Effect::Consent(_) | Effect::Ended(_) | Effect::Lost { .. } => Route::Here,
        }
    }

    fn makes_a_record(command: &Command) -> bool {
        matches!(command, Command::Create(_))
    }

    fn is_essential(command: &Command) -> bool {
        matches!(
            command,
            Command::Gone { .. }
                | Command::End { .. }
                | Command::Leave { .. }
                | Command::NodeLost { .. }
                | Command::Restored { .. }
                // To stop being seen must always work.
                | Command::Pause { paused: true }
                | Command::Consent { given: false, .. }
        )
    }
}
