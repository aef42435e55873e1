//! What every answer tells browsers: each route of the sources is asked, and so are errors, pages and scripts.

use std::collections::HashMap;

use crate::support::{Server, routes::of_the_sources};

/// The routes of the sources, with something in the place of each parameter.
fn routes() -> Vec<(String, String)> {
    of_the_sources().into_iter().map(|(method, path)| (method, filled(&path))).collect()
}

/// `/a/{id}` as `/a/1`.
fn filled(path: &str) -> String {
    let mut filled = String::new();
    let mut rest = path;
    while let Some((before, after)) = rest.split_once('{') {
        let (name, after) = after.split_once('}').unwrap();
        let value = match name {
            "group" => "12345",
            name if name.ends_with(".js") => "visitor.js",
            _ => "1",
        };
        filled.extend([before, value]);
        rest = after;
    }
    filled + rest
}

struct Answer {
    status: u16,
    headers: HashMap<String, String>,
    body: String,
}

fn ask(server: &Server, method: &str, path: &str, more: &str) -> Answer {
    let address = server.address();
    raw(
        server,
        &format!("{method} {path} HTTP/1.1\r\nhost: {address}\r\n{more}connection: close\r\n\r\n"),
    )
}

fn raw(server: &Server, request: &str) -> Answer {
    let answer = server.exchange_whole(request).unwrap();
    let (head, body) =
        answer.split_once("\r\n\r\n").unwrap_or_else(|| panic!("{request}: {answer}"));
    let mut lines = head.lines();
    let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
    let pairs = lines.filter_map(|line| line.split_once(": "));
    let headers = pairs.map(|(name, value)| (name.to_lowercase(), value.to_owned())).collect();
    Answer { status, headers, body: body.to_owned() }
}

/// The rules that hold for every answer of the application.
fn check(what: &str, answer: &Answer) {
    let header = |name: &str| {
        let found = answer.headers.get(name);
        found.unwrap_or_else(|| panic!("{what}: no {name} in {:?}", answer.headers)).as_str()
    };
    let policy = header("content-security-policy");
    // What a visitor's page looks like stands in its elements too; the watch page shows that, and runs none of it.
    let watching = ["GET /watch/ by", "GET /watch/1 by", "GET /cobrowse/slave.html by"];
    let watches = watching.iter().any(|page| what.starts_with(page));
    let policy = if watches {
        let rest = policy.replace("style-src 'self' 'unsafe-inline';", "");
        assert!(policy.contains("script-src 'self';") && policy.contains("form-action 'none'"));
        rest
    } else {
        policy.to_owned()
    };
    // A frame for nobody's pages says so to whoever holds it; `channelme` tests the others.
    let policy = match policy.strip_suffix("frame-ancestors *") {
        Some(rest) if what.starts_with("GET /site_connect/frame by") => {
            format!("{rest}frame-ancestors 'none'")
        }
        _ => policy,
    };
    for forbidden in ["unsafe-inline", "unsafe-eval", "*", "http:", "https:"] {
        assert!(!policy.contains(forbidden), "{what}: {policy}");
    }
    assert!(policy.starts_with("default-src 'none'") || policy.starts_with("default-src 'self'"));
    assert!(policy.contains("frame-ancestors 'none'"), "{what}: {policy}");
    assert!(policy.contains("base-uri 'none'"), "{what}: {policy}");
    assert_eq!(header("x-content-type-options"), "nosniff", "{what}");
    assert_eq!(header("referrer-policy"), "same-origin", "{what}");
    assert_eq!(header("cross-origin-opener-policy"), "same-origin", "{what}");
    assert!(header("permissions-policy").contains("camera=()"), "{what}");
    assert!(["same-origin", "cross-origin"].contains(&header("cross-origin-resource-policy")));
    let caching = header("cache-control");
    let is_public =
        what.starts_with("GET /.well-known/jwks.json") && caching == "public, max-age=300";
    assert!(
        ["no-store", "no-cache", "public, max-age=0, must-revalidate"].contains(&caching)
            || caching.contains("no-store")
            || is_public,
        "{what}: {caching}"
    );
    assert!(answer.status < 400 || caching == "no-store", "{what}: an error that caches keep");
    assert!(!answer.headers.contains_key("strict-transport-security"), "{what}: HSTS without TLS");
    assert!(!answer.headers.contains_key("server"), "{what}");
    assert!(!answer.headers.contains_key("set-cookie"), "{what}");
}

#[test]
fn every_route_answers_with_them() {
    let server = Server::start();
    let routes = routes();
    assert!(routes.len() >= 20, "{routes:?}");
    let refused = format!("authorization: Bearer {}\r\n", Server::token_of("777", "read", 60));
    for (method, path) in &routes {
        for (who, more) in [("nobody", ""), ("another group's agent", refused.as_str())] {
            check(&format!("{method} {path} by {who}"), &ask(&server, method, path, more));
        }
    }
    for (method, path, more, status) in [
        ("GET", "/nowhere", "", 404),
        ("GET", "/demo/nowhere", "", 404),
        ("GET", "/pages/nowhere.css", "", 404),
        ("GET", "/sdk/nowhere.js", "", 404),
        ("DELETE", "/v1/tokens", "", 405),
        ("HEAD", "/nowhere", "", 404),
        ("GET", "/v1/groups/12345/visitors", "", 401),
        ("POST", "/v1/tokens", "content-type: application/json\r\ncontent-length: 0\r\n", 401),
        (
            "OPTIONS",
            "/v1/tokens",
            "origin: https://desk.example\r\naccess-control-request-method: POST\r\n",
            200,
        ),
        (
            "OPTIONS",
            "/v1/tokens",
            "origin: https://evil.example\r\naccess-control-request-method: POST\r\n",
            400,
        ),
    ] {
        let answer = ask(&server, method, path, more);
        assert_eq!(answer.status, status, "{method} {path}: {}", answer.body);
        check(&format!("{method} {path}"), &answer);
    }
}

/// A page runs only what this server serves, from files: nothing stands in its HTML that a policy would have to allow.
#[test]
fn pages_hold_no_script_and_no_style_of_their_own() {
    let server = Server::start();
    for path in ["/", "/docs", "/demo/", "/demo/agent", "/demo/cart", "/demo/mug", "/demo/spa/a"] {
        let page = ask(&server, "GET", path, "");
        check(path, &page);
        assert_eq!(page.status, 200, "{path}");
        assert_eq!(page.headers["cache-control"], "no-cache", "{path} may use the page cache");
        assert!(page.headers["content-security-policy"].starts_with("default-src 'self'; "));
        assert!(page.headers["content-type"].starts_with("text/html"), "{path}");
        for forbidden in ["<style", " style=", " onclick=", " onload=", " onsubmit=", "javascript:"]
        {
            assert!(!page.body.contains(forbidden), "{path} has {forbidden}");
        }
        for script in page.body.split("<script").skip(1) {
            let (attributes, content) = script.split_once('>').unwrap();
            assert!(attributes.contains("src="), "{path}: {attributes}");
            assert!(content.trim_start().starts_with("</script>"), "{path}: {content}");
        }
    }
}

/// Customers' pages load these from another origin, with `Cross-Origin-Embedder-Policy: require-corp` too.
#[test]
fn scripts_are_for_every_origin_and_nothing_else_is() {
    let server = Server::start();
    for (path, policy) in [
        ("/sdk/visitor.js", "cross-origin"),
        ("/sdk/visitor.classic.js", "cross-origin"),
        ("/sdk/agent.js", "cross-origin"),
        ("/cobrowse/CobrowseJS.ashx?groupid=12345&script=PresenceVisitor", "cross-origin"),
        ("/cobrowse/CobrowseJS.ashx?groupid=12345&script=PresenceAgent", "cross-origin"),
        ("/cobrowse/launcher.js?groupid=12345", "cross-origin"),
        ("/cobrowse/panel.js", "cross-origin"),
        ("/", "same-origin"),
        ("/metrics", "same-origin"),
        ("/openapi.json", "same-origin"),
    ] {
        let answer = ask(&server, "GET", path, "");
        assert_eq!(answer.status, 200, "{path}");
        check(path, &answer);
        assert_eq!(answer.headers["cross-origin-resource-policy"], policy, "{path}");
        let allowed = answer.headers.get("access-control-allow-origin").map(String::as_str);
        assert_eq!(allowed == Some("*"), policy == "cross-origin", "{path}: {allowed:?}");
        if policy == "cross-origin" {
            assert!(answer.headers["content-type"].contains("javascript"), "{path}");
            let tag = format!("if-none-match: {}\r\n", answer.headers["etag"]);
            let again = ask(&server, "GET", path, &tag);
            assert_eq!(again.status, 304, "{path}");
            check(path, &again);
        }
    }
}

/// Refusals of upgrades are written without the application, and say as much as an empty answer needs.
#[test]
fn refused_upgrades_are_not_kept_either() {
    let server = Server::start();
    for (path, status) in [("/nowhere", 404), ("/v1/visitor?group=12345", 426)] {
        let answer = raw(
            &server,
            &format!(
                "GET {path} HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n"
            ),
        );
        assert_eq!((answer.status, answer.body.as_str()), (status, ""), "{path}");
        assert_eq!(answer.headers["cache-control"], "no-store");
        assert_eq!(answer.headers["x-content-type-options"], "nosniff");
    }
}
