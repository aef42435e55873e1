//! One key: its name, its one algorithm, and for which groups it is believed.

use std::fmt;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use jsonwebtoken::{
    Algorithm, DecodingKey, EncodingKey, Validation,
    jwk::{AlgorithmParameters, CommonParameters, EllipticCurve, Jwk, PublicKeyUse},
};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::{AuthError, Secret};
use crate::model::ids::GroupId;

/// The shortest secret, in characters.
pub const LEAST_SECRET: usize = 32;
/// The RSA keys that are taken, in bits: below it is too weak, above it costs too much to check.
const RSA_BITS: std::ops::RangeInclusive<usize> = 2_048..=4_096;
/// The longest key id.
pub(super) const LONGEST_ID: usize = 128;

/// How a key signs (RFC 7518, section 3.1, and RFC 8037).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum KeyAlgorithm {
    /// HMAC with SHA-256: who can verify can sign.
    #[serde(rename = "HS256")]
    Hs256,
    /// RSA, PKCS #1 v1.5, with SHA-256.
    #[serde(rename = "RS256")]
    Rs256,
    /// ECDSA on P-256 with SHA-256.
    #[serde(rename = "ES256")]
    Es256,
    /// Ed25519.
    EdDSA,
}

impl KeyAlgorithm {
    const fn of_library(self) -> Algorithm {
        match self {
            KeyAlgorithm::Hs256 => Algorithm::HS256,
            KeyAlgorithm::Rs256 => Algorithm::RS256,
            KeyAlgorithm::Es256 => Algorithm::ES256,
            KeyAlgorithm::EdDSA => Algorithm::EdDSA,
        }
    }

    /// The algorithm that a public key of a JWKS document fits: of its kind there is only one here.
    pub(super) fn of_jwk(jwk: &Jwk) -> Option<Self> {
        let fits = match &jwk.algorithm {
            AlgorithmParameters::RSA(_) => KeyAlgorithm::Rs256,
            AlgorithmParameters::EllipticCurve(key) if key.curve == EllipticCurve::P256 => {
                KeyAlgorithm::Es256
            }
            AlgorithmParameters::OctetKeyPair(key) if key.curve == EllipticCurve::Ed25519 => {
                KeyAlgorithm::EdDSA
            }
            // A secret has no place in a public document.
            _ => return None,
        };
        let named = jwk.common.key_algorithm;
        named.is_none_or(|named| named == fits.of_library().into()).then_some(fits)
    }
}

impl fmt::Display for KeyAlgorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.of_library())
    }
}

/// Why something is no key. No message holds any of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidKey {
    /// The key id breaks its rule.
    #[error("must be 1 to 128 printable ASCII characters without spaces")]
    Id,
    /// A secret that is guessed too easily.
    #[error("must have 32 characters or more")]
    ShortSecret,
    /// Not a private key for the algorithm.
    #[error("must hold a private key for {0}, in PEM (PKCS #8: `openssl genpkey`)")]
    NotPrivate(KeyAlgorithm),
    /// Not a public key for the algorithm.
    #[error("must hold a public key for {0}, in PEM (`openssl pkey -pubout`)")]
    NotPublic(KeyAlgorithm),
    /// A private key where a public one belongs.
    #[error("holds a private key: name it by private_key_file, or give the public key only")]
    Private,
    /// An RSA key that is too weak, or too costly to check.
    #[error("an RSA key must have 2048 to 4096 bits; this one has {0}")]
    Bits(usize),
    /// Numbers that are no key of the algorithm.
    #[error("its parameters are no key for {0}")]
    Parameters(KeyAlgorithm),
}

/// What is remembered of a key that vouched for somebody: half of a hash over its name, its algorithm and itself.
#[derive(Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
pub struct KeyPrint([u8; 16]);

impl KeyPrint {
    fn of(id: &str, algorithm: KeyAlgorithm, material: &[u8]) -> Self {
        // A name holds no space.
        let hash = Sha256::new().chain_update(format!("{id} {algorithm} ")).chain_update(material);
        let mut print = [0; 16];
        print.iter_mut().zip(hash.finalize()).for_each(|(byte, of_hash)| *byte = of_hash);
        Self(print)
    }
}

impl fmt::Debug for KeyPrint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Of a secret that can be guessed, even a part of a hash tells whether a guess is right.
        f.write_str("KeyPrint(…)")
    }
}

/// A key that verifies, and signs if it has its secret half.
///
/// It brings its algorithm along. A token only names a key (`kid`), never an algorithm, so that nobody can have a public
/// key taken for an HMAC secret.
#[derive(Clone)]
pub struct Key {
    id: String,
    print: KeyPrint,
    algorithm: KeyAlgorithm,
    groups: Option<Vec<GroupId>>,
    decoding: DecodingKey,
    validation: Validation,
    encoding: Option<EncodingKey>,
    public: Option<Jwk>,
}

impl Key {
    /// An HS256 secret.
    ///
    /// # Errors
    /// [`InvalidKey::Id`], [`InvalidKey::ShortSecret`].
    pub fn secret(id: impl Into<String>, secret: &Secret) -> Result<Self, InvalidKey> {
        if secret.expose().chars().count() < LEAST_SECRET {
            return Err(InvalidKey::ShortSecret);
        }
        let decoding = DecodingKey::from_secret(secret.expose_bytes());
        let mut key = Self::new(id, KeyAlgorithm::Hs256, decoding, secret.expose_bytes())?;
        key.encoding = Some(EncodingKey::from_secret(secret.expose_bytes()));
        Ok(key)
    }

    /// An HS256 secret that is named after itself: 12 characters of a hash, which tell nothing that a signed token does
    /// not.
    ///
    /// # Errors
    /// [`InvalidKey::ShortSecret`].
    pub fn unnamed_secret(secret: &Secret) -> Result<Self, InvalidKey> {
        let hash = Sha256::new().chain_update("vestibule kid").chain_update(secret.expose_bytes());
        let id: String = URL_SAFE_NO_PAD.encode(hash.finalize()).chars().take(12).collect();
        Self::secret(id, secret)
    }

    /// The private key in a PEM file's text.
    ///
    /// # Errors
    /// See [`InvalidKey`].
    pub fn private(
        id: impl Into<String>,
        algorithm: KeyAlgorithm,
        pem: &Secret,
    ) -> Result<Self, InvalidKey> {
        let read = match algorithm {
            KeyAlgorithm::Hs256 => return Err(InvalidKey::NotPrivate(algorithm)),
            KeyAlgorithm::Rs256 => EncodingKey::from_rsa_pem(pem.expose_bytes()),
            KeyAlgorithm::Es256 => EncodingKey::from_ec_pem(pem.expose_bytes()),
            KeyAlgorithm::EdDSA => EncodingKey::from_ed_pem(pem.expose_bytes()),
        };
        let encoding = read.map_err(|_| InvalidKey::NotPrivate(algorithm))?;
        let jwk = Jwk::from_encoding_key(&encoding, algorithm.of_library())
            .map_err(|_| InvalidKey::NotPrivate(algorithm))?;
        let mut key = Self::jwk(id, algorithm, &jwk)?;
        // What cannot sign is found out now, and not when somebody asks for a token.
        jsonwebtoken::crypto::sign(b"", &encoding, algorithm.of_library())
            .map_err(|_| InvalidKey::NotPrivate(algorithm))?;
        key.encoding = Some(encoding);
        Ok(key)
    }

    /// The public key in a PEM file's text.
    ///
    /// # Errors
    /// See [`InvalidKey`].
    pub fn public(
        id: impl Into<String>,
        algorithm: KeyAlgorithm,
        pem: &Secret,
    ) -> Result<Self, InvalidKey> {
        if pem.expose().contains("PRIVATE KEY-----") {
            return Err(InvalidKey::Private);
        }
        let read = match algorithm {
            KeyAlgorithm::Hs256 => return Err(InvalidKey::NotPublic(algorithm)),
            KeyAlgorithm::Rs256 => DecodingKey::from_rsa_pem(pem.expose_bytes()),
            KeyAlgorithm::Es256 => DecodingKey::from_ec_pem(pem.expose_bytes()),
            KeyAlgorithm::EdDSA => DecodingKey::from_ed_pem(pem.expose_bytes()),
        };
        let jwk = read.and_then(|key| Jwk::from_decoding_key(&key, Some(algorithm.of_library())));
        Self::jwk(id, algorithm, &jwk.map_err(|_| InvalidKey::NotPublic(algorithm))?)
    }

    /// A public key as a JWKS document has it. The library takes parameters as they come, so they are checked here.
    ///
    /// # Errors
    /// See [`InvalidKey`].
    pub fn jwk(
        id: impl Into<String>,
        algorithm: KeyAlgorithm,
        jwk: &Jwk,
    ) -> Result<Self, InvalidKey> {
        let unusable = InvalidKey::Parameters(algorithm);
        let bytes = |text: &str| URL_SAFE_NO_PAD.decode(text).map_err(|_| unusable);
        match (&jwk.algorithm, algorithm) {
            (AlgorithmParameters::RSA(key), KeyAlgorithm::Rs256) => {
                let bits = bits(&bytes(&key.n)?);
                if !RSA_BITS.contains(&bits) {
                    return Err(InvalidKey::Bits(bits));
                }
                let exponent = bytes(&key.e)?;
                let is_odd = exponent.last().is_some_and(|last| last % 2 == 1);
                if !is_odd || !(2..=32).contains(&self::bits(&exponent)) {
                    return Err(unusable);
                }
            }
            (AlgorithmParameters::EllipticCurve(key), KeyAlgorithm::Es256)
                if key.curve == EllipticCurve::P256
                    && bytes(&key.x)?.len() == 32
                    && bytes(&key.y)?.len() == 32 => {}
            (AlgorithmParameters::OctetKeyPair(key), KeyAlgorithm::EdDSA)
                if key.curve == EllipticCurve::Ed25519 && bytes(&key.x)?.len() == 32 => {}
            _ => return Err(unusable),
        }
        let decoding = DecodingKey::from_jwk(jwk).map_err(|_| unusable)?;
        // A point that is not on the curve is an error here; a signature that is none is not.
        jsonwebtoken::crypto::verify("", b"", &decoding, algorithm.of_library())
            .map_err(|_| unusable)?;
        let numbers = serde_json::to_vec(&jwk.algorithm).map_err(|_| unusable)?;
        let mut key = Self::new(id, algorithm, decoding, &numbers)?;
        key.public = Some(Jwk {
            common: CommonParameters {
                public_key_use: Some(PublicKeyUse::Signature),
                key_algorithm: Some(algorithm.of_library().into()),
                key_id: Some(key.id.clone()),
                ..CommonParameters::default()
            },
            algorithm: jwk.algorithm.clone(),
        });
        Ok(key)
    }

    fn new(
        id: impl Into<String>,
        algorithm: KeyAlgorithm,
        decoding: DecodingKey,
        material: &[u8],
    ) -> Result<Self, InvalidKey> {
        let id = id.into();
        let is_id =
            (1..=LONGEST_ID).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_graphic());
        if !is_id {
            return Err(InvalidKey::Id);
        }
        let mut validation = Validation::new(algorithm.of_library());
        // The library reads the system clock and leaves a minute's leeway; claims are checked by us, under the
        // caller's clock.
        validation.required_spec_claims.clear();
        validation.validate_exp = false;
        validation.validate_nbf = false;
        validation.validate_aud = false;
        let (groups, encoding, public) = (None, None, None);
        let print = KeyPrint::of(&id, algorithm, material);
        Ok(Self { id, print, algorithm, groups, decoding, validation, encoding, public })
    }

    /// The same key, believed for these groups only.
    #[must_use]
    pub fn for_groups(mut self, groups: Vec<GroupId>) -> Self {
        self.groups = Some(groups);
        self
    }

    /// What a token names it by (`kid`).
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// What tells it from every other key, one of the same name included.
    #[must_use]
    pub fn print(&self) -> KeyPrint {
        self.print
    }

    /// Its one algorithm.
    #[must_use]
    pub fn algorithm(&self) -> KeyAlgorithm {
        self.algorithm
    }

    /// Whether it has its secret half.
    #[must_use]
    pub fn can_sign(&self) -> bool {
        self.encoding.is_some()
    }

    /// Whether a token of this group may be signed with it.
    #[must_use]
    pub fn is_believed_for(&self, group: &GroupId) -> bool {
        self.groups.as_ref().is_none_or(|groups| groups.contains(group))
    }

    /// Its public half, if it has one that may be shown.
    pub(super) fn public_half(&self) -> Option<&Jwk> {
        self.public.as_ref()
    }

    /// Signs claims; the header names the key.
    pub(super) fn sign(&self, claims: &impl Serialize) -> Option<String> {
        let mut header = jsonwebtoken::Header::new(self.algorithm.of_library());
        header.kid = Some(self.id.clone());
        jsonwebtoken::encode(&header, claims, self.encoding.as_ref()?).ok()
    }

    /// The claims of a token that this key signed, under its own algorithm.
    pub(super) fn read<T: serde::de::DeserializeOwned>(&self, token: &str) -> Result<T, AuthError> {
        jsonwebtoken::decode::<T>(token, &self.decoding, &self.validation)
            .map(|data| data.claims)
            .map_err(|error| AuthError::of_library(error.kind()))
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.id, self.algorithm)
    }
}

/// The length of a big-endian number.
fn bits(number: &[u8]) -> usize {
    let number = number.iter().position(|byte| *byte != 0).and_then(|at| number.get(at..));
    number
        .unwrap_or_default()
        .first()
        .map_or(0, |first| number.unwrap_or_default().len() * 8 - first.leading_zeros() as usize)
}

#[cfg(test)]
#[path = "key_tests.rs"]
pub(super) mod tests;
