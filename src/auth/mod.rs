//! Who may do what: tokens, scopes, keys, login keys, origins. Knows no transport: callers hand in header texts.

mod bearer;
mod claims;
mod error;
mod keys;
mod login_key;
mod origins;
mod scope;
mod secret;
mod signer;
mod tokens;
mod visitor_signature;

pub use self::{
    bearer::bearer,
    claims::{AUDIENCE, Agent, Claims, ISSUER},
    error::AuthError,
    keys::{ApiKeys, KeyRing},
    login_key::Partner,
    origins::{InvalidOrigin, Mode, Origin, OriginList, is_loopback_host, is_own_origin},
    scope::{Scope, UnknownScope},
    secret::Secret,
    signer::Signer,
    tokens::{IssuedToken, MAX_MINUTES, MAX_TOKEN_BYTES, Minutes, TokenRequest, TokenService},
    visitor_signature::{SignatureError, VisitorSignatures},
};
