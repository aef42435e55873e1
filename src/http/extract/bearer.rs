//! Who calls, and whether he may: the scope that a call needs stands in its handler's type.

use std::{
    future::{Ready, ready},
    marker::PhantomData,
};

use actix_web::{FromRequest, HttpRequest, dev::Payload, http::header};

use super::{parse, state, text};
use crate::{
    auth::{Agent, AuthError, Scope, bearer},
    http::{error::ApiError, state::State},
    model::error::{ErrorCode, Problem},
    settings::Group,
    telemetry::labels::Limited,
};

/// A scope that a call needs.
pub trait Needed {
    /// Which.
    const SCOPE: Scope;
}

macro_rules! needed {
    ($($(#[$words:meta])* $name:ident = $scope:ident,)*) => {$(
        $(#[$words])*
        pub struct $name;
        impl Needed for $name {
            const SCOPE: Scope = Scope::$scope;
        }
    )*};
}

needed! {
    /// To read of visitors.
    Reading = READ,
    /// To send signals.
    Signalling = SIGNAL,
    /// To call functions of pages.
    Invoking = INVOKE,
    /// To look at pages, and to chat.
    Sessions = SESSION,
    /// To publish and read topics.
    Topics = TOPICS,
    /// To run the group.
    Operating = OPERATE,
}

/// The bearer of the request's token, who may do what is `Needed`; his token is for the group in the path, if there is one,
/// and his page's origin is in that group's list, if there is one.
pub struct Bearer<N: Needed>(pub Agent, PhantomData<N>);

impl<N: Needed> FromRequest for Bearer<N> {
    type Error = ApiError;
    type Future = Ready<Result<Self, ApiError>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let verified = verify(request).and_then(|agent| {
            agent.require(N::SCOPE)?;
            Ok(Self(agent, PhantomData))
        });
        ready(verified.map_err(ApiError))
    }
}

/// The agent of a request.
///
/// # Errors
/// `authorization`, `ratelimited`, `group` or `origin`.
pub fn verify(request: &HttpRequest) -> Result<Agent, Problem> {
    let state = state(request)?;
    let failed = |error: AuthError| {
        state.metrics.authorization_failures.of(error).inc();
        Problem::from(error)
    };
    let token = bearer(text(request, header::AUTHORIZATION)).map_err(failed)?;
    let agent = state.tokens.verify(token, state.clock().wall()).map_err(failed)?;
    let now = state.clock().now();
    state.admission.request_of(&agent.group, &agent.subject, now).inspect_err(|_| {
        state.metrics.limited.of(Limited::RequestOfSubject).inc();
    })?;
    if let Some(group) = request.match_info().get("group") {
        agent.require_group(&parse(group)?)?;
    }
    let group = state.settings.groups.get(&agent.group);
    let group = group.ok_or_else(|| Problem::new(ErrorCode::Group, "there is no such group"))?;
    check_origin(state, request, group)?;
    Ok(agent)
}

/// Checks that the request's page, if it comes from one, is in the group's list of agents' origins.
///
/// # Errors
/// `origin`.
pub fn check_origin(state: &State, request: &HttpRequest, group: &Group) -> Result<(), Problem> {
    if state.allows_agent(group, &state.origin_of(request.headers())) {
        return Ok(());
    }
    Err(Problem::new(ErrorCode::Origin, "the page's origin is not in the group's agent_origins"))
}
