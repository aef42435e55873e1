//! Unique ids: codes that lead agents to a visitor.

use std::net::IpAddr;

use super::{Presence, unexpected};
use crate::{
    codes::{Found, Lead},
    model::{
        error::{ErrorCode, Problem},
        ids::{Code, GroupId, SocketAddress, VisitorId, VisitorKey},
        protocol::visitor::CodePurpose,
    },
    presence::visitor::command::{Command, Reply, Unique},
};

/// Digits and life of a code that is there to be found by.
const LOOKUP_DIGITS: u32 = 4;
const LOOKUP_LIFE_MS: u64 = 3_600_000;
/// Longest life of a code that leads to a visitor until it is used, unless his page asks again: a page that sleeps cannot.
const CONTACT_LIFE_MS: u64 = 86_400_000;

/// Which unique id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UniqueKind {
    /// As the settings say; the page that asked for it goes when its life ends.
    Usual,
    /// A short one that the page outlives. So few are there that a fresh one counts as a guess of its address.
    Lookup {
        /// Where the page is.
        address: IpAddr,
    },
    /// Good for one session; ends with that, or when the visitor leaves. The page outlives it. Asked for again, it lives on.
    Contact,
}

type Answer<T> = Box<dyn FnOnce(Result<T, Problem>) + Send>;

impl Presence {
    /// Says which visitor a code leads to, to somebody at `address`. A guess that is right costs nothing.
    pub fn resolve(
        &self,
        group: GroupId,
        code: Code,
        address: IpAddr,
        answer: impl FnOnce(Result<VisitorId, Problem>) + Send + 'static,
    ) {
        self.codes.resolve(group, code, address, self.clock().now(), |found| {
            answer(match found {
                Ok(Found { lead: Lead::Visitor(visitor), guess }) => {
                    guess.was_right();
                    Ok(visitor)
                }
                Ok(Found { lead: Lead::Session(_), .. }) => {
                    let sentence = "the code leads to a session, not to a visitor";
                    Err(Problem::new(ErrorCode::VisitorNotPresent, sentence))
                }
                Err(problem) => Err(problem),
            });
        });
    }

    /// Gives the visitor of a page a unique id, or the one that he has for the same purpose. `answer` gets it and its
    /// remaining life in ms.
    pub fn unique(
        &self,
        key: VisitorKey,
        socket: SocketAddress,
        kind: UniqueKind,
        answer: impl FnOnce(Result<(Code, u64), Problem>) + Send + 'static,
    ) {
        let (presence, of, answer) = (self.clone(), key.clone(), Box::new(answer));
        self.living(key, kind.purpose(), move |living| match living {
            Ok(Some(living)) if kind == UniqueKind::Contact => {
                let (again, retry) = (presence.clone(), of.clone());
                presence.prolong(of, socket, living, move |prolonged| match prolonged {
                    // He has another one from now on.
                    Ok(None) => again.claim(retry, socket, kind, answer),
                    Ok(Some(told)) => answer(Ok(told)),
                    Err(problem) => answer(Err(problem)),
                });
            }
            Ok(Some(living)) => presence.give(of, socket, living, answer),
            Ok(None) => presence.claim(of, socket, kind, answer),
            Err(problem) => answer(Err(problem)),
        });
    }

    /// The visitor's code for this purpose, if he has one that lives.
    fn living(
        &self,
        key: VisitorKey,
        purpose: CodePurpose,
        answer: impl FnOnce(Result<Option<Unique>, Problem>) + Send + 'static,
    ) {
        let now = self.clock().now();
        self.read(
            key,
            move |visitor| {
                let unique = visitor.and_then(|visitor| visitor.unique(purpose));
                unique.filter(|unique| unique.until > now).cloned()
            },
            answer,
        );
    }

    fn claim(
        &self,
        key: VisitorKey,
        socket: SocketAddress,
        kind: UniqueKind,
        answer: Answer<(Code, u64)>,
    ) {
        let presence = self.clone();
        let digits = match kind {
            UniqueKind::Usual | UniqueKind::Contact => self.unique_digits,
            UniqueKind::Lookup { address } => {
                let now = self.clock().now();
                if let Err(problem) = self.codes.guesses().admit(address, &key.group, now) {
                    return answer(Err(problem));
                }
                LOOKUP_DIGITS
            }
        };
        let (purpose, life) = (kind.purpose(), self.life_of(kind.purpose()));
        let lead = Lead::Visitor(key.visitor.clone());
        self.codes.claim(key.group.clone(), lead, digits, life, move |claimed| match claimed {
            Ok(code) => {
                let until = presence.clock().now() + life;
                presence.give(key, socket, Unique { purpose, code, until }, answer);
            }
            Err(problem) => answer(Err(problem)),
        });
    }

    fn life_of(&self, purpose: CodePurpose) -> u64 {
        match purpose {
            CodePurpose::Reach => self.unique_life_ms,
            CodePurpose::Lookup => LOOKUP_LIFE_MS,
            CodePurpose::Contact => CONTACT_LIFE_MS,
        }
    }

    /// Enters a code with its visitor. If another page's came first, `answer` gets that.
    fn give(
        &self,
        key: VisitorKey,
        socket: SocketAddress,
        unique: Unique,
        answer: impl FnOnce(Result<(Code, u64), Problem>) + Send + 'static,
    ) {
        let now = self.clock().now();
        self.submit(key, Command::UniqueGiven { socket, unique }, move |reply| {
            answer(match reply {
                Ok(Reply::Unique(Unique { code, until, .. })) => Ok((code, until.since(now))),
                Ok(_) => Err(unexpected()),
                Err(problem) => Err(problem),
            });
        });
    }

    /// Gives the visitor's unique id that he is to be reached by its whole life again.
    pub fn extend_unique(
        &self,
        key: VisitorKey,
        socket: SocketAddress,
        answer: impl FnOnce(Result<(Code, u64), Problem>) + Send + 'static,
    ) {
        let (presence, of) = (self.clone(), key.clone());
        let none = |sentence| Problem::new(ErrorCode::NotFound, sentence);
        self.living(key, CodePurpose::Reach, move |living| match living {
            Ok(Some(living)) => presence.prolong(of, socket, living, move |prolonged| {
                let ended = || none("the unique id's life has ended");
                answer(prolonged.and_then(|told| told.ok_or_else(ended)));
            }),
            Ok(None) => answer(Err(none("there is no unique id to extend"))),
            Err(problem) => answer(Err(problem)),
        });
    }

    /// Gives a code its whole life again. One that leads nowhere any more is the visitor's no longer: `answer` gets none.
    fn prolong(
        &self,
        of: VisitorKey,
        socket: SocketAddress,
        living: Unique,
        answer: impl FnOnce(Result<Option<(Code, u64)>, Problem>) + Send + 'static,
    ) {
        let life = self.life_of(living.purpose);
        let (group, lead) = (of.group.clone(), Lead::Visitor(of.visitor.clone()));
        let (presence, code) = (self.clone(), living.code.clone());
        self.codes.extend(group, code.clone(), lead, life, move |extended| match extended {
            Ok(true) => {
                let until = presence.clock().now() + life;
                let answer = move |told: Result<_, _>| answer(told.map(Some));
                presence.give(of, socket, Unique { until, ..living }, answer);
            }
            Ok(false) => {
                let ended = Command::UniqueExpired { code };
                presence.submit(of, ended, move |reply| answer(reply.map(|_| None)));
            }
            Err(problem) => answer(Err(problem)),
        });
    }
}

impl UniqueKind {
    fn purpose(self) -> CodePurpose {
        match self {
            Self::Usual => CodePurpose::Reach,
            Self::Lookup { .. } => CodePurpose::Lookup,
            Self::Contact => CodePurpose::Contact,
        }
    }
}
