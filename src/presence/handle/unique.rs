//! Unique ids: codes that lead agents to a visitor.

use std::net::IpAddr;

use super::Presence;
use crate::{
    clock::Timestamp,
    codes::Lead,
    model::{
        error::{ErrorCode, Problem},
        ids::{Code, GroupId, SocketAddress, VisitorId, VisitorKey},
    },
    presence::visitor::command::Command,
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
    /// Says which visitor a code leads to, to somebody at `address`.
    pub fn resolve(
        &self,
        group: GroupId,
        code: Code,
        address: IpAddr,
        answer: impl FnOnce(Result<VisitorId, Problem>) + Send + 'static,
    ) {
        self.codes.resolve(group, code, address, self.clock().now(), |lead| {
            answer(match lead {
                Ok(Lead::Visitor(visitor)) => Ok(visitor),
                Ok(Lead::Session(_)) => {
                    let sentence = "the code leads to a session, not to a visitor";
                    Err(Problem::new(ErrorCode::VisitorNotPresent, sentence))
                }
                Err(problem) => Err(problem),
            });
        });
    }

    /// Gives the visitor of a page a unique id, or the one that he has. `answer` gets it and its remaining life in ms.
    pub fn unique(
        &self,
        key: VisitorKey,
        socket: SocketAddress,
        kind: UniqueKind,
        answer: impl FnOnce(Result<(Code, u64), Problem>) + Send + 'static,
    ) {
        let presence = self.clone();
        let of = key.clone();
        self.read(
            key,
            |visitor| visitor.and_then(|visitor| visitor.unique().cloned()),
            move |living| {
                let now = presence.clock().now();
                match living.map(|living| living.filter(|(_, until)| *until > now)) {
                    Ok(Some((code, _))) if kind == UniqueKind::Contact => {
                        presence.prolong(of, code, kind, socket, Box::new(answer));
                    }
                    Ok(Some((code, until))) => {
                        presence.give(of, (kind, socket), code, until, Box::new(answer));
                    }
                    Ok(None) => presence.claim(of, socket, kind, Box::new(answer)),
                    Err(problem) => answer(Err(problem)),
                }
            },
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
        let (digits, life) = match kind {
            UniqueKind::Usual => (self.unique_digits, self.unique_life_ms),
            UniqueKind::Contact => (self.unique_digits, CONTACT_LIFE_MS),
            UniqueKind::Lookup { address } => {
                let now = self.clock().now();
                if let Err(problem) = self.codes.guesses().admit(address, &key.group, now) {
                    return answer(Err(problem));
                }
                (LOOKUP_DIGITS, LOOKUP_LIFE_MS)
            }
        };
        let lead = Lead::Visitor(key.visitor.clone());
        self.codes.claim(key.group.clone(), lead, digits, life, move |claimed| match claimed {
            Ok(code) => {
                let until = presence.clock().now() + life;
                presence.give(key, (kind, socket), code, until, answer);
            }
            Err(problem) => answer(Err(problem)),
        });
    }

    fn give(
        &self,
        key: VisitorKey,
        (kind, socket): (UniqueKind, SocketAddress),
        code: Code,
        until: Timestamp,
        answer: Answer<(Code, u64)>,
    ) {
        let left = until.since(self.clock().now());
        let command = Command::UniqueGiven {
            socket: (kind == UniqueKind::Usual).then_some(socket),
            code: code.clone(),
            until,
            contact: kind == UniqueKind::Contact,
        };
        self.submit(key, command, move |reply| answer(reply.map(|_| (code, left))));
    }

    /// Gives the visitor's unique id its whole life again.
    pub fn extend_unique(
        &self,
        key: VisitorKey,
        socket: SocketAddress,
        answer: impl FnOnce(Result<(Code, u64), Problem>) + Send + 'static,
    ) {
        let presence = self.clone();
        let of = key.clone();
        self.read(
            key,
            |visitor| visitor.and_then(|visitor| visitor.unique().cloned()),
            move |living| {
                let sentence = "there is no unique id to extend";
                let none = || Problem::new(ErrorCode::NotFound, sentence);
                let (code, _) = match living.and_then(|living| living.ok_or_else(none)) {
                    Ok(living) => living,
                    Err(problem) => return answer(Err(problem)),
                };
                presence.prolong(of, code, UniqueKind::Usual, socket, Box::new(answer));
            },
        );
    }

    /// Gives a living code its whole life again.
    fn prolong(
        &self,
        of: VisitorKey,
        code: Code,
        kind: UniqueKind,
        socket: SocketAddress,
        answer: Answer<(Code, u64)>,
    ) {
        let life = if kind == UniqueKind::Contact { CONTACT_LIFE_MS } else { self.unique_life_ms };
        let (group, lead) = (of.group.clone(), Lead::Visitor(of.visitor.clone()));
        let presence = self.clone();
        self.codes.extend(group, code.clone(), lead, life, move |extended| match extended {
            Ok(true) => {
                let until = presence.clock().now() + life;
                presence.give(of, (kind, socket), code, until, answer);
            }
            Ok(false) => {
                let sentence = "the unique id's life has ended";
                answer(Err(Problem::new(ErrorCode::NotFound, sentence)));
            }
            Err(problem) => answer(Err(problem)),
        });
    }
}
