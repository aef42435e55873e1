//! `[auth]`, `[[auth.keys]]` and `[[auth.issuers]]`.

use super::forms::{no_secrets, texts_or_numbers};
use crate::auth::{KeyAlgorithm, Secret};

sections! {
    /// `[auth]`
    Auth {
        /// Signs tokens (HS256): 32 characters or more. No default; not needed where one of `keys` signs.
        #[serde(skip_serializing)]
        signing_key: Option<Secret> = None,
        /// Former signing keys whose tokens are still believed, at most 4. Default none.
        #[serde(serialize_with = "no_secrets")]
        previous_signing_keys: Vec<Secret> = Vec::new(),
        /// Further keys of ours, at most 32 in all. Default none.
        keys: Vec<Key> = Vec::new(),
        /// Who else may make tokens, at most 16. Default none.
        issuers: Vec<Issuer> = Vec::new(),
        /// Life of a token where nothing else is asked for, minutes, 1 to 120. Default 60.
        token_minutes: u64 = 60,
    }

    /// `[[auth.keys]]`
    Key {
        /// What tokens name it by. No default.
        kid: String = String::new(),
        /// How it signs. No default.
        algorithm: Option<KeyAlgorithm> = None,
        /// The secret of an HS256 key: 32 characters or more. No default.
        #[serde(skip_serializing)]
        secret: Option<Secret> = None,
        /// The PEM file of a private key. No default.
        private_key_file: Option<String> = None,
        /// The PEM file of a public key, which verifies only. No default.
        public_key_file: Option<String> = None,
        /// Whether it signs our tokens, in place of `signing_key`. Default false.
        sign: bool = false,
        /// The groups that it is believed for. Default: all.
        #[serde(deserialize_with = "texts_or_numbers")]
        groups: Vec<String> = Vec::new(),
    }

    /// `[[auth.issuers]]`
    Issuer {
        /// The `iss` of his tokens. No default.
        issuer: String = String::new(),
        /// What he calls us: an `aud` of his tokens. No default.
        audience: String = String::new(),
        /// Where his JWKS document is: a file, or an address. No default.
        jwks: String = String::new(),
        /// The groups that his tokens may be for. No default.
        #[serde(deserialize_with = "texts_or_numbers")]
        groups: Vec<String> = Vec::new(),
        /// What his tokens may allow at most. Default: all but `operate`.
        scopes: String = "read signal invoke session control topics".into(),
        /// The claim that holds the group. Default `group`.
        group_claim: String = "group".into(),
        /// The claim that holds the scope. Default `scope`.
        scope_claim: String = "scope".into(),
        /// How often an address is asked, seconds, 10 to 86400. Default 300.
        refresh_seconds: u64 = 300,
        /// How soon it may be asked again for a key that is not known, seconds, 1 to 3600. Default 10.
        refetch_seconds: u64 = 10,
    }
}
