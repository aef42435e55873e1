//! Codes: short numbers that lead to something for a while, so that people can read them out (design section 7).
//!
//! Drawn from the machine's cryptographic random source, unique among the living of a group, not given again within a
//! day while there is room, and kept through the store seam. Wrong guesses are limited per address and per group.

mod guesses;
mod record;

use std::net::IpAddr;

use rand::RngExt as _;

pub use self::{
    guesses::{Guess, GuessLimits, Guesses},
    record::{CodeCommand, CodeEffect, CodeKey, CodeRecord, CodeReply, CodeRules, Lead},
};
use crate::{
    clock::Timestamp,
    model::{
        error::{ErrorCode, Problem},
        ids::{Code, GroupId},
    },
    store::{Applied, Engine, Expect, Refusal},
};

/// How often a fresh number is drawn before the group counts as out of codes.
const DRAWS: u32 = 12;

/// A code that is wanted.
#[derive(Clone)]
struct Wish {
    lead: Lead,
    digits: u32,
    life_ms: u64,
}

/// Where a code leads, and the guess at it.
pub struct Found {
    /// Where.
    pub lead: Lead,
    /// Wrong, until whoever wanted to be led there says that it was right.
    pub guess: Guess,
}

/// Gives out codes and says where they lead.
#[derive(Clone)]
pub struct Codes<E> {
    engine: E,
    guesses: Guesses,
}

impl<E: Engine<CodeRecord>> Codes<E> {
    /// Codes that are kept in `engine`.
    pub fn new(engine: E, limits: &GuessLimits) -> Self {
        Self { engine, guesses: Guesses::new(limits) }
    }

    /// Who guesses, and how often.
    #[must_use]
    pub fn guesses(&self) -> &Guesses {
        &self.guesses
    }

    /// Draws a fresh code of `digits` digits (4 to 12) that leads there for `life_ms`.
    ///
    /// `answer` gets the code, or `toomany` when the group has hardly any left.
    pub fn claim(
        &self,
        group: GroupId,
        lead: Lead,
        digits: u32,
        life_ms: u64,
        answer: impl FnOnce(Result<Code, Problem>) + Send + 'static,
    ) {
        let digits = digits.clamp(4, 12);
        self.draw(group, Wish { lead, digits, life_ms }, DRAWS, Box::new(answer));
    }

    fn draw(
        &self,
        group: GroupId,
        wish: Wish,
        draws: u32,
        answer: Box<dyn FnOnce(Result<Code, Problem>) + Send>,
    ) {
        let number = rand::rng().random_range(0..10_u64.pow(wish.digits));
        let text = format!("{number:0width$}", width = wish.digits as usize);
        let Ok(code) = text.parse::<Code>() else { return };
        if draws == 0 {
            let sentence = "the group has no free codes left; try again later";
            return answer(Err(Problem::new(ErrorCode::TooMany, sentence).retry_in(60_000)));
        }
        // The last draws take a number that rests, rather than none.
        let rested = draws > DRAWS / 3;
        let key = CodeKey { group: group.clone(), code: code.clone() };
        let Wish { lead, life_ms, .. } = wish.clone();
        let command = CodeCommand::Claim { lead, life_ms, rested };
        let again = self.clone();
        let sink = Box::new(move |result: Result<Applied<CodeReply>, Refusal>| {
            match result.map(|applied| applied.reply) {
                Ok(CodeReply::LeadsTo { .. }) => answer(Ok(code)),
                Ok(CodeReply::Taken | CodeReply::Nowhere) => {
                    again.draw(group, wish, draws - 1, answer);
                }
                Err(refusal) => answer(Err(refusal.into())),
            }
        });
        self.engine.submit(key, Expect::Any, command, sink);
    }

    /// Gives a living code its whole life again. `answer` gets false when it no longer leads there.
    pub fn extend(
        &self,
        group: GroupId,
        code: Code,
        lead: Lead,
        life_ms: u64,
        answer: impl FnOnce(Result<bool, Problem>) + Send + 'static,
    ) {
        let command = CodeCommand::Extend { lead, life_ms };
        let sink = Box::new(move |result: Result<Applied<CodeReply>, Refusal>| {
            let reply = result.map(|applied| applied.reply).map_err(Problem::from);
            answer(reply.map(|reply| matches!(reply, CodeReply::LeadsTo { .. })));
        });
        self.engine.submit(CodeKey { group, code }, Expect::Any, command, sink);
    }

    /// Ends a code's life, if it leads there.
    pub fn release(&self, group: GroupId, code: Code, lead: Lead) {
        let command = CodeCommand::Release { lead };
        self.engine.submit(CodeKey { group, code }, Expect::Any, command, Box::new(|_| ()));
    }

    /// Says where a code leads, to somebody at `address`. Every question is a guess; one that gets no answer is a wrong one.
    ///
    /// `answer` gets `visitornotpresent` for a code that leads nowhere, `ratelimited` when there were too many wrong guesses.
    pub fn resolve(
        &self,
        group: GroupId,
        code: Code,
        address: IpAddr,
        now: Timestamp,
        answer: impl FnOnce(Result<Found, Problem>) + Send + 'static,
    ) {
        let guess = match self.guesses.admit(address, &group, now) {
            Ok(guess) => guess,
            Err(problem) => return answer(Err(problem)),
        };
        let key = CodeKey { group, code };
        let sink = Box::new(move |result: Result<Applied<CodeReply>, Refusal>| {
            match result.map(|applied| applied.reply) {
                Ok(CodeReply::LeadsTo { lead }) => answer(Ok(Found { lead, guess })),
                Ok(CodeReply::Taken | CodeReply::Nowhere) => {
                    let sentence = "the code leads to nobody";
                    answer(Err(Problem::new(ErrorCode::VisitorNotPresent, sentence)));
                }
                Err(refusal) => answer(Err(refusal.into())),
            }
        });
        self.engine.submit(key, Expect::Any, CodeCommand::Resolve, sink);
    }
}

#[cfg(test)]
mod tests {
    use std::{
        num::NonZeroU32,
        sync::{Arc, Mutex},
    };

    use super::*;
    use crate::{
        clock::Clock,
        limits::Rate,
        store::{Deliver, memory::MemoryEngine},
    };

    type Expired = Arc<Mutex<Vec<String>>>;
    struct Recorder(Expired);
    impl Deliver<CodeRecord, MemoryEngine<CodeRecord>> for Recorder {
        fn deliver(
            &self,
            _: &MemoryEngine<CodeRecord>,
            _: &CodeKey,
            effects: &mut Vec<CodeEffect>,
            _: crate::store::Origin,
        ) {
            for CodeEffect::Expired { lead } in effects.drain(..) {
                let Lead::Visitor(visitor) = lead else { panic!("{lead:?}") };
                self.0.lock().unwrap().push(visitor.to_string());
            }
        }
    }

    fn bench() -> (Codes<MemoryEngine<CodeRecord>>, Clock, Expired) {
        let clock = Clock::manual(Timestamp(1_000));
        let expired = Expired::default();
        let rules = CodeRules { rest_ms: 86_400_000 };
        let engine =
            MemoryEngine::new(2, usize::MAX, rules, clock.clone(), Recorder(Arc::clone(&expired)));
        (Codes::new(engine, &limits()), clock, expired)
    }

    fn limits() -> GuessLimits {
        let rate = |count| Rate::per_minute(NonZeroU32::new(count).unwrap());
        GuessLimits { per_address: rate(20), per_group: rate(600), remembered: 1_000 }
    }

    fn group() -> GroupId {
        "12345".parse().unwrap()
    }

    fn ada() -> Lead {
        Lead::Visitor("ada".parse().unwrap())
    }

    fn claim(codes: &Codes<MemoryEngine<CodeRecord>>, digits: u32) -> Result<Code, Problem> {
        let (sender, receiver) = std::sync::mpsc::channel();
        codes.claim(group(), ada(), digits, 300_000, move |answer| {
            sender.send(answer).unwrap();
        });
        receiver.recv().unwrap()
    }

    fn resolve(
        codes: &Codes<MemoryEngine<CodeRecord>>,
        code: &Code,
        from: u8,
    ) -> Result<Lead, Problem> {
        let (sender, receiver) = std::sync::mpsc::channel();
        let address = IpAddr::from([10, 0, 0, from]);
        let now = Timestamp(1_000);
        codes.resolve(group(), code.clone(), address, now, move |found| {
            sender.send(found.map(right)).unwrap();
        });
        receiver.recv().unwrap()
    }

    fn right(Found { lead, guess }: Found) -> Lead {
        guess.was_right();
        lead
    }

    #[test]
    fn a_code_leads_to_its_visitor_until_it_expires() {
        let (codes, clock, expired) = bench();
        let code = claim(&codes, 6).unwrap();
        assert_eq!(code.as_str().len(), 6);
        assert_eq!(resolve(&codes, &code, 1), Ok(ada()));
        clock.advance(299_999);
        let (sender, receiver) = std::sync::mpsc::channel();
        codes.extend(group(), code.clone(), ada(), 300_000, move |answer| {
            sender.send(answer).unwrap();
        });
        assert_eq!(receiver.recv().unwrap(), Ok(true));
        clock.advance(299_999);
        codes.engine.settle();
        assert!(expired.lock().unwrap().is_empty());
        clock.advance(1);
        codes.engine.settle();
        assert_eq!(*expired.lock().unwrap(), ["ada"]);
        assert_eq!(resolve(&codes, &code, 1).unwrap_err().code, ErrorCode::VisitorNotPresent);
    }

    #[test]
    fn a_code_that_is_released_leads_nowhere_and_rests() {
        let (codes, ..) = bench();
        let code = claim(&codes, 6).unwrap();
        let session = Lead::Session(crate::model::ids::SessionId::from_u128(1));
        codes.release(group(), code.clone(), session);
        assert_eq!(resolve(&codes, &code, 1), Ok(ada()), "somebody else's");
        codes.release(group(), code.clone(), ada());
        assert_eq!(resolve(&codes, &code, 1).unwrap_err().code, ErrorCode::VisitorNotPresent);
    }

    #[test]
    fn the_living_are_unique_and_a_full_group_says_so() {
        let (codes, ..) = bench();
        let mut given = std::collections::HashSet::new();
        let mut refused = 0;
        for _ in 0..9_000 {
            match claim(&codes, 4) {
                Ok(code) => assert!(given.insert(code), "given twice"),
                Err(problem) => {
                    assert_eq!(problem.code, ErrorCode::TooMany);
                    refused += 1;
                }
            }
        }
        assert!(refused < 3_000, "{refused}");
    }

    #[test]
    fn guesses_are_limited_per_address_and_group() {
        let (codes, ..) = bench();
        let wrong: Code = "0000000".parse().unwrap();
        let limited = |from: u8| {
            (0..1_000)
                .take_while(|_| {
                    resolve(&codes, &wrong, from).unwrap_err().code == ErrorCode::VisitorNotPresent
                })
                .count()
        };
        assert_eq!(limited(1), 20);
        assert_eq!(limited(2), 20, "another address has its own");
        let more: usize = (3..=60).map(limited).sum();
        assert!(more <= 600, "the group's limit holds for all together");
        assert_eq!(limited(61), 0);
    }

    #[test]
    fn right_guesses_cost_nothing_and_give_nothing() {
        let (codes, ..) = bench();
        let right = claim(&codes, 6).unwrap();
        let wrong: Code = "0000000".parse().unwrap();
        let mut answered = 0;
        // More right ones than the group allows wrong ones; they go on until the wrong ones are used up.
        while resolve(&codes, &right, 1).is_ok() {
            answered += 1;
            if answered % 50 == 0 {
                let problem = resolve(&codes, &wrong, 1).unwrap_err();
                assert_eq!(problem.code, ErrorCode::VisitorNotPresent);
            }
        }
        assert_eq!(answered, 20 * 50);
        assert_eq!(resolve(&codes, &right, 1).unwrap_err().code, ErrorCode::RateLimited);
        assert_eq!(resolve(&codes, &right, 2), Ok(ada()), "another address has its own");
    }

    /// What nobody calls right counts, and so does what is still under way: here, because nobody carries it out.
    #[test]
    fn what_is_not_known_to_be_right_takes_the_place_of_a_wrong_one() {
        let (codes, ..) = bench();
        let right = claim(&codes, 6).unwrap();
        std::thread::scope(|scope| {
            scope.spawn(|| {
                (0..codes.engine.shards()).for_each(|index| codes.engine.keep(index).adopt());
            });
        });
        let (sender, receiver) = std::sync::mpsc::channel();
        let ask = |is_right: bool| {
            let (sender, address) = (sender.clone(), IpAddr::from([10, 0, 0, 1]));
            codes.resolve(group(), right.clone(), address, Timestamp(1_000), move |found| {
                sender
                    .send(found.map(|Found { guess, .. }| {
                        if is_right {
                            guess.was_right()
                        }
                    }))
                    .unwrap();
            });
        };
        for is_right in (0..30).map(|at| at % 2 == 0) {
            ask(is_right);
        }
        let refused: Vec<_> = receiver.try_iter().map(|told| told.unwrap_err().code).collect();
        assert_eq!(refused, [ErrorCode::RateLimited; 10]);
        codes.engine.settle();
        assert_eq!(receiver.try_iter().filter(Result::is_ok).count(), 20);
        // Ten of them were called right; ten are left.
        (0..30).for_each(|_| ask(false));
        codes.engine.settle();
        assert_eq!(receiver.try_iter().filter(Result::is_ok).count(), 10);
    }
}
