//! `/.well-known/jwks.json`: the public halves of our keys, for those who verify our tokens themselves.

use actix_web::{HttpResponse, get, http::header};

use super::state::State;

/// How long others may keep the document. A new key is best published so long before it signs.
const CACHING: &str = "public, max-age=300";

/// The public keys of this server's tokens (RFC 7517). Secrets are not among them: with HS256 keys only, it is empty.
#[utoipa::path(tag = "tokens", operation_id = "read_jwks",
    responses((status = 200, body = Value, description = "A JWK set: `{keys: [{kty, use, alg, kid, …}]}`")))]
#[get("/.well-known/jwks.json")]
pub async fn jwks(state: State) -> HttpResponse {
    HttpResponse::Ok()
        .insert_header((header::CACHE_CONTROL, CACHING))
        .insert_header((header::ACCESS_CONTROL_ALLOW_ORIGIN, "*"))
        .json(state.tokens.believed().own.public())
}
