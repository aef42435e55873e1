//! Who may do what: tokens, scopes, keys, issuers, revocations, login keys, origins. Knows no transport: callers hand in header texts.

mod api_keys;
mod bearer;
mod changes;
mod claims;
mod error;
mod frame_ticket;
mod issuer;
mod key;
mod keys;
mod login_key;
mod origins;
mod outside_address;
mod revocations;
mod scope;
mod secret;
mod signer;
mod tokens;
mod visitor_signature;

use self::tokens::SKEW_SECONDS;
pub use self::{
    api_keys::ApiKeys,
    bearer::bearer,
    changes::Changes,
    claims::{AUDIENCE, Agent, Claims, ISSUER, Voucher},
    error::AuthError,
    frame_ticket::{FRAME_TICKET_LIFE_MS, FrameTickets},
    issuer::{Issuer, IssuerRules, JwksSource, Question},
    key::{InvalidKey, Key, KeyAlgorithm, KeyPrint, LEAST_SECRET},
    keys::{InvalidKeySet, KeyRing, KeySet, MAX_JWKS_BYTES, MAX_KEYS, PublicKeys},
    login_key::Partner,
    origins::{InvalidOrigin, Mode, Origin, OriginList, is_loopback_host, is_own_origin},
    outside_address::{InvalidAddress, OutsideAddress},
    revocations::{MAX_REVOCATIONS, Revocation, Revocations, Target},
    scope::{Scope, UnknownScope},
    secret::Secret,
    signer::Signer,
    tokens::{
        Believed, IssuedToken, MAX_MINUTES, MAX_TOKEN_BYTES, Minutes, TokenRequest, TokenService,
    },
    visitor_signature::{SignatureError, VisitorSignatures},
};
