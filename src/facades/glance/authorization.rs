//! `/authorization`: credentials buy a token (`glance.md` 5).

use actix_web::{HttpRequest, HttpResponse, Responder, http::header, post};
use serde_json::Value;

use super::{
    presence::{REFUSED, fail},
    translate::{PRESENCE_SERVICE, id_text, long_time, minutes},
    types::{Authorization, AuthorizationQuery, Credentials, Failure},
};
use crate::{
    auth::{AuthError, Minutes, Scope, TokenRequest},
    http::{
        extract::{
            Body, check_origin, form as read_form, json, offered, query as read_query, text,
        },
        state::State,
    },
    model::{error::Problem, topic::Rights},
    settings::Group,
};

/// Takes an API key (as `password`) or a login key, and gives a token for the presence service.
#[utoipa::path(tag = "glance", operation_id = "glance_authorization", params(AuthorizationQuery), request_body = Credentials,
    responses((status = 200, body = Authorization, description = "A token"), (status = 400, body = Failure, description = "`badrequest`"),
        (status = 401, body = Failure), (status = 403, body = Failure, description = REFUSED), (status = 413, body = Failure),
        (status = 429, body = Failure, description = "`ratelimited`")))]
#[post("/authorization")]
pub async fn authorize(request: HttpRequest, state: State, Body(body): Body) -> impl Responder {
    match issue(&request, &state, &body) {
        Ok(authorization) => HttpResponse::Ok()
            .insert_header((header::CACHE_CONTROL, "no-store"))
            .json(authorization),
        Err(problem) => fail(problem),
    }
}

fn issue(
    request: &HttpRequest,
    state: &State,
    body: &actix_web::web::Bytes,
) -> Result<Authorization, Problem> {
    let query: AuthorizationQuery = read_query(request)?;
    let credentials = read(request, body)?;
    let service = query.service.as_deref().or(credentials.service.as_deref());
    if service.is_some_and(|service| !matches!(service, "presence" | "webservices")) {
        return Err(Problem::field("service", "must be presence"));
    }
    let duration = query.duration.clone().map(Value::from).or_else(|| credentials.duration.clone());
    let minutes = match &duration {
        Some(duration) => {
            let rule = || Problem::field("duration", "must be a number of minutes, 1 to 120");
            Some(Minutes::clamped(minutes(duration).ok_or_else(rule)?))
        }
        None => None,
    };
    let group = group(state, &query, &credentials);
    // The page's origin is judged where there is a group; without one the credentials are wrong anyway.
    group.map_or(Ok(()), |group| check_origin(state, request, group))?;
    let (group, subject) = offered(state, request, || {
        let group = group.ok_or(AuthError::BadSignature)?;
        Ok((group, subject(state, group, &credentials)?))
    })?;
    let wish = TokenRequest {
        group: group.id.clone(),
        subject,
        name: None,
        scope: Scope::AGENT,
        topics: Rights::default(),
        minutes,
    };
    let is_partners = credentials.loginkey.is_some() && credentials.partneruserid.is_some();
    let user = if is_partners { "partneruserid" } else { "username" };
    let token = state.tokens.issue(wish, state.clock().wall());
    let token = token.map_err(|problem| problem.called(user))?;
    state.metrics.tokens_issued.inc();
    let expires = long_time(token.expires_at());
    let group_id = group.id.as_str().parse::<u64>().map(Value::from);
    Ok(Authorization {
        privilege_string: format!("scope:{}", token.claims.scope),
        auth_token: token.token,
        auth_toke_exp: expires.clone(),
        auth_token_exp: expires,
        group_id: group_id.unwrap_or_else(|_| group.id.as_str().into()),
        gssn_id: None,
        service: PRESENCE_SERVICE,
        is_trial: false,
        message: None,
        plan_timeout: None,
        plan_title: None,
        v_server: None,
        application_settings: None,
        colo_select_url: None,
        glance_address: None,
    })
}

/// The body as JSON, or as a form.
fn read(request: &HttpRequest, body: &actix_web::web::Bytes) -> Result<Credentials, Problem> {
    let kind = text(request, header::CONTENT_TYPE).unwrap_or_default();
    if kind.starts_with("application/x-www-form-urlencoded") {
        let form = std::str::from_utf8(body).map_err(|_| Problem::field("body", "must be text"))?;
        return read_form(form, "body");
    }
    json(body)
}

/// The group that is asked for, else the one whose partner asks, else the one of requests that name none.
fn group<'a>(
    state: &'a State,
    query: &AuthorizationQuery,
    credentials: &Credentials,
) -> Option<&'a Group> {
    let groups = &state.settings.groups;
    let named = query.groupid.clone().or_else(|| query.group.clone());
    if let Some(id) = named.or_else(|| credentials.groupid.as_ref().and_then(id_text)) {
        return groups.get(&id.parse().ok()?).map(AsRef::as_ref);
    }
    let partner = credentials.partnerid.as_ref().and_then(id_text);
    let of_partner = partner.and_then(|id| {
        groups.iter().find(|group| group.partner.as_ref().is_some_and(|partner| partner.id == id))
    });
    let default = || state.default_group().and_then(|id| groups.get(id));
    of_partner.or_else(default).map(AsRef::as_ref)
}

/// Who the credentials prove to be asking.
fn subject(state: &State, group: &Group, credentials: &Credentials) -> Result<String, AuthError> {
    let Credentials { username, password, partnerid, partneruserid, loginkey, .. } = credentials;
    if let Some(key) = loginkey {
        let partner = group.partner.as_ref().ok_or(AuthError::BadSignature)?;
        let named = partnerid.as_ref().and_then(id_text);
        if named.is_some_and(|id| id != partner.id) {
            return Err(AuthError::BadSignature);
        }
        let user = partneruserid.as_ref().or(username.as_ref()).ok_or(AuthError::Missing)?;
        partner.verify(user, key, state.clock().wall())?;
        return Ok(user.clone());
    }
    let (Some(user), Some(key)) = (username, password) else { return Err(AuthError::Missing) };
    if !group.api_keys.accept(key) {
        return Err(AuthError::BadSignature);
    }
    Ok(user.clone())
}
