//! The rules of `[auth]`: which keys and issuers there are. Reads the files that they name.

use std::{
    fs::File,
    io::Read as _,
    path::{Path, PathBuf},
    sync::Arc,
};

use super::{
    SettingsError,
    validate::{Checked, number},
    wire,
};
use crate::{
    auth::{
        Believed, ISSUER, Issuer, IssuerRules, JwksSource, Key, KeyAlgorithm, KeyRing, KeySet,
        MAX_JWKS_BYTES, MAX_MINUTES, Minutes, OutsideAddress, Scope, Secret, TokenService,
    },
    model::ids::GroupId,
};

/// Most former signing keys.
const MAX_PREVIOUS: usize = 4;
/// Most outside issuers.
const MAX_ISSUERS: usize = 16;
/// The longest issuer, audience or name of a claim.
const LONGEST_NAME: usize = 255;

/// Tokens.
#[derive(Clone, Debug)]
pub struct Auth {
    /// Our own keys, of which one signs.
    pub keys: KeyRing,
    /// Who else may make tokens, and the keys that stand in his file, if he has one.
    pub issuers: Vec<(IssuerRules, KeySet)>,
    /// The files that keys were read from.
    pub files: Vec<PathBuf>,
    /// Life of a token where nothing else is asked for.
    pub token_minutes: Minutes,
}

impl Auth {
    /// Whose tokens are believed.
    #[must_use]
    pub fn believed(&self) -> Believed {
        let issuers = self.issuers.iter().cloned();
        let issuers = issuers.map(|(rules, keys)| Arc::new(Issuer::new(rules, keys))).collect();
        Believed { own: self.keys.clone(), issuers }
    }

    /// The token service that these settings describe.
    #[must_use]
    pub fn token_service(&self) -> TokenService {
        TokenService::new(self.believed(), self.token_minutes)
    }
}

/// What else of the settings the rules go by.
pub(super) struct Surroundings<'a> {
    /// Where relative paths start.
    pub(super) base: &'a Path,
    /// The groups that there are.
    pub(super) groups: Vec<GroupId>,
}

pub(super) fn auth(wire: wire::Auth, around: &Surroundings<'_>) -> Checked<Auth> {
    let mut files = Vec::new();
    let keys = keys(&wire, around, &mut files)?;
    if wire.issuers.len() > MAX_ISSUERS {
        let rule = format!("at most {MAX_ISSUERS}");
        return Err(SettingsError::key("auth.issuers", rule));
    }
    let mut issuers: Vec<(IssuerRules, KeySet)> = Vec::new();
    for (index, wire) in wire.issuers.into_iter().enumerate() {
        let at = format!("auth.issuers[{index}]");
        let rules = issuer(&at, wire, around)?;
        if issuers.iter().any(|(other, _)| other.name == rules.name) {
            let rule = "another issuer has this name";
            return Err(SettingsError::key(format!("{at}.issuer"), rule));
        }
        let keys = match &rules.source {
            JwksSource::File(path) => jwks_file(&at, path)?,
            JwksSource::Address(_) => KeySet::default(),
        };
        if let JwksSource::File(path) = &rules.source {
            files.push(path.clone());
        }
        issuers.push((rules, keys));
    }
    let rule = format!("must be 1 to {MAX_MINUTES}");
    let token_minutes = Minutes::checked(wire.token_minutes)
        .map_err(|_| SettingsError::key("auth.token_minutes", rule))?;
    Ok(Auth { keys, issuers, files, token_minutes })
}

fn keys(
    wire: &wire::Auth,
    around: &Surroundings<'_>,
    files: &mut Vec<PathBuf>,
) -> Checked<KeyRing> {
    if wire.previous_signing_keys.len() > MAX_PREVIOUS {
        let rule = format!("at most {MAX_PREVIOUS}");
        return Err(SettingsError::key("auth.previous_signing_keys", rule));
    }
    let mut named = Vec::new();
    let mut signing = None;
    if let Some(secret) = &wire.signing_key {
        named.push(("auth.signing_key".to_owned(), unnamed("auth.signing_key", secret)?));
        signing = named.last().map(|(_, key)| key.id().to_owned());
    }
    for (index, secret) in wire.previous_signing_keys.iter().enumerate() {
        let at = format!("auth.previous_signing_keys[{index}]");
        let key = unnamed(&at, secret)?;
        // Whoever rotates may leave a key in both places for a moment.
        if named.iter().all(|(_, other)| other.id() != key.id()) {
            named.push((at, key));
        }
    }
    for (index, wire) in wire.keys.iter().enumerate() {
        let at = format!("auth.keys[{index}]");
        let key = self::key(&at, wire, around, files)?;
        if named.iter().any(|(_, other)| other.id() == key.id()) {
            return Err(SettingsError::key(format!("{at}.kid"), "another key has this kid"));
        }
        if wire.sign {
            let at = format!("{at}.sign");
            if signing.replace(key.id().to_owned()).is_some() {
                let rule = "another key signs already (or signing_key; move that one to previous_signing_keys)";
                return Err(SettingsError::key(at, rule));
            }
            if !key.can_sign() {
                return Err(SettingsError::key(at, "a public key cannot sign"));
            }
        }
        named.push((at, key));
    }
    let missing =
        || SettingsError::key("auth.signing_key", "is missing: 32 random characters or more");
    let signing = signing.ok_or_else(missing)?;
    let keys = KeySet::new(named.into_iter().map(|(_, key)| key).collect())
        .map_err(|error| SettingsError::key("auth.keys", error))?;
    KeyRing::new(keys, &signing).ok_or_else(missing)
}

fn unnamed(at: &str, secret: &Secret) -> Checked<Key> {
    Key::unnamed_secret(secret).map_err(|error| SettingsError::key(at, error))
}

fn key(
    at: &str,
    wire: &wire::Key,
    around: &Surroundings<'_>,
    files: &mut Vec<PathBuf>,
) -> Checked<Key> {
    let failed = |field: &str, rule: &dyn std::fmt::Display| {
        SettingsError::key(format!("{at}.{field}"), rule.to_string())
    };
    let algorithm = wire
        .algorithm
        .ok_or_else(|| failed("algorithm", &"is missing: HS256, RS256, ES256 or EdDSA"))?;
    let mut read = |field: &str, path: &str| {
        let path = around.base.join(path);
        let text = read_file(&path, MAX_JWKS_BYTES).map_err(|rule| failed(field, &rule))?;
        files.push(path);
        Ok::<_, SettingsError>(Secret::from(text))
    };
    let id = wire.kid.as_str();
    let (field, key) = match (&wire.secret, &wire.private_key_file, &wire.public_key_file) {
        (Some(secret), None, None) if algorithm == KeyAlgorithm::Hs256 => {
            ("secret", Key::secret(id, secret))
        }
        (Some(_), None, None) => {
            return Err(failed("secret", &format!("{algorithm} needs a key file, not a secret")));
        }
        (None, Some(path), None) => {
            ("private_key_file", Key::private(id, algorithm, &read("private_key_file", path)?))
        }
        (None, None, Some(path)) => {
            ("public_key_file", Key::public(id, algorithm, &read("public_key_file", path)?))
        }
        _ => {
            let rule = "give one of secret, private_key_file, public_key_file";
            return Err(SettingsError::key(at, rule));
        }
    };
    let key = key.map_err(|error| {
        let field = if error == crate::auth::InvalidKey::Id { "kid" } else { field };
        failed(field, &format!("{error}{}", named(id)))
    })?;
    if wire.groups.is_empty() {
        return Ok(key);
    }
    Ok(key.for_groups(groups(at, &wire.groups, around)?))
}

/// The key's name behind an error, for those who read it in a log.
fn named(id: &str) -> String {
    if id.is_empty() { String::new() } else { format!(" (kid {})", id.escape_debug()) }
}

fn issuer(at: &str, wire: wire::Issuer, around: &Surroundings<'_>) -> Checked<IssuerRules> {
    let failed = |field: &str, rule: &str| SettingsError::key(format!("{at}.{field}"), rule);
    for (field, text) in [
        ("issuer", &wire.issuer),
        ("audience", &wire.audience),
        ("group_claim", &wire.group_claim),
        ("scope_claim", &wire.scope_claim),
    ] {
        if text.is_empty() || text.len() > LONGEST_NAME {
            return Err(failed(field, &format!("must be 1 to {LONGEST_NAME} characters")));
        }
    }
    if wire.issuer == ISSUER {
        return Err(failed("issuer", "this is our own name"));
    }
    let source = match wire.jwks.as_str() {
        "" => return Err(failed("jwks", "is missing: a file, or an https address")),
        text if text.contains("://") => {
            let address = text.parse::<OutsideAddress>();
            JwksSource::Address(address.map_err(|error| failed("jwks", &error.to_string()))?)
        }
        path => JwksSource::File(around.base.join(path)),
    };
    if wire.groups.is_empty() {
        return Err(failed("groups", "is missing: the groups that his tokens may be for"));
    }
    let scopes: Scope =
        wire.scopes.parse().map_err(|error| SettingsError::key(format!("{at}.scopes"), error))?;
    let seconds = |field: &str, value, range| {
        number::<u64>(&format!("{at}.{field}"), value, range).map(|seconds| seconds * 1_000)
    };
    Ok(IssuerRules {
        groups: groups(at, &wire.groups, around)?,
        refresh_ms: seconds("refresh_seconds", wire.refresh_seconds, 10..=86_400)?,
        refetch_ms: seconds("refetch_seconds", wire.refetch_seconds, 1..=3_600)?,
        name: wire.issuer.into(),
        audience: wire.audience,
        source,
        scopes,
        group_claim: wire.group_claim,
        scope_claim: wire.scope_claim,
    })
}

fn groups(at: &str, texts: &[String], around: &Surroundings<'_>) -> Checked<Vec<GroupId>> {
    let known = texts.iter().enumerate().map(|(index, text)| {
        let group = text.parse::<GroupId>().ok().filter(|group| around.groups.contains(group));
        group.ok_or_else(|| {
            SettingsError::key(format!("{at}.groups[{index}]"), "there is no group with this id")
        })
    });
    known.collect()
}

fn jwks_file(at: &str, path: &Path) -> Checked<KeySet> {
    let failed = |rule: String| SettingsError::key(format!("{at}.jwks"), rule);
    let text = read_file(path, MAX_JWKS_BYTES).map_err(failed)?;
    let (keys, left_out) = KeySet::parse(text.as_bytes())
        .map_err(|error| failed(format!("{}: {error}", path.display())))?;
    match left_out.first() {
        Some((id, error)) => {
            Err(failed(format!("{}: the key {}: {error}", path.display(), id.escape_debug())))
        }
        None => Ok(keys),
    }
}

/// A file's text, if it is no longer than `limit`. The error is a rule that names the file.
fn read_file(path: &Path, limit: usize) -> Result<String, String> {
    let failed = |error: &dyn std::fmt::Display| format!("{}: {error}", path.display());
    let file = File::open(path).map_err(|error| failed(&error))?;
    let mut text = String::new();
    let most = u64::try_from(limit).unwrap_or(u64::MAX).saturating_add(1);
    file.take(most).read_to_string(&mut text).map_err(|error| failed(&error))?;
    if text.len() > limit {
        return Err(failed(&format!("has more than {limit} bytes")));
    }
    Ok(text)
}
