//! The AsyncAPI 3.0 document of the native sockets.

mod examples;
mod messages;
mod schema;

use std::collections::BTreeMap;

use serde::{Serialize, Serializer};
use serde_json::{Value, json};
use utoipa::openapi::{RefOr, Schema};

use self::messages::Message;
use super::codes::Tables;

const DESCRIPTION: &str = "Text frames hold one JSON object each; a binary frame with the same JSON is read alike. Every \
    message has a `type`. A client's message may carry `request`, a whole number from 1 to 2^53-1: the server answers \
    with exactly one `ok` or `error` that repeats it; a `hello` is answered by `welcome`. Times are Unix milliseconds. \
    A message may have 64 KiB; a longer one closes the socket with 1009 before it is read.\n\nA browser's script cannot \
    see a refused handshake, so a refusal is answered with 101 and closed at once with a code of the table of close \
    codes. The close reason is a JSON object: `{\"code\":\"…\"}`, with `retry_ms` where trying again makes sense.\n\nThe \
    events of a whole group, as a stream, by pull and by webhooks, are plain HTTP and are in `/openapi.json`.";

/// The document, in the order in which people read it.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Document {
    asyncapi: &'static str,
    id: &'static str,
    info: Info,
    default_content_type: &'static str,
    servers: Value,
    channels: Ordered<Channel>,
    operations: Ordered<Operation>,
    components: Components,
}

#[derive(Serialize)]
struct Info {
    title: &'static str,
    version: &'static str,
    description: &'static str,
    license: Value,
    #[serde(flatten)]
    tables: Tables,
}

#[derive(Serialize)]
struct Channel {
    address: &'static str,
    title: &'static str,
    description: &'static str,
    messages: Ordered<Value>,
    bindings: Value,
}

#[derive(Serialize)]
struct Operation {
    action: &'static str,
    channel: Value,
    summary: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    security: Vec<Value>,
    messages: Vec<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reply: Option<Value>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Components {
    messages: Ordered<Message>,
    schemas: BTreeMap<String, RefOr<Schema>>,
    security_schemes: Value,
}

/// A JSON object whose keys stay in their order.
struct Ordered<T>(Vec<(String, T)>);

impl<T: Serialize> Serialize for Ordered<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(key, value)| (key, value)))
    }
}

/// One side's messages on one channel.
struct Side {
    messages: Vec<Message>,
}

impl Side {
    fn refs(&self, channel: &str) -> Vec<Value> {
        let at = |message: &Message| json!({"$ref": format!("#/channels/{channel}/messages/{}", message.key)});
        self.messages.iter().map(at).collect()
    }
}

/// The document of a server that is reached at `public_url`.
pub fn document(public_url: Option<&str>) -> Document {
    let sides = [
        (
            "visitor",
            Side { messages: messages::from_page() },
            Side { messages: messages::to_page() },
        ),
        (
            "agent",
            Side { messages: messages::from_agent() },
            Side { messages: messages::to_agent() },
        ),
        (
            "stream",
            Side { messages: messages::from_stream() },
            Side { messages: messages::to_stream() },
        ),
    ];
    let mut channels = Vec::new();
    let mut operations = Vec::new();
    let mut components = Vec::new();
    for (channel, from, to) in sides {
        operations.extend(self::operations(channel, &from, &to));
        let all = from.messages.into_iter().chain(to.messages);
        let mut refs = Vec::new();
        for message in all {
            let name = format!("{channel}.{}", message.key);
            refs.push((
                message.key.clone(),
                json!({"$ref": format!("#/components/messages/{name}")}),
            ));
            components.push((name, message));
        }
        channels.push((channel.to_owned(), self::channel(channel, Ordered(refs))));
    }
    let schemas =
        schema::referred_to(&components.iter().map(|(_, message)| message).collect::<Vec<_>>());
    Document {
        asyncapi: "3.0.0",
        id: "urn:vestibule:sockets",
        info: Info {
            title: "Vestibule sockets",
            version: env!("CARGO_PKG_VERSION"),
            description: DESCRIPTION,
            license: json!({"name": "Apache-2.0", "url": "https://www.apache.org/licenses/LICENSE-2.0"}),
            tables: Tables::new(),
        },
        default_content_type: "application/json",
        servers: servers(public_url),
        channels: Ordered(channels),
        operations: Ordered(operations),
        components: Components {
            messages: Ordered(components),
            schemas,
            security_schemes: json!({"token": {
                "type": "apiKey", "in": "password",
                "description": "An agent's token, a JWT for one group, in the first message and never in the address",
            }, "ticket": {
                "type": "apiKey", "in": "password",
                "description": "A ticket for one session, in the first message and never in the address",
            }}),
        },
    }
}

fn servers(public_url: Option<&str>) -> Value {
    let public = public_url.and_then(|url| url.split_once("://"));
    let Some((scheme, place)) = public else {
        return json!({
            "development": {
                "host": "127.0.0.1:8080", "protocol": "ws",
                "description": "A server in development mode, on this machine",
            },
            "production": {
                "host": "{host}", "protocol": "wss",
                "description": "A server behind a proxy that ends TLS",
                "variables": {"host": {"default": "presence.example.com"}},
            },
        });
    };
    let (host, path) = place.find('/').map_or((place, ""), |at| place.split_at(at));
    let protocol = if scheme == "https" { "wss" } else { "ws" };
    let path = if path.is_empty() { "/" } else { path };
    json!({"here": {
        "host": host, "protocol": protocol, "pathname": path, "description": "This server",
    }})
}

fn channel(channel: &str, messages: Ordered<Value>) -> Channel {
    let group = |required: bool| {
        let required: &[&str] = if required { &["group"] } else { &[] };
        json!({"ws": {
            "method": "GET",
            "query": {
                "type": "object", "required": required,
                "properties": {"group": {"type": "string", "pattern": "^[0-9]{1,20}$", "description": "The group"}},
            },
            "bindingVersion": "0.1.0",
        }})
    };
    if channel == "stream" {
        return Channel {
            address: "/v1/stream",
            title: "Stream",
            description: "What a visitor shows: his page sends, agents get. The first message is `hello` with a ticket, which \
                says which of the two the socket is, and must come within 10 s. What is streamed itself goes in binary \
                messages: a byte of flags (1: a key frame, 2: deflated as RFC 1951 says), the page's number and the \
                length of the payload before it was deflated (both 4 bytes, big endian), then the payload, a JSON array of \
                the recorder's events.",
            messages,
            bindings: json!({"ws": {"method": "GET", "bindingVersion": "0.1.0"}}),
        };
    }
    if channel == "visitor" {
        return Channel {
            address: "/v1/visitor",
            title: "Visitor",
            description: "A page of a visitor. The page's `Origin` must be in the group's `visitor_origins`. The first \
                message is `hello`, and must come within 10 s.",
            messages,
            bindings: group(true),
        };
    }
    Channel {
        address: "/v1/agent",
        title: "Agent",
        description: "An agent's page, or a server. An `Origin`, when there is one, must be in the `agent_origins` of the \
            token's group. The first message is `hello` with the token, and must come within 10 s.",
        messages,
        bindings: group(false),
    }
}

/// What the server does on a channel: it receives what clients send, and sends.
fn operations(channel: &str, from: &Side, to: &Side) -> [(String, Operation); 2] {
    let place = || json!({"$ref": format!("#/channels/{channel}")});
    let answers =
        ["ok", "error"].map(|key| json!({"$ref": format!("#/channels/{channel}/messages/{key}")}));
    let scheme = |name: &str| json!({"$ref": format!("#/components/securitySchemes/{name}")});
    let receive = Operation {
        action: "receive",
        channel: place(),
        summary: format!("What the {channel}'s side sends"),
        security: match channel {
            "agent" => vec![scheme("token")],
            "stream" => vec![scheme("ticket")],
            _ => Vec::new(),
        },
        messages: from.refs(channel),
        reply: Some(json!({"channel": place(), "messages": answers})),
    };
    let send = Operation {
        action: "send",
        channel: place(),
        summary: format!("What the server sends to the {channel}'s side"),
        security: Vec::new(),
        messages: to.refs(channel),
        reply: None,
    };
    [(format!("{channel}Receive"), receive), (format!("{channel}Send"), send)]
}
