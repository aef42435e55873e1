//! Makes and believes tokens.

use std::fmt;

use jsonwebtoken::{Header, errors::ErrorKind};
use uuid::Uuid;

use super::{AUDIENCE, Agent, AuthError, Claims, ISSUER, KeyRing, Scope, claims::Audience};
use crate::{
    clock::Timestamp,
    model::{
        error::{ErrorCode, Problem},
        ids::{GroupId, IdempotencyKey},
    },
};

/// The longest life of a token, in minutes.
pub const MAX_MINUTES: u64 = 120;
/// The longest token, in bytes; a longer one is refused before anything of it is read.
pub const MAX_TOKEN_BYTES: usize = 4 * 1024;

/// How far another machine's clock may run ahead of ours. An expiry gets no such grace: it is when sockets close.
const SKEW_SECONDS: u64 = 5;
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
        Err(Problem::field("minutes", format!("minutes must be 1 to {MAX_MINUTES}")))
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

/// Issues and verifies tokens under one ring of keys. `now` is always the wall clock ([`crate::clock::Clock::wall`]),
/// since other machines make and read tokens too.
#[derive(Debug)]
pub struct TokenService {
    keys: KeyRing,
    default_minutes: Minutes,
}

impl TokenService {
    /// A service whose tokens live `default_minutes` where nothing else is asked for.
    #[must_use]
    pub fn new(keys: KeyRing, default_minutes: Minutes) -> Self {
        Self { keys, default_minutes }
    }

    /// Makes a token that is valid from `now` on.
    ///
    /// # Errors
    /// [`ErrorCode::BadRequest`] on the field `subject` or `name`; [`ErrorCode::Internal`] when signing fails.
    pub fn issue(&self, request: TokenRequest, now: Timestamp) -> Result<IssuedToken, Problem> {
        const RULE: &str = "1 to 255 characters, no control characters";
        if !is_text(&request.subject) {
            return Err(Problem::field("subject", format!("subject must be {RULE}")));
        }
        if request.name.as_deref().is_some_and(|name| !is_text(name)) {
            return Err(Problem::field("name", format!("name must be {RULE}")));
        }
        let iat = now.0 / 1_000;
        let minutes = request.minutes.unwrap_or(self.default_minutes).get();
        let claims = Claims {
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
        };
        let signing = &self.keys.current;
        let mut header = Header::new(signing.algorithm);
        header.kid = Some(signing.id.clone());
        let token = jsonwebtoken::encode(&header, &claims, &signing.key)
            .map_err(|_| Problem::new(ErrorCode::Internal, "the token could not be signed"))?;
        Ok(IssuedToken { token, claims })
    }

    /// Believes a token, or says why not.
    ///
    /// # Errors
    /// The first rule that the token breaks: size, form, key, signature, issuer, audience, times.
    pub fn verify(&self, token: &str, now: Timestamp) -> Result<Agent, AuthError> {
        if token.is_empty() {
            return Err(AuthError::Missing);
        }
        if token.len() > MAX_TOKEN_BYTES {
            return Err(AuthError::TooLarge);
        }
        let header = jsonwebtoken::decode_header(token).map_err(|error| refusal(error.kind()))?;
        let mut verdict = Err(AuthError::UnknownKey);
        for key in self.keys.candidates(header.kid.as_deref())? {
            verdict = jsonwebtoken::decode::<Claims>(token, &key.key, &key.validation)
                .map(|data| data.claims)
                .map_err(|error| refusal(error.kind()));
            if verdict != Err(AuthError::BadSignature) {
                break;
            }
        }
        let claims = verdict?;
        check(&claims, now.0 / 1_000)?;
        Ok(claims.into())
    }
}

fn refusal(kind: &ErrorKind) -> AuthError {
    match kind {
        ErrorKind::InvalidSignature | ErrorKind::InvalidAlgorithm => AuthError::BadSignature,
        _ => AuthError::Malformed,
    }
}

fn check(claims: &Claims, now: u64) -> Result<(), AuthError> {
    let texts = is_text(&claims.sub) && claims.name.as_deref().is_none_or(is_text);
    if !texts || claims.jti.parse::<IdempotencyKey>().is_err() {
        return Err(AuthError::Malformed);
    }
    if claims.iss != ISSUER {
        return Err(AuthError::WrongIssuer);
    }
    if !claims.aud.includes_us() {
        return Err(AuthError::WrongAudience);
    }
    if now >= claims.exp {
        return Err(AuthError::Expired);
    }
    let begins = claims.nbf.unwrap_or(0).max(claims.iat);
    if begins > now.saturating_add(SKEW_SECONDS) {
        return Err(AuthError::NotYetValid);
    }
    // Holds for tokens that a customer's server made with the shared key, too.
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
