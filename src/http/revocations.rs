//! `/v1/groups/{group}/revocations`: tokens that are called back before their time is over.

use std::{borrow::Cow, sync::Arc};

use actix_web::{HttpRequest, HttpResponse, delete, get, post};
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::{
    IntoParams, PartialSchema, ToSchema,
    openapi::{
        RefOr, Schema,
        schema::{AdditionalProperties, ObjectBuilder, OneOfBuilder, SchemaType, Type},
    },
};

use super::{
    error::{ApiError, ProblemBody},
    extract::{Bearer, Body, Named, Operating, json, query as read_query},
    paging,
    state::State,
};
use crate::{
    auth::{Revocation, Target},
    model::{
        error::{ErrorCode, Problem},
        ids::{GroupId, IdempotencyKey},
    },
    trust::revoker::Asker,
};

const LONGEST_TEXT: usize = 255;
/// The same as a pattern: no control characters.
const TEXT_PATTERN: &str = r"^[^\x00-\x1F\x7F-\x9F]{1,255}$";

/// What is to be revoked: one of `jti`, `subject` and `all`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RevocationWish {
    jti: Option<String>,
    subject: Option<String>,
    #[serde(default)]
    all: bool,
    reason: Option<String>,
}

impl ToSchema for RevocationWish {
    fn name() -> Cow<'static, str> {
        "RevocationWish".into()
    }
}

impl PartialSchema for RevocationWish {
    /// One form for each kind of target: a list of optional fields would allow what is refused.
    fn schema() -> RefOr<Schema> {
        let text = || ObjectBuilder::new().schema_type(Type::String);
        let nothing = || ObjectBuilder::new().schema_type(Type::Null);
        let flag =
            |flag: bool| ObjectBuilder::new().schema_type(Type::Boolean).enum_values(Some([flag]));
        let jti = || {
            let pattern = text().pattern(Some("^[!-~]{1,64}$"));
            pattern.description(Some("The token with this name."))
        };
        let subject = || {
            let pattern = text().pattern(Some(TEXT_PATTERN));
            pattern.description(Some("The tokens of this subject that were made until now."))
        };
        let all =
            || flag(true).description(Some("All tokens of the group that were made until now."));
        let reason = || {
            let types = [Type::String, Type::Null];
            let text = ObjectBuilder::new().schema_type(SchemaType::from_iter(types));
            text.pattern(Some(TEXT_PATTERN)).description(Some("Why, for those who read the list."))
        };
        let forms = [
            ("jti", jti(), nothing(), flag(false)),
            ("subject", nothing(), subject(), flag(false)),
            ("all", nothing(), nothing(), all()),
        ];
        let forms = forms.into_iter().map(|(required, jti, subject, all)| {
            ObjectBuilder::new()
                .property("jti", jti)
                .property("subject", subject)
                .property("all", all)
                .property("reason", reason())
                .required(required)
                .additional_properties(Some(AdditionalProperties::FreeForm(false)))
        });
        let one_of = forms.fold(OneOfBuilder::new(), OneOfBuilder::item);
        let description = "What is to be revoked: one of `jti`, `subject` and `all`.";
        let examples = [json!({"subject": "agent-7", "reason": "lost his laptop"})];
        one_of.description(Some(description)).examples(examples).into()
    }
}

impl RevocationWish {
    fn target(&self) -> Result<Target, Problem> {
        match (&self.jti, &self.subject, self.all) {
            (Some(jti), None, false) => {
                let named = jti.parse::<IdempotencyKey>();
                named.map_err(|invalid| {
                    Problem::field("jti", format!("must be {}", invalid.rule))
                })?;
                Ok(Target::Token(jti.as_str().into()))
            }
            (None, Some(subject), false) => {
                text("subject", subject)?;
                Ok(Target::Subject(subject.as_str().into()))
            }
            (None, None, true) => Ok(Target::Group),
            _ => Err(Problem::field("jti", "give one of jti, subject and \"all\": true")),
        }
    }
}

fn text(field: &str, text: &str) -> Result<(), Problem> {
    if text.is_empty() || text.chars().count() > LONGEST_TEXT || text.contains(char::is_control) {
        let rule = format!("must be 1 to {LONGEST_TEXT} characters, no control characters");
        return Err(Problem::field(field, rule));
    }
    Ok(())
}

/// A revocation in force.
#[derive(Serialize, ToSchema)]
pub struct RevocationView {
    /// Its name.
    id: String,
    /// The token that it touches.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    jti: Option<String>,
    /// The subject whose tokens it touches.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    subject: Option<String>,
    /// Whether it touches all tokens of the group.
    all: bool,
    /// When it was made (RFC 3339); tokens that were made later are not touched.
    made: String,
    /// When it ends by itself (RFC 3339): no token can be left then.
    until: String,
    /// Who made it: the subject of his token.
    by: String,
    /// Why.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    reason: Option<String>,
}

impl From<Revocation> for RevocationView {
    fn from(revocation: Revocation) -> Self {
        let (made, until) = (revocation.made.to_rfc3339(), revocation.until().to_rfc3339());
        let (jti, subject, all) = match revocation.target {
            Target::Token(jti) => (Some(jti.to_string()), None, false),
            Target::Subject(subject) => (None, Some(subject.to_string()), false),
            Target::Group => (None, None, true),
        };
        let (id, by) = (revocation.id.to_string(), revocation.by.to_string());
        let reason = revocation.reason.as_deref().map(str::to_owned);
        Self { id, jti, subject, all, made, until, by, reason }
    }
}

/// Revocations in force, in the order of their making.
#[derive(Serialize, ToSchema)]
pub struct RevocationList {
    /// The revocations.
    revocations: Vec<RevocationView>,
    /// The cursor of the list that follows; `null` when this is the end.
    #[schema(required = true)]
    next: Option<String>,
}

/// Which revocations.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct RevocationQuery {
    /// At most so many: 1 to 1000; 100 when missing.
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<usize>,
    /// The `next` of the list before.
    cursor: Option<String>,
}

/// Revokes tokens. Calls with them are refused from now on, and their sockets close with 4507 within a second.
#[utoipa::path(tag = "revocations", operation_id = "revoke", security(("token" = [])), request_body = RevocationWish,
    params(("group" = GroupId, Path, description = "The group")),
    responses((status = 201, body = RevocationView, description = "In force, and kept over restarts"),
        (status = 400, body = ProblemBody, description = "`badrequest`"), (status = 401, body = ProblemBody),
        (status = 403, body = ProblemBody), (status = 413, body = ProblemBody),
        (status = 429, body = ProblemBody, description = "`toomany`"),
        (status = 500, body = ProblemBody, description = "In force, but not kept over a restart"),
        (status = 503, body = ProblemBody)))]
#[post("/v1/groups/{group}/revocations")]
pub async fn revoke(
    state: State,
    bearer: Bearer<Operating>,
    Named(group): Named<GroupId>,
    Body(body): Body,
) -> Result<HttpResponse, ApiError> {
    let wish: RevocationWish = json(&body)?;
    let target = wish.target()?;
    if let Some(reason) = &wish.reason {
        text("reason", reason)?;
    }
    let asker =
        Asker { subject: Arc::clone(&bearer.0.subject), reason: wish.reason.map(Into::into) };
    let now = state.clock().wall();
    let revoker = Arc::clone(&state.revoker);
    let revoked =
        to_the_end(async move { revoker.revoke(group, target, asker, now).await }).await?;
    Ok(HttpResponse::Created().json(RevocationView::from(revoked)))
}

/// Lists the revocations in force.
#[utoipa::path(tag = "revocations", operation_id = "list_revocations", security(("token" = [])),
    params(("group" = GroupId, Path, description = "The group"), RevocationQuery),
    responses((status = 200, body = RevocationList, description = "The revocations, and where the next list begins"),
        (status = 400, body = ProblemBody, description = "`badrequest`"), (status = 401, body = ProblemBody),
        (status = 403, body = ProblemBody), (status = 503, body = ProblemBody)))]
#[get("/v1/groups/{group}/revocations")]
pub async fn list(
    request: HttpRequest,
    state: State,
    _: Bearer<Operating>,
    Named(group): Named<GroupId>,
) -> Result<HttpResponse, ApiError> {
    let query: RevocationQuery = read_query(&request)?;
    let limit = paging::limit(query.limit, paging::USUAL)?;
    let found = state.revoker.in_force().list(&group, query.cursor.as_deref(), limit);
    let next = paging::next(&found, limit, |last| last.id.to_string());
    let revocations = found.into_iter().map(RevocationView::from).collect();
    Ok(HttpResponse::Ok().json(RevocationList { revocations, next }))
}

/// Takes a revocation back: its tokens are believed again.
#[utoipa::path(tag = "revocations", operation_id = "take_revocation_back", security(("token" = [])),
    params(("group" = GroupId, Path, description = "The group"), ("id" = String, Path, description = "The revocation")),
    responses((status = 200, body = RevocationView, description = "The revocation, which is no longer in force"),
        (status = 400, body = ProblemBody, description = "`badrequest`"), (status = 401, body = ProblemBody),
        (status = 403, body = ProblemBody), (status = 404, body = ProblemBody, description = "`notfound`"),
        (status = 500, body = ProblemBody, description = "Taken back, but in force again after a restart"),
        (status = 503, body = ProblemBody)))]
#[delete("/v1/groups/{group}/revocations/{id}")]
pub async fn take_back(
    state: State,
    _: Bearer<Operating>,
    Named((group, id)): Named<(GroupId, String)>,
) -> Result<HttpResponse, ApiError> {
    let revoker = Arc::clone(&state.revoker);
    let back = to_the_end(async move { revoker.take_back(&group, &id).await }).await?;
    Ok(HttpResponse::Ok().json(RevocationView::from(back)))
}

/// Runs a change to its end, even when the one who asked goes away meanwhile.
async fn to_the_end<T: 'static>(
    change: impl Future<Output = Result<T, Problem>> + 'static,
) -> Result<T, Problem> {
    let lost = |_| Problem::new(ErrorCode::Internal, "the service gave no answer");
    actix_web::rt::spawn(change).await.map_err(lost)?
}
