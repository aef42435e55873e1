//! How many there may be: sockets and ids of visitors, records, watches.

use serde_json::json;

use super::{limited, told_when_to_come_back};
use crate::support::Server;

#[tokio::test]
async fn a_visitor_has_so_many_sockets_and_no_more() {
    let server = Server::start();
    let mut pages = Vec::new();
    for tab in 0..64 {
        pages.push(server.page("ada", &format!("t{tab}")).opens().await);
    }
    let closed = server.page("ada", "one-more").greets().await.closed().await;
    assert_eq!((closed.code, closed.word()), (4007, "toomany"));
    // The same tab takes its own place.
    server.page("ada", "t0").opens().await;
}

#[tokio::test]
async fn watches_are_limited_as_the_settings_say() {
    let server =
        Server::with(&[("limits.watches_per_socket", "2"), ("limits.watchers_per_visitor", "1")]);
    let (mut first, mut second) = (server.agent().await, server.agent().await);
    first.watch("ada").await;
    first.watch("bob").await;
    first.refused(json!({"type": "watch", "visitorid": "eve"}), "toomany").await;
    second.refused(json!({"type": "watch", "visitorid": "ada"}), "toomany").await;
    second.watch("eve").await;
}

#[tokio::test]
async fn a_socket_goes_by_so_many_ids_only() {
    let server = Server::with(&[("limits.identities_per_socket", "3")]);
    let mut page = server.page("v0", "t").opens().await;
    for known in ["v1", "v2"] {
        page.ok(json!({"type": "identify", "visitorid": known})).await;
    }
    page.ok(json!({"type": "identify", "visitorid": "v2"})).await;
    page.refused(json!({"type": "identify", "visitorid": "v3"}), "toomany").await;
    assert_eq!(limited(&server, "identity"), 1.0);
    let (_, visitor) = server.rest("GET", "/v1/groups/12345/visitors/v2", None).await;
    assert_eq!(visitor["sockets"], 1, "the page stays who it was");
}

#[tokio::test]
async fn made_up_visitors_fill_no_more_than_their_share_of_memory() {
    let server = Server::with(&[("limits.max_records", "8"), ("server.workers", "1")]);
    let mut pages = Vec::new();
    for visitor in 0..8 {
        pages.push(server.page(&format!("v{visitor}"), "t").opens().await);
    }
    let closed = server.page("one-more", "t").greets().await.closed().await;
    told_when_to_come_back(&closed, 4001, "unready");
    assert_eq!((server.figure("records"), server.figure("records_full_total")), (8.0, 1.0));
    // Who is there already is not shut out: another page of his, or one that comes back.
    server.page("v0", "u").opens().await;
    drop(pages.remove(1));
    pages.push(server.page("v1", "t").opens().await);
    // An agent's look at somebody who is not there makes no record.
    let mut agent = server.agent().await;
    assert_eq!(agent.watch("nobody").await, None);
    // Codes have a bound alike.
    for (number, page) in pages.iter_mut().enumerate() {
        page.ok(json!({"type": "unique"})).await;
        server.comes_to("code_records", (number + 1) as f64).await;
    }
}
