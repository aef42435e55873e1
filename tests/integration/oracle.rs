//! The script of `oracle.md` 5, as it is served. What it does in a page is tested in a browser.

use crate::support::Server;

struct Script {
    status: u16,
    text: String,
    tag: String,
}

async fn launcher(server: &Server, query: &str) -> Script {
    let address = format!("http://{}/cobrowse/launcher.js{query}", server.address());
    let answer = reqwest::get(address).await.unwrap();
    let tag = answer.headers().get("etag").map(|tag| tag.to_str().unwrap().to_owned());
    let status = answer.status().as_u16();
    Script { status, text: answer.text().await.unwrap(), tag: tag.unwrap_or_default() }
}

const SITE: &[(&str, &str)] = &[
    ("groups.0.cobrowse.site_code", "SC12345678:EU:1"),
    ("groups.0.cobrowse.launch", "#help"),
    ("groups.0.cobrowse.terms", "Say \"yes\"."),
];

#[tokio::test]
async fn the_script_knows_the_site_that_its_address_names() {
    let server = Server::with(SITE);
    let first = launcher(&server, "?groupid=12345").await;
    let site = r##"{"group":"12345","siteCode":"SC12345678:EU:1","launch":"#help","terms":"Say \"yes\"."}"##;
    assert_eq!(first.status, 200);
    assert!(first.text.contains(site), "{}", first.text.split("group").last().unwrap());
    assert!(!first.text.contains("{{site}}"));
    for query in ["?GroupID=12345&lang=de&version=EDGE", "?lang=1031&group=12345"] {
        let same = launcher(&server, query).await;
        assert_eq!((same.text, same.tag), (first.text.clone(), first.tag.clone()), "{query}");
    }
    // Another group has its own, with a tag of its own.
    let other = launcher(&server, "?groupid=777").await;
    assert!(other.text.contains(r#"{"group":"777","siteCode":"777","launch":"button"}"#));
    assert_ne!(other.tag, first.tag);
}

#[tokio::test]
async fn no_group_and_unknown_groups_are_refused_with_a_reason() {
    let server = Server::start();
    for (query, status, code, field) in [
        ("", 400, "badrequest", Some("groupid")),
        ("?groupid=ada", 400, "badrequest", Some("groupid")),
        ("?groupid=999", 404, "notfound", None),
    ] {
        let script = launcher(&server, query).await;
        let problem: serde_json::Value = serde_json::from_str(&script.text).unwrap();
        assert_eq!((script.status, &problem["code"]), (status, &code.into()), "{query}");
        assert_eq!(problem["field"].as_str(), field, "{query}");
    }
    let server = Server::with(&[("facades.default_group", "777")]);
    assert!(launcher(&server, "").await.text.contains(r#"{"group":"777""#));
    let server = Server::with(&[("facades.oracle", "false")]);
    assert_eq!(launcher(&server, "?groupid=12345").await.status, 404);
}
