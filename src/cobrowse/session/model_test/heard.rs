//! What a member believes who hears everything, and what he may hear when.

use std::collections::BTreeMap;

use crate::{
    cobrowse::session::{SessionView, command::SessionEvent},
    model::cobrowse::{
        ConsentState, ConsentTo, EndReason, MemberView, PageView, SessionEventKind, UserId,
        ViewState,
    },
};

/// What the listener believes.
#[derive(Default)]
pub(super) struct Heard {
    sequence: u64,
    pub(super) members: BTreeMap<UserId, MemberView>,
    pages: Vec<PageView>,
    view: ViewState,
    pub(super) consents: BTreeMap<(ConsentTo, Option<UserId>), ConsentState>,
    activations: u32,
    ended: Option<EndReason>,
}

impl Heard {
    pub(super) fn hear(&mut self, event: &SessionEvent) {
        assert!(event.sequence > self.sequence, "{event:?} comes late");
        assert_eq!(self.ended, None, "{event:?} after the end");
        self.sequence = event.sequence;
        match &event.kind {
            SessionEventKind::Joined { member } => {
                assert!(self.members.insert(member.user, member.clone()).is_none(), "{event:?}");
            }
            SessionEventKind::Connection { user, connected } => {
                let member = self.members.get_mut(user).expect("a member");
                assert_ne!(std::mem::replace(&mut member.connected, *connected), *connected);
            }
            SessionEventKind::Left { user, .. } => {
                assert!(self.members.remove(user).is_some(), "{event:?}");
            }
            SessionEventKind::Activated => self.activations += 1,
            SessionEventKind::View { state } => {
                assert_ne!(std::mem::replace(&mut self.view, *state), *state, "nothing new");
            }
            SessionEventKind::Consent { to, state, user } => {
                let before = self.consents.insert((*to, *user), *state).unwrap_or_default();
                let allowed = match state {
                    ConsentState::Asked => {
                        !matches!(before, ConsentState::Asked | ConsentState::Given)
                    }
                    ConsentState::Declined => before != ConsentState::Given,
                    ConsentState::Given => *to == ConsentTo::View || before == ConsentState::Asked,
                    ConsentState::Withdrawn => {
                        matches!(before, ConsentState::Given | ConsentState::Asked)
                    }
                    ConsentState::Unasked => false,
                };
                assert!(allowed, "{state:?} after {before:?}");
            }
            SessionEventKind::Pages { pages } => self.pages.clone_from(pages),
            SessionEventKind::Message { .. } => assert_eq!(self.view, ViewState::On, "{event:?}"),
            SessionEventKind::Ended { reason, .. } => self.ended = Some(*reason),
        }
    }

    /// As a member who comes back learns from the answer.
    pub(super) fn catch_up(&mut self, view: &SessionView) {
        self.members = view.members.iter().map(|m| (m.user, m.clone())).collect();
        (self.pages, self.view) = (view.pages.clone(), view.view);
        self.activations = u32::from(view.activated.is_some());
        self.consents.retain(|(to, _), _| *to == ConsentTo::View);
    }

    pub(super) fn compare(&self, view: &SessionView) {
        let members: BTreeMap<_, _> =
            view.members.iter().map(|member| (member.user, member.clone())).collect();
        assert_eq!(self.members, members);
        assert_eq!(self.pages, view.pages);
        assert_eq!(self.view, view.view);
        assert_eq!(self.activations > 0, view.activated.is_some());
        assert!(self.activations <= 1, "once");
        let given = |to, user| self.consents.get(&(to, user)) == Some(&ConsentState::Given);
        if let Some(user) = view.control {
            assert!(given(ConsentTo::Control, Some(user)), "control without consent");
            assert_eq!(view.view, ViewState::On, "control of what is not seen");
            assert!(members[&user].connected, "control by nobody");
        }
    }
}
