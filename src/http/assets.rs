//! The pictures, fonts and style sheets of visitors' pages: pages put them, the watch page shows them.

use actix_web::{HttpRequest, HttpResponse, get, http::header, put, web};
use bytes::Bytes;

use super::{
    error::{ApiError, ProblemBody},
    extract::{group, text},
    state::State,
};
use crate::{
    cobrowse::{
        assets::{Found, Stored},
        ticket::Ticket,
    },
    model::{
        error::{ErrorCode, Problem},
        protocol::stream::sha256_of,
    },
};

/// What stands before an asset's number in a style sheet of a visitor's page.
const SCHEME: &str = "vestibule-asset:";
/// An SVG may hold scripts, and any of these may be opened by itself.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; sandbox";

/// Puts the content of an asset that the page's stream announced and the server wanted.
#[utoipa::path(tag = "sessions", operation_id = "put_asset", security(("ticket" = [])),
    params(("sha256" = String, Path, pattern = "^[0-9a-f]{64}$", description = "Its SHA-256: 64 lower-case hexadecimal digits")),
    request_body(content = Vec<u8>, content_type = "application/octet-stream"),
    responses((status = 204, description = "It is here"),
        (status = 400, body = ProblemBody, description = "`badrequest`: it is not what was announced"),
        (status = 401, body = ProblemBody), (status = 403, body = ProblemBody),
        (status = 404, body = ProblemBody, description = "`notfound`: nobody announced it, or the session is over"),
        (status = 413, body = ProblemBody, description = "`toolarge`")))]
#[put("/v1/assets/{sha256}")]
pub async fn put_asset(
    request: HttpRequest,
    state: State,
    sha256: web::Path<String>,
    payload: web::Payload,
) -> Result<HttpResponse, ApiError> {
    let bad = || Problem::new(ErrorCode::Authorization, "a page's ticket is needed");
    let header =
        text(&request, header::AUTHORIZATION).and_then(|text| text.strip_prefix("Ticket "));
    let (Ticket::Page { session, .. }, _) = state.cobrowse.ticket(header.ok_or_else(bad)?)? else {
        return Err(bad().into());
    };
    let group = group(&state, &session.group)?;
    if !state.allows_visitor(group, &state.origin_of(request.headers())) {
        let sentence = "the page's origin is not in the group's visitor_origins";
        return Err(Problem::new(ErrorCode::Origin, sentence).into());
    }
    let rule = "must be 64 lower-case hexadecimal digits";
    let sha256 = sha256_of(&sha256).ok_or_else(|| Problem::field("sha256", rule))?;
    let most = usize::try_from(state.settings.cobrowse.asset_bytes).unwrap_or(usize::MAX);
    let content = payload.to_bytes_limited(most).await;
    let content = content
        .map_err(|_| Problem::new(ErrorCode::TooLarge, "the asset is over the limit"))?
        .map_err(|_| Problem::field("body", "could not be read"))?;
    state.cobrowse.put_asset(&session, sha256, content).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// Shows an asset of a visitor's page to those who view his session. Waits some seconds for one that may yet come.
#[utoipa::path(tag = "sessions", operation_id = "read_asset",
    params(("assets" = String, Path, description = "The name that the stream's `welcome` gave"),
        ("epoch" = u32, Path, description = "The page"), ("asset" = u32, Path, description = "The page's number for it")),
    responses((status = 200, description = "The asset", content_type = "application/octet-stream"),
        (status = 404, body = ProblemBody, description = "`notfound`")))]
#[get("/watch/assets/{assets}/{epoch}/{asset}")]
pub async fn read_asset(
    state: State,
    path: web::Path<(String, String, String)>,
) -> Result<HttpResponse, ApiError> {
    let missing = || Problem::new(ErrorCode::NotFound, "there is no such asset");
    let (secret, epoch, asset) = path.into_inner();
    let (Ok(epoch), Ok(asset)) = (epoch.parse(), asset.parse()) else {
        return Err(missing().into());
    };
    let found = state.cobrowse.asset(&secret, epoch, asset).await;
    let Found::Here(Stored { content_type, bytes }) = found else {
        return Err(missing().into());
    };
    Ok(HttpResponse::Ok()
        .content_type(&*content_type)
        .insert_header((header::CONTENT_SECURITY_POLICY, POLICY))
        // Nobody else's cache may hold what the visitor sees.
        .insert_header((header::CACHE_CONTROL, "private, max-age=3600, immutable"))
        .body(with_addresses(&content_type, bytes)))
}

/// A style sheet names further assets by their numbers; beside its own address that is where they are.
fn with_addresses(content_type: &str, bytes: Bytes) -> Bytes {
    if !content_type.starts_with("text/css") {
        return bytes;
    }
    match std::str::from_utf8(&bytes) {
        Ok(text) if text.contains(SCHEME) => text.replace(SCHEME, "").into(),
        _ => bytes,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_style_sheet_names_what_lies_beside_it() {
        let css = Bytes::from_static(
            b"@import url(vestibule-asset:4); a{background:url('vestibule-asset:12')}",
        );
        let served = with_addresses("text/css; charset=utf-8", css.clone());
        assert_eq!(served, "@import url(4); a{background:url('12')}");
        assert_eq!(with_addresses("image/svg+xml", css.clone()), css);
    }
}
