//! What is committed in `openapi/` and written in `docs/protocol.md` is what the code says.

use std::{collections::BTreeSet, fs, path::Path};

use serde_json::Value;
use vestibule::{
    app,
    model::{
        close::{Again, CloseCode},
        error::ErrorCode,
        event::EventKind,
        protocol::{agent::AgentKind, stream::StreamKind, visitor::VisitorKind},
    },
    settings::Facades,
};

use crate::support::Server;

fn file(path: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap_or_default()
}

fn asyncapi() -> Value {
    serde_json::from_str(&app::documents(None, &Facades::ALL).asyncapi).unwrap()
}

fn openapi() -> Value {
    serde_json::from_str(&app::documents(None, &Facades::ALL).openapi).unwrap()
}

#[test]
fn the_committed_documents_are_up_to_date() {
    let documents = app::documents(None, &Facades::ALL);
    assert!(file("openapi/openapi.json") == documents.openapi, "stale: run `make documents`");
    assert!(file("openapi/asyncapi.json") == documents.asyncapi, "stale: run `make documents`");
}

#[test]
fn a_filter_of_events_knows_every_type() {
    let parameters = &openapi()["paths"]["/v1/groups/{group}/events"]["get"]["parameters"];
    let types = parameters.as_array().unwrap().iter().find(|it| it["name"] == "types").unwrap();
    let one = format!("({})", EventKind::NAMES.join("|"));
    assert_eq!(types["schema"]["pattern"], format!("^ *{one} *(, *{one} *)*$"));
}

/// RFC 9110, section 15.5.6.
#[test]
fn other_methods_are_refused_with_those_that_are_documented() {
    let server = Server::start();
    for (path, item) in openapi()["paths"].as_object().unwrap() {
        let methods: BTreeSet<_> =
            item.as_object().unwrap().keys().map(|method| method.to_uppercase()).collect();
        // Any text stands for a parameter, but for a letter's number.
        let address = path.replace("{letter}", "1").replace(['{', '}'], "");
        let request = format!("PATCH {address} HTTP/1.1\r\nhost: x\r\n");
        let answer = server.exchange(&request).unwrap();
        assert!(answer.starts_with("HTTP/1.1 405 "), "{path}: {answer}");
        assert!(answer.contains(r#""code":"method""#), "{path}: {answer}");
        let allow = answer.lines().find_map(|line| line.strip_prefix("allow: ")).unwrap();
        assert_eq!(allow.split(", ").map(str::to_owned).collect::<BTreeSet<_>>(), methods);
    }
}

/// Every `$ref` below `value`.
fn references(value: &Value, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(object) => {
            found.extend(object.get("$ref").and_then(Value::as_str).map(str::to_owned));
            object.values().for_each(|value| references(value, found));
        }
        Value::Array(list) => list.iter().for_each(|value| references(value, found)),
        _ => {}
    }
}

#[test]
fn every_reference_leads_somewhere_and_every_schema_is_used() {
    for document in [asyncapi(), openapi()] {
        let mut found = BTreeSet::new();
        references(&document, &mut found);
        for reference in &found {
            assert!(document.pointer(&reference[1..]).is_some(), "{reference}");
        }
        for name in document["components"]["schemas"].as_object().unwrap().keys() {
            assert!(found.contains(&format!("#/components/schemas/{name}")), "{name} is not used");
        }
    }
}

#[test]
fn every_message_has_examples_of_its_form() {
    let document = asyncapi();
    for (key, message) in document["components"]["messages"].as_object().unwrap() {
        let examples = message["examples"].as_array().unwrap();
        assert!(!examples.is_empty(), "{key} has no example");
        assert!(!message["summary"].as_str().unwrap().is_empty(), "{key} says nothing");
        let schema = &message["payload"];
        for example in examples {
            let fields = example["payload"].as_object().unwrap();
            assert_eq!(fields["type"], message["name"], "{key}");
            for name in fields.keys() {
                assert!(schema["properties"][name].is_object(), "{key}: {name} is not documented");
            }
            for name in schema["required"].as_array().unwrap() {
                assert!(fields.contains_key(name.as_str().unwrap()), "{key}: {name} is missing");
            }
        }
    }
}

#[test]
fn every_message_belongs_to_one_operation_of_its_channel() {
    let document = asyncapi();
    for channel in ["visitor", "agent", "stream"] {
        let mut known: Vec<_> = document["channels"][channel]["messages"]
            .as_object()
            .unwrap()
            .keys()
            .map(|key| format!("#/channels/{channel}/messages/{key}"))
            .collect();
        let mut named = Vec::new();
        for side in ["Receive", "Send"] {
            let operation = &document["operations"][format!("{channel}{side}")];
            let messages = operation["messages"].as_array().unwrap();
            named.extend(messages.iter().map(|at| at["$ref"].as_str().unwrap().to_owned()));
        }
        known.sort();
        named.sort();
        assert_eq!(known, named);
    }
}

/// Every route of REST and operations is described.
#[test]
fn every_route_is_described() {
    let routes = file("src/http/routes.rs");
    let (_, described) = routes.split_once("// REST").unwrap();
    let (described, _) = described.split_once("// pages").unwrap();
    let facade = file("src/facades/glance/mod.rs");
    // The addresses of the scripts and of the viewer are for browsers.
    let count = described.matches(".service(").count() + facade.matches(".service(").count() - 2;
    let described = |path: &str| {
        let paths = file(path);
        let (_, listed) = paths.split_once("    paths(").unwrap();
        listed.split(')').next().unwrap().matches("::").count()
    };
    // Served under several addresses each, of which the document names one.
    let count =
        count + described("src/facades/upscope/mod.rs") + described("src/facades/genesys/mod.rs");
    let paths = openapi()["paths"].as_object().unwrap().clone();
    let operations: usize = paths.values().map(|item| item.as_object().unwrap().len()).sum();
    assert_eq!(operations, count);
    for operation in paths.values().flat_map(|item| item.as_object().unwrap().values()) {
        for (status, answer) in operation["responses"].as_object().unwrap() {
            let id = &operation["operationId"];
            assert!(!answer["description"].as_str().unwrap().is_empty(), "{id} {status}");
        }
    }
}

/// The cells of the table rows between two headings.
fn rows(heading: &str) -> Vec<Vec<String>> {
    let page = file("docs/protocol.md");
    let (_, rest) =
        page.split_once(&format!("\n{heading}\n")).unwrap_or_else(|| panic!("{heading}"));
    let section = rest.split("\n#").next().unwrap();
    let rows = section.lines().filter(|line| line.starts_with("| ") && !line.starts_with("| ---"));
    let cells =
        |row: &str| row.trim_matches('|').split(" | ").map(|cell| cell.trim().to_owned()).collect();
    rows.map(cells).collect()
}

/// The words in backticks.
fn words(cell: &str) -> Vec<String> {
    cell.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

#[test]
fn the_page_has_every_close_code() {
    let written: Vec<_> = rows("## Close codes")
        .into_iter()
        .skip(1)
        .map(|row| {
            let again = match row[2].as_str() {
                "no" => Again::No,
                "with a fresh token" => Again::Renew,
                other if other.starts_with("yes") => Again::Yes,
                other => panic!("again? {other}"),
            };
            (row[0].parse().unwrap(), words(&row[1]).remove(0), again)
        })
        .collect();
    let known: Vec<_> = CloseCode::ALL
        .iter()
        .map(|code| (code.number(), code.as_str().to_owned(), code.again()))
        .collect();
    assert_eq!(written, known);
}

#[test]
fn the_page_has_every_error_code() {
    let written: Vec<(String, u16)> = rows("## Errors")
        .into_iter()
        .skip(1)
        .map(|row| (words(&row[0]).remove(0), row[1].parse().unwrap()))
        .collect();
    let known: Vec<_> =
        ErrorCode::ALL.iter().map(|code| (code.as_str().to_owned(), code.status())).collect();
    assert_eq!(written, known);
}

#[test]
fn the_page_has_every_message() {
    let written = |heading: &str| -> Vec<String> {
        let rows = rows(heading).into_iter();
        rows.filter(|row| row[0].starts_with('`')).flat_map(|row| words(&row[0])).collect()
    };
    let page: Vec<_> = VisitorKind::ALL.iter().map(|kind| kind.as_str()).collect();
    assert_eq!(written("### Visitor: client to server"), page);
    let agent: Vec<_> = AgentKind::ALL.iter().map(|kind| kind.as_str()).collect();
    assert_eq!(written("### Agent: client to server"), agent);
    let stream: Vec<_> = StreamKind::ALL.iter().map(|kind| kind.as_str()).collect();
    assert_eq!(written("### Stream: client to server"), stream);

    let document = asyncapi();
    for (channel, heading) in [
        ("visitor", "### Visitor: server to client"),
        ("agent", "### Agent: server to client"),
        ("stream", "### Stream: server to client"),
    ] {
        let sent = document["operations"][format!("{channel}Send")]["messages"].as_array().unwrap();
        let name = |at: &Value| {
            let message = document.pointer(&at["$ref"].as_str().unwrap()[1..]).unwrap();
            let message = document.pointer(&message["$ref"].as_str().unwrap()[1..]).unwrap();
            message["name"].as_str().unwrap().to_owned()
        };
        let sent: BTreeSet<_> = sent.iter().map(name).collect();
        assert_eq!(written(heading).into_iter().collect::<BTreeSet<_>>(), sent, "{channel}");
    }
}
