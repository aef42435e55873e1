//! Links to a visitor's page: signed, good for one tab that opens them within five minutes. What is begun by one, begins when
//! it is opened, not when it is made.

use std::collections::{HashMap, VecDeque};

use serde::{Deserialize, Serialize};

use crate::{
    auth::Agent,
    clock::Timestamp,
    model::{
        cobrowse::Permissions,
        error::{ErrorCode, Problem},
        ids::{SessionId, TabId, VisitorKey},
        watch::{Branding, Metadata},
    },
};

/// Most opened links that are remembered at a time; one more is refused rather than forgotten, which would open it again.
pub const MAX_OPENED: usize = 100_000;

/// What a link says.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LinkTicket {
    /// Whose page.
    pub visitor: VisitorKey,
    /// For whom it was made.
    pub agent: Agent,
    /// What he may do; narrows what there is to do.
    pub permissions: Permissions,
    /// How the page looks to him.
    pub terms: LinkTerms,
    /// Goes to the session.
    #[serde(default, skip_serializing_if = "Metadata::is_empty")]
    pub metadata: Metadata,
    /// Which link.
    pub number: u64,
    /// The start of this process that made it: which links were opened is not remembered over the next.
    pub incarnation: u64,
}

/// What the page of a link must know before it has a seat.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LinkTerms {
    /// How it looks, and where it leads.
    #[serde(default)]
    pub branding: Branding,
    /// The origin of the page in whose frame it stands; `None`: any that the group's agents work on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<Box<str>>,
    /// Whether its window is to be closed when the session is over, if it leads nowhere then.
    #[serde(default)]
    pub closes: bool,
}

/// The links that were opened, and where each led: pure, bounded.
#[derive(Debug, Default)]
pub struct OpenedLinks {
    by_number: HashMap<u64, Opened>,
    /// In the order of opening.
    oldest: VecDeque<(Timestamp, u64)>,
}

/// An opened link.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Opened {
    /// Whose it is; `None`: it led nowhere, and is anybody's again.
    tab: Option<TabId>,
    session: Option<SessionId>,
}

impl OpenedLinks {
    /// A tab opens a link, which nobody opens any more from `until` on. The session that it led to, if it was opened before.
    ///
    /// # Errors
    /// `authorization`: it was opened in another tab. `unready`: too many links were opened to remember one more.
    pub fn open(
        &mut self,
        number: u64,
        tab: &TabId,
        until: Timestamp,
        now: Timestamp,
    ) -> Result<Option<SessionId>, Problem> {
        while let Some((_, old)) = self.oldest.pop_front_if(|(until, _)| *until <= now) {
            self.by_number.remove(&old);
        }
        match self.by_number.get_mut(&number) {
            Some(opened) if opened.tab.as_ref().is_none_or(|by| by == tab) => {
                opened.tab = Some(tab.clone());
                Ok(opened.session)
            }
            Some(_) => {
                let sentence = "the link was opened in another tab";
                Err(Problem::new(ErrorCode::Authorization, sentence))
            }
            None if self.oldest.len() >= MAX_OPENED => {
                let sentence = "too many links were opened in the last minutes";
                Err(Problem::new(ErrorCode::Unready, sentence).retry_in(10_000))
            }
            None => {
                let tab = Some(tab.clone());
                self.by_number.insert(number, Opened { tab, session: None });
                self.oldest.push_back((until, number));
                Ok(None)
            }
        }
    }

    /// An opened link led to this session.
    pub fn led_to(&mut self, number: u64, session: SessionId) {
        if let Some(opened) = self.by_number.get_mut(&number) {
            opened.session = Some(session);
        }
    }

    /// An opened link led nowhere, so it can be opened again. It keeps its place: however often that happens, one link takes
    /// one.
    pub fn led_nowhere(&mut self, number: u64) {
        if let Some(opened) = self.by_number.get_mut(&number) {
            opened.tab = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const UNTIL: Timestamp = Timestamp(300_000);

    fn tab(name: &str) -> TabId {
        name.parse().unwrap()
    }

    #[test]
    fn a_link_is_one_tabs_and_leads_it_to_one_session() {
        let mut links = OpenedLinks::default();
        let session = SessionId::from_u128(7);
        assert_eq!(links.open(1, &tab("a"), UNTIL, Timestamp(0)), Ok(None));
        links.led_to(1, session);
        assert_eq!(links.open(1, &tab("a"), UNTIL, Timestamp(9)), Ok(Some(session)));
        let other = links.open(1, &tab("b"), UNTIL, Timestamp(9)).unwrap_err();
        assert_eq!(other.code, ErrorCode::Authorization);
        assert_eq!(links.open(2, &tab("b"), UNTIL, Timestamp(9)), Ok(None), "another link");
    }

    #[test]
    fn a_link_that_led_nowhere_can_be_opened_again() {
        let mut links = OpenedLinks::default();
        links.open(1, &tab("a"), UNTIL, Timestamp(0)).unwrap();
        links.led_nowhere(1);
        assert_eq!(links.open(1, &tab("b"), UNTIL, Timestamp(0)), Ok(None));
        assert!(
            links.open(1, &tab("a"), UNTIL, Timestamp(0)).is_err(),
            "it is the other tab's now"
        );
        assert_eq!(links.oldest.len(), 1, "nobody fills the memory with one link");
    }

    #[test]
    fn what_is_remembered_is_bounded_and_forgotten_in_time() {
        let mut links = OpenedLinks::default();
        for number in 0..MAX_OPENED as u64 {
            links.open(number, &tab("a"), UNTIL, Timestamp(0)).unwrap();
        }
        let full = links.open(u64::MAX, &tab("a"), UNTIL, Timestamp(0)).unwrap_err();
        assert_eq!(full.code, ErrorCode::Unready);
        links.open(u64::MAX, &tab("a"), UNTIL + 1, UNTIL).unwrap();
        assert_eq!((links.by_number.len(), links.oldest.len()), (1, 1));
    }
}
