//! What the history has of sessions.

use serde_json::json;

use super::{Client, call};
use crate::support::{Server, Stop, bayeux::server};

#[tokio::test]
async fn the_history_tells_the_pages_of_a_visitors_session() {
    let server = server(&[("cobrowse.code_digits", "9")]);
    let mut page = server.page("ada", "t").opens().await;
    let begun = server.begins_session("ada").await;
    page.enters(&begun.session, "cart").await;
    let _viewer = server.views(&begun.ticket, "w").await;
    page.agrees().await;
    let path = format!("/v1/groups/12345/sessions/{}/code", begun.session);
    let (_, code) = server.rest("POST", &path, None).await;
    let mut controller = Client::new(&server).await;
    let seat = controller.join(code["code"].as_str().unwrap(), 3).await;
    let url = "https://shop.example/pay";
    page.ok(json!({"type": "navigate", "url": url, "title": "Pay"})).await;
    // A page change: another page of the same tab.
    drop(page);
    let mut page = server.page("ada", "t").opens().await;
    page.enters(&begun.session, "thanks").await;
    controller.ask("stop", json!({"userToken": seat["userToken"]})).await;
    let over = controller.hears("deactivated").await;
    let bearer = format!("Bearer {}", Server::token());
    let history = seat["sessionHistoryId"].as_str().unwrap();
    let path = format!("/cobrowse/rest/history/sessions/{history}");
    let past = call(&server, "GET", &path, &[("authorization", &bearer)]).await.body;
    let pages = past["pages"].as_array().unwrap();
    let urls: Vec<_> = pages.iter().map(|page| page["url"].as_str().unwrap()).collect();
    assert_eq!(urls, ["cart", "pay", "thanks"].map(|name| format!("https://shop.example/{name}")));
    let entered: Vec<_> =
        pages.iter().map(|page| page["enteredTimestamp"].as_u64().unwrap()).collect();
    assert!(entered.is_sorted(), "{past}");
    assert!(past["creationTime"].as_u64().unwrap() <= entered[0]);
    assert!(entered[2] <= over["deactivationTime"].as_u64().unwrap());
    assert!(
        pages.iter().all(|page| page["duration"].as_u64().unwrap() <= 10),
        "in seconds: {past}"
    );
    assert_eq!(past["activationTime"], over["activationTime"]);
    // The same from the store, once the server has forgotten the session.
    let server = server.restarted(Stop::Terminate);
    let kept = call(&server, "GET", &path, &[("authorization", &bearer)]).await.body;
    assert_eq!(kept, past);
}
