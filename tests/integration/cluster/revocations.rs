//! A token that is revoked on one node is believed on none.

use serde_json::json;

use crate::support::{
    Server,
    mint::{Signing, claims, now},
    server::GROUP,
    until,
};

const ROUTE: &str = "/v1/groups/12345/revocations";

fn token(subject: &str) -> String {
    Signing::of_the_tests().sign(&claims(json!({"sub": subject, "jti": subject})))
}

fn operator() -> String {
    let changes = json!({"sub": "root", "jti": "root", "group": GROUP, "scope": "operate",
        "iat": now() + 4});
    Signing::of_the_tests().sign(&claims(changes))
}

async fn status(node: &Server, token: &str) -> u16 {
    node.rest_as(token, "GET", "/v1/groups/12345/visitors", None, &[]).await.0
}

#[tokio::test]
async fn a_token_that_is_revoked_on_one_node_is_believed_on_none() {
    let Some([first, second]) = Server::nodes() else { return };
    let (stolen, other) = (token("ada"), token("bob"));
    let mut socket = second.agent_with(&stolen).await;
    let wish = json!({"subject": "ada"});
    let (made, revocation) = first.rest_as(&operator(), "POST", ROUTE, Some(wish), &[]).await;
    assert_eq!(made, 201, "{revocation}");
    assert_eq!(socket.closed().await.word(), "revoked");
    let third = second.another_node();
    for node in [&first, &second, &third] {
        assert_eq!((status(node, &stolen).await, status(node, &other).await), (401, 200));
    }
    // Taken back on another node than the one where it was made.
    let path = format!("{ROUTE}/{}", revocation["id"].as_str().unwrap());
    assert_eq!(third.rest_as(&operator(), "DELETE", &path, None, &[]).await.0, 200);
    for node in [&first, &second, &third] {
        until("the token's return", || node.figure("revocations") == 0.0).await;
        assert_eq!(status(node, &stolen).await, 200);
    }
    let fourth = first.another_node();
    assert_eq!(status(&fourth, &stolen).await, 200, "what is taken back stays so");
}
