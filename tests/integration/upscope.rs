//! Upscope's REST interface (`upscope.md` 3 to 5), over the real server.

mod scene;

use serde_json::{Value, json};

use self::scene::{ann, call, of_ada};
use crate::support::{
    Server,
    server::{API_KEY, DESK},
};

#[tokio::test]
async fn every_path_wants_a_key_of_a_group_in_any_of_its_forms() {
    let server = Server::with(&[("limits.guesses_per_minute", "100000")]);
    let _page = server.page("ada", "t").opens().await;
    let body = Some(json!({"agent": ann()}));
    let mut paths = Vec::new();
    for prefix in ["/v1.1", "/v1.2", "/v1.3", "/api"] {
        for end in ["", ".json"] {
            paths.extend([
                ("GET", format!("{prefix}/list{end}"), None),
                ("GET", format!("{prefix}/visitors/ada{end}"), None),
                ("POST", format!("{prefix}/visitors/ada/watch_url{end}"), body.clone()),
                ("DELETE", format!("{prefix}/visitors/ada/session{end}"), None),
                ("DELETE", format!("{prefix}/visitors/ada{end}"), None),
                ("DELETE", format!("{prefix}/visitors{end}?all=true"), None),
            ]);
        }
        paths.extend([
            ("GET", format!("{prefix}/visitors/list/latest"), None),
            ("GET", format!("{prefix}/visitors/list/search?q=ada"), None),
        ]);
    }
    let bearer = format!("Bearer {API_KEY}");
    for (method, path, body) in &paths {
        let ask = async |headers: &[(&str, &str)]| {
            call(&server, (method, path), headers, body.clone()).await
        };
        for right in
            [("x-api-key", API_KEY), ("authorization", API_KEY), ("authorization", &bearer)]
        {
            let (status, answer) = ask(&[right]).await;
            assert_eq!(status, 200, "{method} {path} {right:?}: {answer}");
        }
        let refused = json!({"status": "error", "error": "invalid_api_key"});
        let token = format!("Bearer {}", Server::token());
        let wrong: [&[(&str, &str)]; 4] = [
            &[],
            &[("x-api-key", "another-key-of-the-same-length")],
            &[("authorization", &token)],
            &[("x-api-key", API_KEY), ("origin", "https://evil.example")],
        ];
        for headers in wrong {
            let (status, mut answer) = ask(headers).await;
            answer.as_object_mut().unwrap().remove("message");
            assert_eq!((status, &answer), (401, &refused), "{method} {path} {headers:?}");
        }
    }
    // The key of another group sees its own people only.
    let other = [("x-api-key", "an-api-key-of-the-other-group")];
    let (status, _) = call(&server, ("GET", "/v1.3/visitors/ada"), &other, None).await;
    assert_eq!(status, 404);
    let from_desk = [("x-api-key", API_KEY), ("origin", DESK)];
    assert_eq!(call(&server, ("GET", "/v1.3/list"), &from_desk, None).await.0, 200);
}

/// What a browser asks before a page of a desk may send the key in the header that is documented.
#[tokio::test]
async fn a_page_of_a_desk_may_send_the_key() {
    let server = Server::start();
    for (origin, is_ours) in [(DESK, true), ("https://evil.example", false)] {
        let url = format!("http://{}/v1.3/list", server.address());
        let asked = reqwest::Client::new().request(reqwest::Method::OPTIONS, url);
        let asked = asked.header("origin", origin).header("access-control-request-method", "GET");
        let asked = asked.header("access-control-request-headers", "x-api-key");
        let answer = asked.send().await.unwrap();
        let allowed = answer.headers().get("access-control-allow-headers");
        let allows = allowed.is_some_and(|names| names.to_str().unwrap().contains("x-api-key"));
        let named = answer.headers().get("access-control-allow-origin").is_some();
        assert_eq!(allows && named, is_ours, "{origin}: {:?}", answer.headers());
    }
}

#[tokio::test]
async fn wrong_keys_are_limited_and_a_service_without_keys_says_so() {
    let server = Server::with(&[("limits.guesses_per_minute", "3")]);
    let wrong = [("x-api-key", "wrong")];
    for expected in [401, 401, 401, 429] {
        let (status, answer) = call(&server, ("GET", "/v1.3/list"), &wrong, None).await;
        assert_eq!(status, expected, "{answer}");
    }
    let (status, answer) = server.upscope("GET", "/v1.3/list", None).await;
    assert_eq!((status, &answer["error"]), (429, &json!("too_many_requests")));

    let without = crate::support::server::SETTINGS
        .lines()
        .filter(|line| !line.starts_with("api_keys"))
        .collect::<Vec<_>>()
        .join("\n");
    let server = Server::of(&without, &[]);
    let (status, answer) = server.upscope("GET", "/v1.3/list", None).await;
    assert_eq!((status, &answer["error"]), (401, &json!("api_not_enabled")));
}

#[tokio::test]
async fn each_word_of_a_search_finds_what_it_means() {
    let server = Server::start();
    let _ada = server.page("ada", "t").telling(of_ada()).opens().await;
    let _bob = server
        .page("bob", "t")
        .telling(json!({"tags": r##"["#VIPS"]"##, "note": "customer-7 crm:42"}))
        .opens()
        .await;
    for (search, found) in [
        ("", vec!["bob", "ada"]),
        ("online", vec!["bob", "ada"]),
        ("-online", vec![]),
        ("id:customer-7", vec!["ada"]),
        ("id:bob", vec!["bob"]),
        ("id:customer", vec![]),
        ("#VIP", vec!["ada"]),
        ("#vip online", vec!["ada"]),
        ("#VI", vec![]),
        ("integration_id:crm:42", vec!["ada"]),
        ("integration_id:crm:4", vec![]),
        ("ada@example.com", vec!["ada"]),
        ("eve@example.com", vec![]),
        ("lovelace", vec!["ada"]),
        ("LOVELACE cart", vec!["ada"]),
        ("customer-7", vec!["bob", "ada"]),
        ("nobody", vec![]),
    ] {
        assert_eq!(server.finds(search).await, found, "{search}");
    }
    for (query, count) in [("max_results=1", 1), ("max_results=2", 2), ("max_results=100000", 2)] {
        let (_, list) = server.upscope("GET", &format!("/v1.3/list?{query}"), None).await;
        assert_eq!(list["visitors"].as_array().unwrap().len(), count, "{query}");
    }
    let long = "x".repeat(257);
    for (query, field) in [
        ("max_results=0", "max_results"),
        ("max_results=x", "max_results"),
        (&format!("search={long}"), "search"),
        (&format!("q={long}"), "q"),
        // The other one would count; this one is not let in for all that.
        (&format!("search=ada&q={long}"), "q"),
    ] {
        let (status, answer) = server.upscope("GET", &format!("/v1.3/list?{query}"), None).await;
        assert_eq!((status, &answer["error"]), (400, &json!("invalid_parameters")), "{query}");
        assert!(answer["message"].as_str().unwrap().starts_with(field), "{answer}");
    }
    let (_, list) = server.upscope("GET", "/api/visitors/list/search?q=%23VIP", None).await;
    assert_eq!(list["visitors"][0]["short_id"], "ada");
}

#[tokio::test]
async fn addresses_are_shown_and_found_where_the_group_wants_that_only() {
    for (wanted, found) in [("false", vec![]), ("true", vec!["ada"])] {
        let server = Server::with(&[("groups.0.addresses", wanted)]);
        let _page = server.page("ada", "t").opens().await;
        assert_eq!(server.finds("ip:127.0.0.1").await, found);
        assert_eq!(server.finds("ip:127.0.0.2").await, [""; 0]);
        let (_, visitor) = server.upscope("GET", "/v1.3/visitors/ada", None).await;
        let address = found.first().map(|_| "127.0.0.1");
        assert_eq!(visitor["visitor"]["ip_address"], json!(address), "{visitor}");
    }
}

#[tokio::test]
async fn a_short_code_leads_to_its_visitor_and_guesses_are_limited() {
    let server = Server::with(&[("limits.guesses_per_minute", "6")]);
    let mut ada = server.page("ada", "t").opens().await;
    let mut bob = server.page("bob", "t").opens().await;
    let asked = json!({"type": "unique", "lookup": true});
    let code = async |page: &mut crate::support::client::Socket| {
        let ok = page.ok(asked.clone()).await;
        assert!((3_590..=3_600).contains(&ok["seconds"].as_u64().unwrap()), "{ok}");
        ok["uniqueid"].as_str().unwrap().to_owned()
    };
    let (of_ada, of_bob) = (code(&mut ada).await, code(&mut bob).await);
    assert_eq!(of_ada.len(), 4);
    assert_ne!(of_ada, of_bob);
    assert_eq!(code(&mut ada).await, of_ada, "asked again, the same, and no fresh guess");
    let (_, visitor) = server.upscope("GET", "/v1.3/visitors/ada", None).await;
    assert_eq!(visitor["visitor"]["lookup_code"], of_ada);
    assert_eq!(server.finds(&of_ada).await, ["ada"]);
    assert_eq!(server.finds(&format!("-online {of_ada}")).await, [""; 0]);
    assert_eq!(server.finds(&format!("#VIP {of_ada}")).await, [""; 0]);
    assert_eq!(server.finds(&format!("{of_ada} ADA")).await, ["ada"]);
    assert_eq!(server.finds(&format!("{of_ada} bob")).await, [""; 0], "all words must fit");
    // Two codes were drawn; of the guesses count those that are wrong.
    let wrong = ["0000", "0001", "0002", "0003"]
        .into_iter()
        .find(|code| ![&*of_ada, &of_bob].contains(code));
    for _ in 0..4 {
        assert_eq!(server.finds(wrong.unwrap()).await, [""; 0]);
    }
    let path = format!("/v1.3/list?search={of_ada}");
    let (status, answer) = server.upscope("GET", &path, None).await;
    assert_eq!((status, &answer["error"]), (429, &json!("too_many_requests")));
    let mut eve = server.page("eve", "t").opens().await;
    eve.refused(asked, "ratelimited").await;
}

#[tokio::test]
async fn a_visitor_and_his_past_sessions_read_as_documented() {
    let server = Server::start();
    let mut page = server.page("ada", "t").telling(of_ada()).opens().await;
    let link = server.watch_url("ada", json!({"agent": ann(), "metadata": {"case": 7}})).await;
    let mut viewer = server.views(&link, "w").await;
    let session = viewer.welcome["session"].as_str().unwrap().to_owned();
    page.enters(&session, "cart").await;
    let (_, running) = server.upscope("GET", "/v1.2/visitors/ada.json", None).await;
    let ada = &running["visitor"];
    for (field, expected) in [
        ("_type", json!("visitor")),
        ("short_id", json!("ada")),
        ("unique_id", json!("customer-7")),
        ("identities", json!(["Ada Lovelace", "ada@example.com"])),
        ("tags", json!(["#VIP", "#BETA"])),
        ("email", json!("ada@example.com")),
        ("is_online", json!(true)),
        ("is_in_session", json!(true)),
        ("last_url", json!("https://shop.example/cart")),
        ("browser_name", json!("Chrome")),
        ("device_type", json!("desktop")),
        ("ip_address", Value::Null),
        ("sessions", json!([])),
    ] {
        assert_eq!(ada[field], expected, "{field}: {running}");
    }
    let (_, list) = server.upscope("GET", "/v1.3/list", None).await;
    assert_eq!(list["visitors"][0]["is_in_session"], true);

    for _ in 0..2 {
        let (status, ended) = server.upscope("DELETE", "/v1.3/visitors/ada/session", None).await;
        assert_eq!((status, ended), (200, json!("ok")), "also when there is none");
    }
    assert_eq!(viewer.told("ended").await["reason"], "controller");
    let (_, over) = server.upscope("GET", "/v1.3/visitors/ada", None).await;
    assert_eq!(over["visitor"]["is_in_session"], false);
    let past = &over["visitor"]["sessions"][0];
    assert_eq!((&past["id"], &past["metadata"]), (&json!(session), &json!({"case": 7})), "{over}");
    let agent = json!({"_type": "external_agent", "id": "agent-7", "name": "Ann", "agent_identifier": "agent-7"});
    assert_eq!(past["agents"], json!([agent]));
    let (status, answer) = server.upscope("GET", "/v1.3/visitors/nobody", None).await;
    assert_eq!((status, &answer["error"]), (404, &json!("not_found")));
}

#[tokio::test]
async fn a_link_carries_the_agent_and_what_he_may_do_and_never_more() {
    let server = Server::start();
    let mut page = server.page("ada", "t").opens().await;
    let permissions = json!({"allow_draw": false, "allow_click": false, "allow_console": true, "allow_audio": true});
    let branding = json!({"naked": "page_only", "retry_url": "https://desk.example/again", "on_end_url": "https://desk.example/done"});
    let body = json!({"agent": ann(), "permissions": permissions, "branding": branding, "webhook_url": "https://x.example"});
    let link = server.watch_url("ada", body).await;
    let viewer = server.views(&link, "w").await;
    let allowed = json!({"point": true, "draw": false, "control": false});
    assert_eq!(viewer.welcome["permissions"], allowed);
    let session = page.hear_a("session").await["session"].as_str().unwrap().to_owned();
    let entered = page.enters(&session, "cart").await;
    assert_eq!(entered["members"][0]["name"], "Ann");
    // Whoever calls back his agents' tokens ends what they see by links, too.
    let revoked = json!({"subject": "agent-7"});
    let operator = Server::token_of("12345", "operate", 60);
    let path = "/v1/groups/12345/revocations";
    let (status, _) = server.rest_as(&operator, "POST", path, Some(revoked), &[]).await;
    assert!(status < 300, "{status}");
    let mut viewer = viewer;
    assert_eq!(viewer.closed().await.word(), "revoked");
}

#[tokio::test]
async fn a_body_that_breaks_a_rule_is_refused_by_the_name_of_its_field() {
    let server = Server::start();
    let _page = server.page("ada", "t").opens().await;
    let refused = async |visitor: &str, body: Value| {
        let path = format!("/v1.3/visitors/{visitor}/watch_url");
        let (status, answer) = server.upscope("POST", &path, Some(body)).await;
        assert_eq!(answer["status"], "error", "{answer}");
        let message = answer["message"].as_str().unwrap_or_default();
        (status, message.split(": ").next().unwrap_or_default().to_owned())
    };
    for (body, field) in [
        (json!({}), "body"),
        (json!({"agent": {"id": "", "name": "A"}}), "agent.id"),
        (json!({"agent": {"id": "x".repeat(256), "name": "A"}}), "agent.id"),
        (json!({"agent": {"id": "a", "name": "x".repeat(256)}}), "agent.name"),
        (json!({"agent": {"id": "a"}}), "agent"),
        (
            json!({"agent": ann(), "branding": {"on_end_url": "javascript:alert(1)"}}),
            "branding.on_end_url",
        ),
        (json!({"agent": ann(), "branding": {"naked": "half"}}), "branding.naked"),
        (json!({"agent": ann(), "metadata": {"deep": {}}}), "metadata.deep"),
        (json!({"agent": ann(), "permissions": {"allow_draw": "no"}}), "permissions.allow_draw"),
        (json!({"agent": ann(), "parent_origin": "https://evil.example"}), "parent_origin"),
    ] {
        let (status, named) = refused("ada", body.clone()).await;
        assert_eq!((status, named.as_str()), (400, field), "{body}");
    }
    assert_eq!(refused("nobody", json!({"agent": ann()})).await.0, 404);
    let unnamed = refused("a%20b", json!({"agent": ann()})).await;
    assert_eq!(unnamed, (400, "short_id".to_owned()));
    let nulls = json!({"agent": {"id": 7, "name": ""}, "branding": null, "metadata": null, "permissions": null});
    server.watch_url("ada", nulls).await;
    let (status, answer) = server.upscope("DELETE", "/v1.3/visitors", None).await;
    assert_eq!((status, &answer["error"]), (400, &json!("invalid_parameters")));
}

#[tokio::test]
async fn the_interface_can_be_switched_off() {
    let server = Server::with(&[("facades.upscope", "false")]);
    for path in ["/v1.3/list", "/api/visitors/list/latest", "/cobrowse", "/sdk/upscope.js"] {
        assert_eq!(server.upscope("GET", path, None).await.0, 404, "{path}");
    }
}

/// The rows of the page's table of paths: each path, and what is said of it.
fn table() -> Vec<(String, String)> {
    let page = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/compatibility.md");
    let page = std::fs::read_to_string(page).unwrap();
    let (_, table) = page.split_once("\n| path | here | remark |\n").unwrap();
    let rows = table.split("\n\n").next().unwrap().lines().skip(1);
    rows.flat_map(|row| {
        let mut cells = row.trim_start_matches("| ").split(" | ");
        let (paths, here) = (cells.next().unwrap(), cells.next().unwrap().trim().to_owned());
        let paths: Vec<_> = paths.split('`').skip(1).step_by(2).map(str::to_owned).collect();
        paths.into_iter().map(move |path| (path, here.clone()))
    })
    .collect()
}

#[tokio::test]
async fn what_the_compatibility_page_says_of_paths_is_so() {
    let server = Server::start();
    let table = table();
    assert_eq!(table.len(), 11, "{table:?}");
    for (row, here) in table {
        let (method, path) = row.split_once(' ').unwrap();
        let path = format!("/v1.3{}", path.replace("{short_id}", "nobody"));
        let (_, answer) = server.upscope(method, &path, None).await;
        let is_there = answer == "ok" || answer["status"].is_string();
        assert_eq!(is_there, here != "missing", "{row}: {answer}");
    }
}
