//! The events.

use super::{
    Example, example,
    values::{CHAT, EPOCH, HELP, NOW, update},
};
use crate::model::{
    chat::{ChatNews, ChatStatus},
    event::{Event, EventKind, SessionEndReason, TermsStatus, Visibility, VisitorError},
    help::{HelpNews, HelpStatus},
    ids::InvalidId,
    presence::PresenceUpdate,
};

/// Events.
pub fn events() -> Vec<Example> {
    events_checked().unwrap_or_default()
}

fn events_checked() -> Result<Vec<Example>, InvalidId> {
    let kinds = [
        (None, false, EventKind::VisitorConn { connected: true }),
        (Some("the present state"), true, EventKind::VisitorConn { connected: true }),
        (None, false, EventKind::VisitorSock { connected: true, sockets: 1 }),
        (Some("the present state"), true, EventKind::VisitorSock { connected: true, sockets: 1 }),
        (None, false, EventKind::Presence(update())),
        (None, false, EventKind::Terms { status: TermsStatus::Accepted }),
        (None, false, EventKind::Visibility { visibility: Visibility::Hidden }),
        (None, false, EventKind::VisitorSessionStart(PresenceUpdate::default())),
        (None, false, EventKind::VisitorSessionEnd { reason: SessionEndReason::Visitor }),
        (
            None,
            false,
            EventKind::VisitorError(VisitorError {
                code: "conndrop".into(),
                msg: "Connection lost".into(),
                params: None,
            }),
        ),
        (None, false, EventKind::VisitorJoined { visitorid: "ada".parse()? }),
        (
            None,
            false,
            EventKind::HelpRequest(HelpNews {
                help: HELP,
                status: HelpStatus::Pending,
                agent: None,
                text: Some("Which size fits a narrow hall?".into()),
            }),
        ),
        (
            None,
            false,
            EventKind::ChatStatus(ChatNews {
                chat: CHAT,
                status: ChatStatus::Open,
                button: Some("sales".parse()?),
                agent: Some("Ann".into()),
                reason: None,
            }),
        ),
    ];
    let mut examples = Vec::new();
    for (sequence, (name, present, kind)) in (1..).zip(kinds) {
        let joined = matches!(kind, EventKind::VisitorJoined { .. });
        let visitorid = if joined { "~0123456789abcdef0123456789abcdef" } else { "ada" }.parse()?;
        let event = Event { visitorid, epoch: EPOCH, sequence, time: NOW, present, kind };
        examples.extend(example(name, &event));
    }
    Ok(examples)
}
