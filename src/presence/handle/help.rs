//! Wishes for help, as sockets and HTTP bring them.

use super::{Presence, unexpected};
use crate::{
    model::{
        error::{ErrorCode, Problem},
        help::HelpTold,
        ids::{HelpId, VisitorKey},
    },
    presence::visitor::{
        command::{Command, Reply},
        help::Helper,
    },
};

impl Presence {
    /// A visitor asks for help. `answer` gets how that stands: the wish that waits already, where there is one; `toomany`
    /// when too many of his group wait. What is asked at the same moment by others may go a little beyond that bound.
    pub fn ask_help(
        &self,
        key: VisitorKey,
        text: Box<str>,
        answer: impl FnOnce(Result<HelpTold, Problem>) + Send + 'static,
    ) {
        let waiting = self.shared.figures.asking_by_group.get(&key.group).map_or(0, |count| *count);
        if usize::try_from(waiting).unwrap_or(0) >= self.shared.most_help {
            let sentence = "too many visitors of this group wait for help";
            return answer(Err(Problem::new(ErrorCode::TooMany, sentence)));
        }
        let id = HelpId::generate();
        let command = move || Command::AskHelp { id, text: text.clone() };
        self.of_help(key, command, move |reply| answer(told(reply)));
    }

    /// He wants it no more.
    pub fn cancel_help(
        &self,
        key: VisitorKey,
        answer: impl FnOnce(Result<(), Problem>) + Send + 'static,
    ) {
        let done = move |reply: Result<Reply, Problem>| answer(reply.map(|_| ()));
        self.of_help(key, || Command::CancelHelp, done);
    }

    /// An agent takes a wish for help. `taken` when another has it, `notfound` when it is not there any more.
    pub fn claim_help(
        &self,
        key: VisitorKey,
        id: HelpId,
        helper: Helper,
        answer: impl FnOnce(Result<HelpTold, Problem>) + Send + 'static,
    ) {
        let command = move || Command::ClaimHelp { id, helper: helper.clone() };
        self.of_help(key, command, move |reply| answer(told(reply)));
    }

    /// An agent says that nobody comes. Errors as for a claim.
    pub fn decline_help(
        &self,
        key: VisitorKey,
        id: HelpId,
        answer: impl FnOnce(Result<(), Problem>) + Send + 'static,
    ) {
        let done = move |reply: Result<Reply, Problem>| answer(reply.map(|_| ()));
        self.of_help(key, move || Command::DeclineHelp { id }, done);
    }

    /// Submits where the visitor is; he may have become known meanwhile.
    fn of_help(
        &self,
        key: VisitorKey,
        command: impl Fn() -> Command + Send + 'static,
        answer: impl FnOnce(Result<Reply, Problem>) + Send + 'static,
    ) {
        let (presence, group) = (self.clone(), key.group.clone());
        self.submit(key, command(), move |reply| match reply {
            Ok(Reply::Elsewhere { known }) => {
                let key = VisitorKey { group, visitor: known };
                presence.submit(key, command(), answer);
            }
            other => answer(other),
        });
    }
}

fn told(reply: Result<Reply, Problem>) -> Result<HelpTold, Problem> {
    match reply? {
        Reply::Help(told) => Ok(told),
        _ => Err(unexpected()),
    }
}
