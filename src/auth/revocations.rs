//! Tokens that are no longer believed although their time is not over.

use std::{collections::HashMap, sync::Arc};

use parking_lot::RwLock;
use serde::{Deserialize, Serialize};

use super::{Agent, Changes, MAX_MINUTES, SKEW_SECONDS};
use crate::{
    clock::Timestamp,
    model::{
        error::{ErrorCode, Problem},
        ids::GroupId,
    },
};

/// Most revocations of one group at a time.
pub const MAX_REVOCATIONS: usize = 10_000;

/// Which tokens of a group are revoked.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Target {
    /// The one with this name (`jti`).
    Token(Arc<str>),
    /// Those that speak for this subject, made up to the moment of the revocation.
    Subject(Arc<str>),
    /// All that were made up to the moment of the revocation.
    Group,
}

/// One revocation. Times are of the wall clock, as tokens' are.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Revocation {
    /// Its name.
    pub id: Arc<str>,
    /// The group whose tokens it is about.
    pub group: GroupId,
    /// Which of them.
    pub target: Target,
    /// When it was made. A token made later is not touched; one that carries the same second is, since tokens tell
    /// whole seconds.
    pub made: Timestamp,
    /// Who made it: the subject of his token.
    pub by: Arc<str>,
    /// Why, in his words.
    pub reason: Option<Arc<str>>,
}

impl Revocation {
    /// Whether this one, of the whole group, makes `former` needless: what that touches, this one touches too. A token
    /// that is revoked by its name may be dated a little ahead, and then only this name holds it back.
    fn covers(&self, former: &Revocation) -> bool {
        let ahead_ms = match former.target {
            Target::Token(_) => (SKEW_SECONDS + 1) * 1_000,
            Target::Subject(_) | Target::Group => 0,
        };
        former.made + ahead_ms <= self.made
    }

    /// When no token can be left that it touches: the longest life of a token after it was made.
    #[must_use]
    pub fn until(&self) -> Timestamp {
        // Tokens of a clock that ran ahead by a few seconds are covered too.
        self.made + (MAX_MINUTES + 1) * 60_000
    }
}

/// All revocations that may still touch a token. Shared by all threads; a check is a lock for reading and three look-ups.
///
/// Bounded by [`MAX_REVOCATIONS`] for each group, and one more of the whole group; each goes after two hours.
#[derive(Debug, Default)]
pub struct Revocations {
    by_group: RwLock<HashMap<GroupId, HashMap<Target, Revocation>>>,
    changes: Changes,
}

impl Revocations {
    /// None, and who is told of each.
    #[must_use]
    pub fn new(changes: Changes) -> Self {
        Self { changes, ..Self::default() }
    }

    /// Puts one in force. One with the same target gives way to it. One of a whole group makes those before it needless:
    /// they are given back, as is the one that gave way.
    ///
    /// # Errors
    /// `toomany` beyond [`MAX_REVOCATIONS`].
    pub fn put(&self, revocation: Revocation) -> Result<Vec<Revocation>, Problem> {
        let mut by_group = self.by_group.write();
        let of_group = by_group.entry(revocation.group.clone()).or_default();
        let mut needless = Vec::new();
        if revocation.target == Target::Group {
            let covered = of_group.extract_if(|_, former| revocation.covers(former));
            needless.extend(covered.map(|(_, former)| former));
        } else if of_group.len() >= MAX_REVOCATIONS && !of_group.contains_key(&revocation.target) {
            let sentence = format!(
                "{MAX_REVOCATIONS} revocations of this group are in force; revoke the whole group"
            );
            return Err(Problem::new(ErrorCode::TooMany, sentence));
        }
        needless.extend(of_group.insert(revocation.target.clone(), revocation));
        drop(by_group);
        self.changes.tell();
        Ok(needless)
    }

    /// Puts one in force of which another node tells, unless what is in force here makes it needless.
    pub fn hear_of(&self, revocation: Revocation) {
        let is_needless = {
            let by_group = self.by_group.read();
            let of_group = by_group.get(&revocation.group);
            let same = of_group.and_then(|group| group.get(&revocation.target));
            let whole = of_group.and_then(|group| group.get(&Target::Group));
            same.is_some_and(|same| same.made >= revocation.made)
                || whole.is_some_and(|whole| whole.covers(&revocation))
        };
        if !is_needless && let Err(problem) = self.put(revocation) {
            tracing::warn!(%problem, "another node's revocation is not in force here");
        }
    }

    /// All of them.
    #[must_use]
    pub fn all(&self) -> Vec<Revocation> {
        self.by_group.read().values().flat_map(HashMap::values).cloned().collect()
    }

    /// Takes one back; its tokens are believed again.
    pub fn remove(&self, group: &GroupId, id: &str) -> Option<Revocation> {
        let mut by_group = self.by_group.write();
        let of_group = by_group.get_mut(group)?;
        let target = of_group.values().find(|found| &*found.id == id)?.target.clone();
        of_group.remove(&target)
    }

    /// Those of a group in the order of their names, after the one named `after`.
    #[must_use]
    pub fn list(&self, group: &GroupId, after: Option<&str>, limit: usize) -> Vec<Revocation> {
        let by_group = self.by_group.read();
        let of_group = by_group.get(group).into_iter().flat_map(HashMap::values);
        let mut found: Vec<_> =
            of_group.filter(|one| after.is_none_or(|after| &*one.id > after)).cloned().collect();
        found.sort_by(|one, other| one.id.cmp(&other.id));
        found.truncate(limit);
        found
    }

    /// Whether the bearer's token is revoked.
    #[must_use]
    pub fn touches(&self, agent: &Agent) -> bool {
        let by_group = self.by_group.read();
        let Some(of_group) = by_group.get(&agent.group) else { return false };
        // An outside issuer's clock may run ahead of ours; who makes tokens with our keys is bid to keep ours.
        let skew_ms = if agent.voucher.issuer.is_some() { SKEW_SECONDS * 1_000 } else { 0 };
        let made_before = |target| {
            of_group.get(&target).is_some_and(|found| agent.issued <= found.made + skew_ms)
        };
        of_group.contains_key(&Target::Token(Arc::clone(&agent.jti)))
            || made_before(Target::Subject(Arc::clone(&agent.subject)))
            || made_before(Target::Group)
    }

    /// The first second, in Unix seconds, whose tokens for this subject are not revoked.
    #[must_use]
    pub fn first_good_second(&self, group: &GroupId, subject: &str) -> u64 {
        let by_group = self.by_group.read();
        let Some(of_group) = by_group.get(group) else { return 0 };
        let targets = [Target::Group, Target::Subject(subject.into())];
        let made = targets.iter().filter_map(|target| of_group.get(target)).map(|one| one.made.0);
        made.max().map_or(0, |made| made / 1_000 + 1)
    }

    /// The moment that a new revocation has to carry: now, or so little later that it touches what was dated ahead
    /// because of the one before it. Never as far ahead as a clock may run.
    #[must_use]
    pub fn moment(&self, group: &GroupId, target: &Target, now: Timestamp) -> Timestamp {
        let first_good = match target {
            Target::Token(_) => 0,
            Target::Subject(subject) => self.first_good_second(group, subject),
            Target::Group => {
                let by_group = self.by_group.read();
                let dated = by_group.get(group).into_iter().flat_map(HashMap::values);
                let dated = dated.filter(|one| !matches!(one.target, Target::Token(_)));
                dated.map(|one| one.made.0 / 1_000 + 1).max().unwrap_or(0)
            }
        };
        let latest = now.0 / 1_000 + SKEW_SECONDS - 1;
        now.max(Timestamp(first_good.min(latest) * 1_000))
    }

    /// Forgets those that can touch no token any more.
    pub fn forget(&self, now: Timestamp) {
        let mut by_group = self.by_group.write();
        by_group.retain(|_, of_group| {
            of_group.retain(|_, one| now < one.until());
            !of_group.is_empty()
        });
    }

    /// How many are in force.
    #[must_use]
    pub fn len(&self) -> usize {
        self.by_group.read().values().map(HashMap::len).sum()
    }

    /// Whether none is in force.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

#[cfg(test)]
#[path = "revocations_tests.rs"]
mod tests;
