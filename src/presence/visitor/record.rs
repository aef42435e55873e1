//! The visitor as a record of the store.

use super::{
    Rules, Share, Visitor,
    command::{Command, Pages, Reply},
    effect::{Effect, ToPage},
};
use crate::{
    clock::Timestamp,
    model::{
        close::CloseCode,
        ids::{GroupId, NodeId, VisitorKey},
    },
    store::{Record, Route},
};

/// The name that nodes listen to which show a visitor to a watcher.
#[must_use]
pub fn watched(key: &VisitorKey) -> String {
    format!("visitor:{}:{}", key.group, key.visitor)
}

/// The name that nodes listen to which show a group's rows.
#[must_use]
pub fn rows_of(group: &GroupId) -> String {
    format!("rows:{group}")
}

impl Record for Visitor {
    const KIND: &'static str = "visitor";
    type Key = VisitorKey;
    type Command = Command;
    type Reply = Reply;
    type Effect = Effect;
    type Rules = Rules;
    type Checkpoint = Visitor;

    fn vacant(rules: &Rules, now: Timestamp) -> Self {
        Visitor::vacant(rules, now)
    }

    fn apply(
        &mut self,
        key: &VisitorKey,
        command: Command,
        now: Timestamp,
        rules: &Rules,
        effects: &mut Vec<Effect>,
    ) -> Reply {
        let before = self.standing();
        let reply = Visitor::apply(self, &key.visitor, command, now, rules, effects);
        self.standing_changed(before, &key.visitor, effects);
        reply
    }

    fn spared(rules: &Rules, until: Timestamp) -> Option<Rules> {
        Some(Rules { spared_until: until, ..*rules })
    }

    fn tick() -> Command {
        Command::Tick
    }

    fn deadline(&self, rules: &Rules) -> Option<Timestamp> {
        Visitor::deadline(self, rules)
    }

    fn is_vacant(&self, rules: &Rules, now: Timestamp) -> bool {
        Visitor::is_vacant(self, rules, now)
    }

    /// Copies everything but the remembered outcomes, which may be many and are only ever added to.
    fn checkpoint(&self) -> Visitor {
        Visitor {
            phase: self.phase.clone(),
            sockets: self.sockets.clone(),
            dismissed: self.dismissed.clone(),
            uniques: self.uniques.clone(),
            data: self.data.clone(),
            help: self.help.clone(),
            chat: self.chat.clone(),
            signals: self.signals.checkpoint(),
            ..*self
        }
    }

    fn roll_back(&mut self, checkpoint: Visitor) {
        let mut signals = std::mem::take(&mut self.signals);
        *self = checkpoint;
        signals.roll_back(std::mem::take(&mut self.signals));
        self.signals = signals;
    }

    /// His pages connect anew, to a fresh record.
    fn set_aside(&self, effects: &mut Vec<Effect>) {
        effects.extend(self.sockets().map(|to| {
            let message = ToPage::Close(CloseCode::Internal);
            Effect::Page { to, message }
        }));
        let standing = self.standing();
        effects.extend(standing.row.is_some().then_some(Effect::Listed(None)));
        effects.push(Effect::Counted(Share::default() - standing.share));
    }

    fn holders(&self) -> Vec<NodeId> {
        self.sockets().map(|socket| socket.node).chain(self.dismissed_nodes()).collect()
    }

    fn lost(NodeId { node, incarnation }: NodeId) -> Option<Command> {
        Some(Command::NodeLost { node, before: incarnation + 1 })
    }

    fn missed(node: NodeId) -> Option<Command> {
        Some(Command::Missed { node })
    }

    fn holds(node: NodeId, known: Option<&Self>) -> Option<Command> {
        let has_nothing_to_say =
            |visitor: &Self| visitor.is_connected() && !visitor.holders().contains(&node);
        if known.is_some_and(has_nothing_to_say) {
            return None;
        }
        let pages = known.map(|visitor| Pages(visitor.pages_of(node))).unwrap_or_default();
        Some(Command::Holds { node, pages, told: known.map(Self::told) })
    }

    fn listed(&self, key: &VisitorKey) -> Option<String> {
        self.is_connected().then(|| key.group.to_string())
    }

    fn route(key: &VisitorKey, effect: &Effect) -> Route {
        match effect {
            Effect::Page { to, .. }
            | Effect::Present { to, .. }
            | Effect::InvokeFailed { to, .. }
            | Effect::Settled { to: Some(to), .. } => Route::Node(to.node),
            Effect::Publish(_) => Route::Listeners(watched(key)),
            Effect::Listed(_) => Route::Listeners(rows_of(&key.group)),
            Effect::Settled { to: None, .. }
            | Effect::CodeSpent(_)
            | Effect::Note(_)
            | Effect::Forward { .. }
            | Effect::Counted(_) => Route::Here,
        }
    }

    fn makes_a_record(command: &Command) -> bool {
        matches!(command, Command::Connect(_))
    }

    /// All but what tells watchers something once more.
    fn is_repeatable(command: &Command) -> bool {
        let is_of_a_page = matches!(
            command,
            Command::Connect(_)
                | Command::Listen { .. }
                | Command::Visibility { .. }
                | Command::Activity { .. }
                | Command::Acknowledge { .. }
                | Command::Failed { .. }
        );
        let is_of_others = matches!(command, Command::Signal(_) | Command::Attach { .. });
        is_of_a_page || is_of_others || Self::is_essential(command)
    }

    fn is_essential(command: &Command) -> bool {
        matches!(
            command,
            Command::Close { .. }
                | Command::NodeLost { .. }
                | Command::Missed { .. }
                | Command::Holds { .. }
                | Command::UniqueExpired { .. }
                | Command::SessionOver { .. }
                | Command::Chat { .. }
        )
    }
}
