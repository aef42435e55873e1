//! Makes and believes tokens.

use std::{fmt, sync::Arc};

use arc_swap::ArcSwap;
use serde::Deserialize;
use uuid::Uuid;

use super::{
    AUDIENCE, Agent, AuthError, Changes, Claims, ISSUER, Issuer, Key, KeyPrint, KeyRing, KeySet,
    Question, Revocations, Scope, Voucher, claims::Audience,
};
use crate::{
    clock::Timestamp,
    model::{
        error::{ErrorCode, Problem},
        ids::{GroupId, IdempotencyKey},
        topic::Rights,
    },
};

/// The longest life of a token, in minutes.
pub const MAX_MINUTES: u64 = 120;
/// The longest token, in bytes; a longer one is refused before anything of it is read.
pub const MAX_TOKEN_BYTES: usize = 4 * 1024;

/// How far another machine's clock may run ahead of ours. An expiry gets no such grace: it is when sockets close.
pub(super) const SKEW_SECONDS: u64 = 5;
const LONGEST_TEXT: usize = 255;

/// The life of a token: 1 to [`MAX_MINUTES`] minutes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Minutes(u64);

impl Minutes {
    /// Takes the number as it is, or not at all.
    ///
    /// # Errors
    /// [`ErrorCode::BadRequest`] on the field `minutes`.
    pub fn checked(minutes: u64) -> Result<Self, Problem> {
        if (1..=MAX_MINUTES).contains(&minutes) {
            return Ok(Self(minutes));
        }
        Err(Problem::field("minutes", format!("must be 1 to {MAX_MINUTES}")))
    }

    /// Takes the nearest number that is allowed.
    #[must_use]
    pub fn clamped(minutes: i64) -> Self {
        Self(u64::try_from(minutes).unwrap_or(0).clamp(1, MAX_MINUTES))
    }

    /// The number of minutes.
    #[must_use]
    pub const fn get(self) -> u64 {
        self.0
    }
}

/// A wish for a token.
#[derive(Clone, Debug)]
pub struct TokenRequest {
    /// The one group that the token is for.
    pub group: GroupId,
    /// Who will bear it: 1 to 255 characters, no control characters.
    pub subject: String,
    /// What people call him: at most 255 characters, no control characters.
    pub name: Option<String>,
    /// What he may do.
    pub scope: Scope,
    /// Which topics he may publish to and subscribe to.
    pub topics: Rights,
    /// How long; `None` means as the settings say.
    pub minutes: Option<Minutes>,
}

/// A fresh token. `Debug` leaves the token itself out.
#[derive(Clone)]
pub struct IssuedToken {
    /// The token, in the compact form of RFC 7515.
    pub token: String,
    /// What it says.
    pub claims: Claims,
}

impl IssuedToken {
    /// When it ends.
    #[must_use]
    pub fn expires_at(&self) -> Timestamp {
        Timestamp(self.claims.exp.saturating_mul(1_000))
    }

    /// How long it lives, in seconds from its making.
    #[must_use]
    pub fn expires_in(&self) -> u64 {
        self.claims.exp.saturating_sub(self.claims.iat)
    }
}

impl fmt::Debug for IssuedToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IssuedToken").field("claims", &self.claims).finish_non_exhaustive()
    }
}

/// Whose tokens are believed at a moment: ours, under the keys of our ring, and those of outside issuers.
#[derive(Debug)]
pub struct Believed {
    /// Our own keys.
    pub own: KeyRing,
    /// The outside issuers, each with another name, and none with ours.
    pub issuers: Vec<Arc<Issuer>>,
}

/// Issues and verifies tokens. `now` is always the wall clock ([`crate::clock::Clock::wall`]), since other machines make
/// and read tokens too.
#[derive(Debug)]
pub struct TokenService {
    believed: ArcSwap<Believed>,
    changes: Changes,
    revocations: Arc<Revocations>,
    default_minutes: Minutes,
}

impl TokenService {
    /// A service whose tokens live `default_minutes` where nothing else is asked for.
    #[must_use]
    pub fn new(believed: Believed, default_minutes: Minutes) -> Self {
        let believed = ArcSwap::from_pointee(believed);
        let changes = Changes::default();
        let revocations = Arc::new(Revocations::new(changes.clone()));
        Self { believed, changes, revocations, default_minutes }
    }

    /// Whose tokens are believed now.
    #[must_use]
    pub fn believed(&self) -> Arc<Believed> {
        self.believed.load_full()
    }

    /// Changes whose tokens are believed, for all threads in one step. Issuers keep the keys that were got from their
    /// address.
    pub fn believe(&self, mut believed: Believed) {
        let former = self.believed.load();
        for issuer in &mut believed.issuers {
            let same = former.issuers.iter().find(|one| one.rules.name == issuer.rules.name);
            if let (Some(same), Some(issuer)) = (same, Arc::get_mut(issuer)) {
                issuer.follow(same);
            }
        }
        self.believed.store(Arc::new(believed));
        self.changes.tell();
    }

    /// Takes what came of asking an issuer for his keys; without a good answer the last good ones stay.
    pub fn learn(&self, question: Question, keys: Option<KeySet>, now: Timestamp) {
        if question.answered(keys, now) {
            self.changes.tell();
        }
    }

    /// The news that somebody may be believed no longer: his token is revoked, or its key is gone.
    #[must_use]
    pub fn changes(&self) -> &Changes {
        &self.changes
    }

    /// Whether a bearer whose token was believed is so still, its end apart. Costs no cryptography.
    #[must_use]
    pub fn still_believes(&self, agent: &Agent) -> bool {
        let believed = self.believed.load();
        let is_vouched_for = match &agent.voucher.issuer {
            None => believed.own.vouches_for(agent),
            Some(name) => {
                let issuer = believed.issuers.iter().find(|issuer| issuer.rules.name == *name);
                issuer.is_some_and(|issuer| issuer.vouches_for(agent))
            }
        };
        is_vouched_for && !self.revocations.touches(agent)
    }

    /// The tokens that are believed no longer.
    #[must_use]
    pub fn revocations(&self) -> &Arc<Revocations> {
        &self.revocations
    }

    /// Makes a token that is valid from `now` on.
    ///
    /// # Errors
    /// [`ErrorCode::BadRequest`] on the field `subject` or `name`; [`ErrorCode::Internal`] when signing fails.
    pub fn issue(&self, request: TokenRequest, now: Timestamp) -> Result<IssuedToken, Problem> {
        let claims = self.claims(request, now)?;
        let believed = self.believed.load();
        let token = believed.own.signing().and_then(|key| key.sign(&claims));
        let token = token
            .ok_or_else(|| Problem::new(ErrorCode::Internal, "the token could not be signed"))?;
        Ok(IssuedToken { token, claims })
    }

    fn claims(&self, request: TokenRequest, now: Timestamp) -> Result<Claims, Problem> {
        const RULE: &str = "1 to 255 characters, no control characters";
        if !is_text(&request.subject) {
            return Err(Problem::field("subject", format!("must be {RULE}")));
        }
        if request.name.as_deref().is_some_and(|name| !is_text(name)) {
            return Err(Problem::field("name", format!("must be {RULE}")));
        }
        // A token that is made right after a revocation is not meant by it.
        let good = self.revocations.first_good_second(&request.group, &request.subject);
        let iat = (now.0 / 1_000).max(good);
        let minutes = request.minutes.unwrap_or(self.default_minutes).get();
        Ok(Claims {
            iss: ISSUER.into(),
            sub: request.subject,
            aud: Audience::One(AUDIENCE.into()),
            group: request.group,
            scope: request.scope,
            exp: iat.saturating_add(minutes * 60),
            iat,
            nbf: None,
            jti: Uuid::now_v7().simple().to_string(),
            name: request.name,
            topics: request.topics,
        })
    }

    /// Somebody whom the service itself vouches for, as if he bore such a token. Like any other he is believed until he is
    /// revoked, or the key that signs is gone.
    ///
    /// # Errors
    /// Those of [`TokenService::issue`].
    pub fn vouch(&self, request: TokenRequest, now: Timestamp) -> Result<Agent, Problem> {
        let claims = self.claims(request, now)?;
        let key = self.believed.load().own.signing().map(Key::print);
        let key = key.ok_or_else(|| Problem::new(ErrorCode::Internal, "there is no key"))?;
        Ok(Agent::new(claims, Voucher { issuer: None, key }))
    }

    /// Believes a token, or says why not.
    ///
    /// # Errors
    /// The first rule that the token breaks: size, form, issuer, key, signature, audience, times, group, revocation.
    pub fn verify(&self, token: &str, now: Timestamp) -> Result<Agent, AuthError> {
        if token.is_empty() {
            return Err(AuthError::Missing);
        }
        if token.len() > MAX_TOKEN_BYTES {
            return Err(AuthError::TooLarge);
        }
        let malformed = |error: jsonwebtoken::errors::Error| AuthError::of_library(error.kind());
        let header = jsonwebtoken::decode_header(token).map_err(malformed)?;
        if header.crit.is_some() {
            return Err(AuthError::Critical);
        }
        // Not believed yet: only says whose key is to verify all of it, this claim included.
        let Claimed { iss } =
            jsonwebtoken::dangerous::insecure_decode_claims(token).map_err(malformed)?;
        let believed = self.believed.load();
        let id = header.kid.as_deref();
        let (claims, audience, voucher) = if iss == ISSUER {
            let (claims, key) = read_own(&believed.own, token, id)?;
            (claims, AUDIENCE, Voucher { issuer: None, key })
        } else {
            let issuer = believed.issuers.iter().find(|issuer| *issuer.rules.name == *iss);
            let issuer = issuer.ok_or(AuthError::WrongIssuer)?;
            let (claims, key) = issuer.read(token, id, now)?;
            let voucher = Voucher { issuer: Some(Arc::clone(&issuer.rules.name)), key };
            (claims, issuer.rules.audience.as_str(), voucher)
        };
        check(&claims, audience, now.0 / 1_000)?;
        let agent = Agent::new(claims, voucher);
        if self.revocations.touches(&agent) {
            return Err(AuthError::Revoked);
        }
        Ok(agent)
    }
}

/// The one claim that is looked at before the signature is.
#[derive(Deserialize)]
struct Claimed {
    iss: String,
}

fn read_own(
    keys: &KeyRing,
    token: &str,
    id: Option<&str>,
) -> Result<(Claims, KeyPrint), AuthError> {
    let mut verdict = Err(AuthError::UnknownKey);
    for key in keys.candidates(id)? {
        verdict = key.read::<Claims>(token).map(|claims| (claims, key.print()));
        match &verdict {
            Err(AuthError::BadSignature) => {}
            Ok((claims, _)) if !key.is_believed_for(&claims.group) => {
                return Err(AuthError::WrongGroup);
            }
            _ => break,
        }
    }
    verdict
}

fn check(claims: &Claims, audience: &str, now: u64) -> Result<(), AuthError> {
    let texts = is_text(&claims.sub) && claims.name.as_deref().is_none_or(is_text);
    if !texts || claims.jti.parse::<IdempotencyKey>().is_err() {
        return Err(AuthError::Malformed);
    }
    if !claims.aud.includes(audience) {
        return Err(AuthError::WrongAudience);
    }
    if now >= claims.exp {
        return Err(AuthError::Expired);
    }
    let begins = claims.nbf.unwrap_or(0).max(claims.iat);
    if begins > now.saturating_add(SKEW_SECONDS) {
        return Err(AuthError::NotYetValid);
    }
    // Holds for tokens that others made, too: what a revocation must remember ends with it.
    if claims.exp.saturating_sub(claims.iat) > MAX_MINUTES * 60 {
        return Err(AuthError::LivesTooLong);
    }
    Ok(())
}

fn is_text(text: &str) -> bool {
    !text.is_empty() && text.chars().count() <= LONGEST_TEXT && !text.contains(char::is_control)
}

#[cfg(test)]
#[path = "tokens_tests.rs"]
mod tests;
