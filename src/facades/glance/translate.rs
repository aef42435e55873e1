//! Their words into ours and back; no I/O.

use actix_web::http::StatusCode;
use serde_json::Value;

use super::types::{Failure, Find, Invocation, Location, Lookup, Signal};
use crate::{
    clock::Timestamp,
    model::{
        error::{ErrorCode, Problem},
        signal::Message,
        view::VisitorView,
    },
};

/// The number of the presence service in the original's `service` field.
pub const PRESENCE_SERVICE: u8 = 9;

/// A problem in their form: the status, and a body whose `error` is the word that their scripts compare.
pub fn failure(problem: Problem) -> (StatusCode, Failure) {
    let status = StatusCode::from_u16(problem.code.status());
    let error = match problem.code {
        // Another group and another origin are questions of authority too.
        ErrorCode::Authorization | ErrorCode::Scope | ErrorCode::Origin | ErrorCode::Group => {
            "authorization"
        }
        code => code.as_str(),
    };
    let detail = match problem.field {
        Some(field) => format!("{field}: {}", problem.message),
        None => problem.message,
    };
    (status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR), Failure { error, detail })
}

/// The place of this service, from the address that the outside knows it by, or from a request's `Host`: without a
/// scheme the port is that of https, as the service is met behind something that ends TLS.
pub fn location(address: &str) -> Location {
    let (scheme, rest) = address.split_once("://").unwrap_or(("https", address));
    let host = rest.split('/').next().unwrap_or_default();
    let usual = if scheme == "http" { 80 } else { 443 };
    let (server, port) = match host.rsplit_once(':') {
        // The colons of an IPv6 address are within brackets.
        Some((server, port)) if !port.ends_with(']') => (server, port.parse().unwrap_or(usual)),
        _ => (host, usual),
    };
    Location {
        ds: format!("{server}/0"),
        direct: format!("{server}:{port}"),
        directserver: server.to_owned(),
        tlsport: port,
        httpsport: port,
    }
}

/// A visitor as `/lookupvisitor` tells him.
pub fn lookup(visitor: &VisitorView, location: Location) -> Lookup {
    let data = serde_json::from_str(visitor.row.data.text()).unwrap_or_default();
    let mut lookup = Lookup {
        data,
        visitorid: visitor.row.visitorid.to_string(),
        groupid: visitor.group.to_string(),
        visitorpresent: seconds(visitor.row.since),
        timestamp: seconds(visitor.row.updated),
        location,
    };
    // A page must not pass its own words off as ours.
    for fixed in [
        "visitorid",
        "groupid",
        "visitorpresent",
        "timestamp",
        "ds",
        "direct",
        "directserver",
        "tlsport",
        "httpsport",
    ] {
        lookup.data.remove(fixed);
    }
    lookup
}

/// Where a visitor is, if he is there.
pub fn find(found: bool, location: Location) -> Find {
    Find { visitorfound: found, location: found.then_some(location) }
}

fn seconds(time: Timestamp) -> String {
    format!("{}.{}", time.0 / 1000, time.0 % 1000 / 100)
}

/// A signal or invocation.
///
/// # Errors
/// Names the field that is missing or wrong.
pub fn message(signal: Signal) -> Result<Message, Problem> {
    match signal.mtype.as_str() {
        "signal" => {
            let data = signal.data.ok_or_else(|| Problem::field("data", "is missing"))?;
            Ok(Message::Signal { data })
        }
        "invoke" => {
            let data = signal.data.ok_or_else(|| Problem::field("data", "is missing"))?;
            let Invocation { func, args } = serde_json::from_str(data.text())
                .map_err(|_| Problem::field("data", "must be an object with func and args"))?;
            Message::invoke(&func, args)
        }
        _ => Err(Problem::field("mtype", "must be signal or invoke")),
    }
}

/// An id that callers give as a number or as text.
pub fn id_text(id: &Value) -> Option<String> {
    match id {
        Value::String(text) => Some(text.trim().to_owned()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

/// A number of minutes that callers give as a number or as text.
pub fn minutes(duration: &Value) -> Option<i64> {
    match duration {
        Value::String(text) => text.trim().parse().ok(),
        Value::Number(number) => number.as_i64(),
        _ => None,
    }
}

/// A time with seven decimals, as the original writes it.
pub fn long_time(time: Timestamp) -> String {
    let text = time.to_rfc3339();
    text.strip_suffix('Z').map(|text| format!("{text}0000Z")).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn view(data: serde_json::Value) -> VisitorView {
        VisitorView::example("example", data)
    }

    /// The example of the interface's documentation (`glance.md` 4.2).
    #[test]
    fn a_lookup_reads_as_documented() {
        let data = serde_json::json!({"platform": "Linux", "groupid": "forged", "cart": 2});
        let lookup = lookup(&view(data), location("pr0016.example.net"));
        assert_eq!(
            serde_json::to_value(lookup).unwrap(),
            serde_json::json!({
                "visitorid": "example", "groupid": "12345", "visitorpresent": "1583953702.0",
                "timestamp": "1583953703.9", "direct": "pr0016.example.net:443",
                "directserver": "pr0016.example.net", "ds": "pr0016.example.net/0",
                "httpsport": 443, "tlsport": 443, "platform": "Linux", "cart": 2,
            })
        );
    }

    #[test]
    fn hosts_with_and_without_a_port() {
        assert_eq!(location("localhost:8080").direct, "localhost:8080");
        assert_eq!(location("localhost:8080").directserver, "localhost");
        assert_eq!(location("[::1]:8080").directserver, "[::1]");
        assert_eq!(location("[::1]").direct, "[::1]:443");
        assert_eq!(location("example.net").httpsport, 443);
        assert_eq!(location("https://example.net/presence").direct, "example.net:443");
        assert_eq!(location("http://example.net").direct, "example.net:80");
        assert_eq!(location("http://example.net:81/presence").direct, "example.net:81");
    }

    #[test]
    fn messages_name_what_is_wrong() {
        let read = |text: &str| message(serde_json::from_str(text).unwrap());
        assert!(read(r#"{"mtype":"signal","data":{"a":1}}"#).is_ok());
        assert!(read(r#"{"mtype":"signal","data":null}"#).is_ok());
        assert!(read(r#"{"mtype":"invoke","data":{"func":"GLANCE.x"}}"#).is_ok());
        let field = |text: &str| read(text).unwrap_err().field.unwrap();
        assert_eq!(field(r#"{"mtype":"signal"}"#), "data");
        assert_eq!(field(r#"{"mtype":"other","data":1}"#), "mtype");
        assert_eq!(field(r#"{"mtype":"invoke","data":{"func":"alert"}}"#), "func");
        assert_eq!(field(r#"{"mtype":"invoke","data":5}"#), "data");
    }

    #[test]
    fn times_have_seven_decimals() {
        assert_eq!(long_time(Timestamp(1_700_000_000_123)), "2023-11-14T22:13:20.1230000Z");
    }
}
