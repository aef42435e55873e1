//! The OpenAPI 3.1 document.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::{Value, json};
use utoipa::{
    Modify, OpenApi,
    openapi::{
        Components, Content, Info, OpenApiVersion, Paths, Ref, RefOr, Response, Server, Tag,
        path::{Operation, Parameter, PathItem},
        schema::{Schema, SchemaType, Type},
        security::{ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityScheme},
        server::ServerBuilder,
    },
};

use super::codes::Tables;
use crate::{
    http,
    model::{
        error::ErrorCode,
        ids::{Code, GroupId, IdempotencyKey, SignalId, VisitorId},
    },
};

/// Our own interface, without the facades'.
#[derive(OpenApi)]
#[openapi(
    info(
        title = "Vestibule",
        description = "Presence and signals for web sites: who is there, and what reaches him.\n\nAnswers with an \
            error are `application/problem+json` (RFC 9457) with a `code` from the table of error codes. The sockets \
            are in `/asyncapi.json`.",
        license(name = "Apache-2.0", identifier = "Apache-2.0"),
    ),
    tags(
        (name = "tokens", description = "An API key of the group buys a token for one of its agents."),
        (name = "revocations", description = "Tokens called back before their time is over. A token needs the scope `operate`."),
        (name = "visitors", description = "Who is there. A token needs the scope `read`."),
        (name = "signals", description = "What is sent to a visitor. A token needs the scope `signal` or `invoke`, and `read` to ask for the outcome."),
        (name = "events", description = "What happened to the group's visitors, for back ends. A token needs the scope `read`, and `operate` for webhooks."),
        (name = "help", description = "Visitors who ask for help. A token needs the scope `read`, and `session` to answer them."),
        (name = "topics", description = "Messages that are published to topics. A token needs the scope `topics` and a claim `topics` with filters."),
        (name = "sessions", description = "Co-browse: who shows his page to whom. A token needs the scope `session`."),
        (name = "chats", description = "What visitors and agents write to each other. A token needs the scope `session`, and `operate` to erase."),
        (name = "operations", description = "For those who run the service."),
    ),
    paths(
        http::tokens::create,
        http::keys::jwks,
        http::revocations::revoke,
        http::revocations::list,
        http::revocations::take_back,
        http::visitors::list,
        http::visitors::one,
        http::explain::explain,
        http::signals::send_signal,
        http::signals::send_invocation,
        http::signals::signal_state,
        http::help::list,
        http::help::claim,
        http::help::decline,
        http::topics::publish,
        http::topics::publish_batch,
        http::topics::retained,
        http::topics::history,
        http::session_tickets::begin,
        http::sessions::list,
        http::past_sessions::list,
        http::sessions::one,
        http::past_sessions::consents,
        http::sessions::end,
        http::session_tickets::create,
        http::sessions::give_code,
        http::chats::buttons,
        http::chats::list,
        http::chats::invite,
        http::chats::one,
        http::chats::claim,
        http::chats::release,
        http::chats::say,
        http::chats::end,
        http::past_chats::list,
        http::past_chats::erase_of_visitor,
        http::past_chats::erase_one,
        http::links::create,
        http::assets::put_asset,
        http::assets::read_asset,
        http::events::read,
        http::webhooks::list,
        http::webhooks::list_letters,
        http::webhooks::redeliver_all,
        http::webhooks::redeliver_one,
        http::webhooks::delete_all,
        http::webhooks::delete_one,
        http::operations::healthz,
        http::operations::readyz,
        http::operations::metrics,
        http::documents::openapi_json,
        http::documents::asyncapi_json,
        http::pages::about,
    ),
    components(schemas(Code, GroupId, IdempotencyKey, SignalId, VisitorId)),
    modifiers(&Security),
)]
pub struct Rest;

/// The document in the order in which people read it.
#[derive(Serialize)]
pub struct Document {
    openapi: OpenApiVersion,
    info: Described,
    servers: Vec<Server>,
    tags: Option<Vec<Tag>>,
    paths: Paths,
    webhooks: Value,
    components: Option<Components>,
}

#[derive(Serialize)]
struct Described {
    #[serde(flatten)]
    info: Info,
    #[serde(flatten)]
    tables: Tables,
}

impl Document {
    /// The methods of each path, as the header `Allow` lists them.
    pub fn allowed(&self) -> BTreeMap<String, String> {
        let of_item = |item: &PathItem| {
            let operations = [
                ("GET", &item.get),
                ("POST", &item.post),
                ("PUT", &item.put),
                ("DELETE", &item.delete),
            ];
            let there = operations.into_iter().filter(|(_, operation)| operation.is_some());
            there.map(|(method, _)| method).collect::<Vec<_>>().join(", ")
        };
        let paths = self.paths.paths.iter();
        paths.map(|(path, item)| (path.clone(), of_item(item))).collect()
    }
}

/// The document.
pub fn document(
    public_url: Option<&str>,
    facades: impl IntoIterator<Item = utoipa::openapi::OpenApi>,
) -> Document {
    let mut own = Rest::openapi();
    problems(&mut own, "ProblemBody", "application/problem+json");
    let mut all = facades.into_iter().fold(own, utoipa::openapi::OpenApi::merge_from);
    parameters(&mut all);
    let url = public_url.unwrap_or("/");
    Document {
        openapi: all.openapi,
        info: Described { info: all.info, tables: Tables::new() },
        servers: vec![ServerBuilder::new().url(url).description(Some("This server")).build()],
        tags: all.tags,
        paths: all.paths,
        webhooks: webhooks(),
        components: all.components,
    }
}

/// What the server posts to a group's webhooks.
fn webhooks() -> Value {
    let header = |name: &str, description: &str| {
        json!({"name": name, "in": "header", "required": true, "description": description,
            "schema": {"type": "string"}})
    };
    json!({"event": {"post": {
        "tags": ["events"],
        "summary": "One event, posted to each of the group's webhooks that wants its type.",
        "description": "Signed as Standard Webhooks 1.0.0 say. It may come again, under the same id.",
        "operationId": "receive_event",
        "parameters": [
            header("webhook-id", "The event's `id`"),
            header("webhook-timestamp", "When this request was made, in Unix seconds"),
            header("webhook-signature", "`v1,` and the base64 of HMAC-SHA256 over id, timestamp and body between full \
                stops; one for each secret, between spaces"),
        ],
        "requestBody": {"required": true, "content": {"application/json": {
            "schema": {"$ref": "#/components/schemas/GroupEvent"}}}},
        "responses": {
            "2XX": {"description": "Taken"},
            "410": {"description": "Wants no more: the webhook gets nothing until dead letters are sent again"},
            "default": {"description": "Not taken: it is tried again, after `Retry-After` seconds if that is given"},
        },
    }}})
}

struct Security;

impl Modify for Security {
    fn modify(&self, document: &mut utoipa::openapi::OpenApi) {
        let bearer = |description: &str| {
            let scheme = HttpBuilder::new().scheme(HttpAuthScheme::Bearer);
            SecurityScheme::Http(scheme.description(Some(description)).build())
        };
        let components = document.components.get_or_insert_default();
        components.add_security_scheme(
            "token",
            bearer("An agent's token: a JWT for one group, of 1 to 120 minutes"),
        );
        components.add_security_scheme("api_key", bearer("An API key of the group"));
        let ticket = "`Ticket` and the ticket with which the page opened its stream";
        let ticket = ApiKey::Header(ApiKeyValue::with_description("authorization", ticket));
        components.add_security_scheme("ticket", SecurityScheme::ApiKey(ticket));
    }
}

/// Completes the answers whose body is the schema `body`: their media type, and what their codes mean.
///
/// A description that names codes of its status in backticks gets their meaning; an empty one gets all codes of its
/// status. Whoever can fail at all also gets a `default` answer.
pub fn problems(document: &mut utoipa::openapi::OpenApi, body: &str, media: &str) {
    let reference = format!("#/components/schemas/{body}");
    for item in document.paths.paths.values_mut() {
        for operation in
            [&mut item.get, &mut item.post, &mut item.put, &mut item.delete].into_iter().flatten()
        {
            complete(operation, &reference, media);
        }
    }
}

/// A parameter that is not given is missing, and not `null`: an address has no way to say that.
fn parameters(document: &mut utoipa::openapi::OpenApi) {
    for item in document.paths.paths.values_mut() {
        let operations =
            [&mut item.get, &mut item.post, &mut item.put, &mut item.delete].into_iter().flatten();
        for parameter in operations.filter_map(|operation| operation.parameters.as_mut()).flatten()
        {
            if let RefOr::T(Parameter { schema: Some(schema), .. }) = parameter {
                without_null(schema);
            }
        }
    }
}

fn without_null(schema: &mut RefOr<Schema>) {
    let only = match schema {
        RefOr::T(Schema::Object(object)) => {
            if let SchemaType::Array(types) = &mut object.schema_type {
                types.retain(|kind| *kind != Type::Null);
            }
            return;
        }
        RefOr::T(Schema::OneOf(choice)) => {
            choice.items.retain(|item| !is_null(item));
            if choice.items.len() == 1 { choice.items.pop() } else { None }
        }
        _ => return,
    };
    if let Some(only) = only {
        *schema = only;
    }
}

fn is_null(schema: &RefOr<Schema>) -> bool {
    let RefOr::T(Schema::Object(object)) = schema else { return false };
    object.schema_type == SchemaType::Type(Type::Null)
}

fn complete(operation: &mut Operation, reference: &str, media: &str) {
    let mut any = None;
    for (status, response) in &mut operation.responses.responses {
        let RefOr::T(response) = response else { continue };
        let Some(content) = response.content.get("application/json").cloned() else { continue };
        let RefOr::T(Content { schema: Some(RefOr::Ref(Ref { ref_location, .. })), .. }) = &content
        else {
            continue;
        };
        if ref_location != reference {
            continue;
        }
        response.content.clear();
        response.content.insert(media.to_owned(), content.clone());
        let codes = ErrorCode::ALL.iter().filter(|code| {
            let named = response.description.contains(&format!("`{}`", code.as_str()));
            code.status().to_string() == *status && (named || response.description.is_empty())
        });
        let codes = codes.map(|code| format!("`{}`: {}", code.as_str(), code.meaning()));
        let codes = codes.collect::<Vec<_>>().join(" ");
        if !codes.is_empty() {
            response.description = codes;
        }
        any = Some(content);
    }
    if let Some(content) = any {
        let mut other = Response::new("Any other error, with its code");
        other.content.insert(media.to_owned(), content);
        operation.responses.responses.insert("default".to_owned(), other.into());
    }
}
