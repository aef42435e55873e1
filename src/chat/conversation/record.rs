//! The chat as a record of the store.

use super::{
    Conversation, Rules,
    command::{Command, Effect, Reply},
};
use crate::{
    clock::Timestamp,
    model::ids::VisitorKey,
    store::{Record, Route},
};

impl Record for Conversation {
    const KIND: &'static str = "chat";
    type Key = VisitorKey;
    type Command = Command;
    type Reply = Reply;
    type Effect = Effect;
    type Rules = Rules;
    type Checkpoint = Self;

    fn vacant(_: &Rules, _: Timestamp) -> Self {
        Self::default()
    }

    fn apply(
        &mut self,
        key: &VisitorKey,
        command: Command,
        now: Timestamp,
        rules: &Rules,
        effects: &mut Vec<Effect>,
    ) -> Reply {
        Conversation::apply(self, &key.visitor, command, now, rules, effects)
    }

    fn tick() -> Command {
        Command::Tick
    }

    fn deadline(&self, rules: &Rules) -> Option<Timestamp> {
        Conversation::deadline(self, rules)
    }

    fn is_vacant(&self, _: &Rules, _: Timestamp) -> bool {
        Conversation::is_vacant(self)
    }

    fn checkpoint(&self) -> Self {
        self.clone()
    }

    fn roll_back(&mut self, checkpoint: Self) {
        *self = checkpoint;
    }

    fn set_aside(&self, effects: &mut Vec<Effect>) {
        self.broken(effects);
    }

    /// Among the chats of its group that are not over.
    fn listed(&self, key: &VisitorKey) -> Option<String> {
        self.running().map(|_| key.group.to_string())
    }

    fn route(_: &VisitorKey, effect: &Effect) -> Route {
        // Agents who look at the group's chats are anywhere, and any node may be asked for any of them.
        match effect {
            Effect::Stands { .. } | Effect::Said { .. } | Effect::Typing { .. } => Route::Everyone,
        }
    }

    fn makes_a_record(command: &Command) -> bool {
        // One that goes along is counted where it began, as long as that leads here.
        matches!(command, Command::Open { .. } | Command::Invite(_))
    }

    fn is_essential(command: &Command) -> bool {
        matches!(
            command,
            Command::AgentLost { .. }
                | Command::Present { .. }
                | Command::Join { .. }
                | Command::Inherit(_)
                | Command::Strand(_)
                | Command::End { .. }
        )
    }
}
