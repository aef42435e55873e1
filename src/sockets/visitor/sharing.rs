//! The visitor's co-browse session, from his page's side.

use super::{Door, VisitorSocket};
use crate::{
    cobrowse::{
        handle::{Cobrowse, Start},
        session::command::{Command, Enter, Entrance, Way},
    },
    model::{
        cobrowse::{EndReason, Entered},
        error::{ErrorCode, Problem},
        ids::{SessionId, SessionKey, SocketAddress, VisitorKey},
        json::Json,
        protocol::visitor::{PageTitle, StartSession, ToVisitor},
    },
    settings::Group,
    telemetry::labels::Limited,
};

/// A page that is in a session; reports that it is gone when it is dropped.
pub(super) struct Sharing {
    cobrowse: Cobrowse,
    session: SessionKey,
    socket: SocketAddress,
}

impl Drop for Sharing {
    fn drop(&mut self) {
        self.cobrowse.gone(self.session.clone(), self.socket);
    }
}

impl VisitorSocket {
    pub(super) fn start_session(
        &self,
        visitor: VisitorKey,
        wish: StartSession,
        request: Option<u64>,
    ) {
        let voice = self.voice.clone();
        let now = self.service.clock().now();
        if let Err(problem) = self.service.admission.session(&visitor, now) {
            self.service.metrics.limited.of(Limited::Session).inc();
            return voice.refuse(request, problem);
        }
        let cobrowse = self.service.cobrowse.clone();
        let StartSession { agreed, with_code, digits, labels } = wish;
        let start = Start { policy: cobrowse.policy(), agreed, with_code, digits, labels };
        self.service.cobrowse.begin(visitor, start, move |begun| match (begun, request) {
            (Ok(session), Some(request)) if with_code => {
                let id = session.session;
                cobrowse.code(session, digits, move |code| match code {
                    Ok(code) => voice.say(&ToVisitor::answer(request, |ok| {
                        (ok.session, ok.code) = (Some(id), Some(code));
                    })),
                    Err(problem) => voice.refuse(Some(request), problem),
                });
            }
            (Ok(session), Some(request)) => {
                let session = Some(session.session);
                voice.say(&ToVisitor::answer(request, |ok| ok.session = session));
            }
            (Ok(_), None) => {}
            (Err(problem), _) => voice.refuse(request, problem),
        });
    }

    pub(super) fn enter_session(
        &mut self,
        visitor: VisitorKey,
        session: SessionId,
        (page, agreed): (PageTitle, bool),
        request: Option<u64>,
    ) {
        let (Door::Group(group), Some(introduction)) = (&self.door, &self.introduction) else {
            return;
        };
        let cobrowse = self.service.cobrowse.clone();
        let PageTitle { url, title } = shown(group, page);
        let socket = self.address();
        let (tab, visible) = (introduction.tab.clone(), introduction.visible);
        let enter = Enter { socket, tab, url, title, visible, agreed, way: Way::Page };
        let settings = cobrowse.page_settings(&group.id);
        let of = SessionKey { group: visitor.group.clone(), session };
        let is_same = self.sharing.as_ref().is_some_and(|sharing| sharing.session == of);
        if !is_same {
            let sharing = Sharing { cobrowse: cobrowse.clone(), session: of, socket };
            self.sharing = Some(Box::new(sharing));
        }
        let voice = self.voice.clone();
        cobrowse.enter(visitor, session, enter, move |entered| match (entered, request) {
            (
                Ok(Entrance { user, epoch, view, others, code, reference, grace_ms, activated: _ }),
                Some(request),
            ) => {
                let members = others;
                let entered = Entered { user, view, members, code, reference, grace_ms, settings };
                voice.say(&ToVisitor::answer(request, |ok| {
                    (ok.epoch, ok.entered) = (Some(epoch.into()), Some(entered));
                }));
            }
            (Ok(_), None) => {}
            (Err(problem), _) => voice.refuse(request, problem),
        });
    }

    pub(super) fn navigate(&self, page: PageTitle, request: Option<u64>) {
        let Door::Group(group) = &self.door else { return };
        let PageTitle { url, title } = shown(group, page);
        let socket = self.address();
        self.tell_session(Command::Navigate { socket, url, title }, request);
    }

    /// Ends the visitor's session, whether or not this page has come into it.
    pub(super) fn end_session(
        &self,
        visitor: VisitorKey,
        text: Option<Box<str>>,
        request: Option<u64>,
    ) {
        if self.sharing.is_some() {
            return self.tell_session(Command::End { reason: EndReason::Visitor, text }, request);
        }
        let voice = self.voice.clone();
        self.service.cobrowse.end_of(visitor, EndReason::Visitor, text, move |done| match done {
            Ok(()) => voice.done(request),
            Err(problem) => voice.refuse(request, problem),
        });
    }

    /// What the page says to those who view it, less what they may not see.
    pub(super) fn say(&self, data: &Json, request: Option<u64>) {
        let Door::Group(group) = &self.door else { return };
        let masked = group.cobrowse.masking.json(data.text());
        let Ok(data) = serde_json::from_str(&masked) else {
            let problem = Problem::field("data", "could not be read once it was blotted out");
            return self.voice.refuse(request, problem);
        };
        let socket = self.address();
        self.tell_session(Command::Message { socket, data }, request);
    }

    /// A command of the visitor to the session that the page is in.
    pub(super) fn tell_session(&self, command: Command, request: Option<u64>) {
        let voice = self.voice.clone();
        let Some(sharing) = &self.sharing else {
            let sentence = "the page is in no session";
            return voice.refuse(request, Problem::new(ErrorCode::NotFound, sentence));
        };
        sharing.cobrowse.command(sharing.session.clone(), command, move |done| match done {
            Ok(()) => voice.done(request),
            Err(problem) => voice.refuse(request, problem),
        });
    }

    /// What presence hears of the page, the session hears too, if there is one.
    pub(super) fn session_hears(&self, command: impl FnOnce(SocketAddress) -> Command) {
        if let Some(Sharing { cobrowse, session, socket }) = self.sharing.as_deref() {
            cobrowse.command(session.clone(), command(*socket), |_| ());
        }
    }
}

/// What the group lets agents see of a page's address and title.
fn shown(group: &Group, mut page: PageTitle) -> PageTitle {
    for text in [&mut page.url, &mut page.title] {
        if let Some(masked) = group.cobrowse.masking.text(text) {
            *text = masked.into();
        }
    }
    if group.strip_query
        && let Some(end) = page.url.find(['?', '#'])
    {
        page.url = page.url.get(..end).unwrap_or_default().into();
    }
    page
}
