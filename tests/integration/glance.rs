//! What Glance's REST interface says of input that breaks a rule: the field in the sender's own words (`glance.md` 4 and 5).

use serde_json::{Value, json};

use crate::support::{Server, server::API_KEY};

/// The status, and the field that the detail names first.
async fn refused(request: reqwest::RequestBuilder) -> (u16, String) {
    let answer = request.bearer_auth(Server::token()).send().await.unwrap();
    let status = answer.status().as_u16();
    let failure: Value = answer.json().await.unwrap();
    assert_eq!(failure["error"], "badrequest", "{failure}");
    let (field, rule) = failure["detail"].as_str().unwrap().split_once(": ").unwrap();
    assert!(rule.starts_with("must be ") || rule.starts_with("give "), "{failure}");
    (status, field.to_owned())
}

#[tokio::test]
async fn a_query_that_breaks_a_rule_is_refused_by_the_name_of_its_parameter() {
    let server = Server::start();
    let client = reqwest::Client::new();
    for (query, field) in [
        ("groupid=x&visitorid=ada", "groupid"),
        ("groupid=&visitorid=ada", "groupid"),
        ("group=x&visitorid=ada", "group"),
        ("groupid=12345&visitorid=a%20b", "visitorid"),
        ("groupid=12345&uniqueid=12a", "uniqueid"),
        ("groupid=12345&visitorid=ada&uniqueid=123456", "visitorid"),
        ("groupid=12345", "visitorid"),
    ] {
        for path in ["lookupvisitor", "findvisitor"] {
            let url = format!("http://{}/{path}?{query}", server.address());
            assert_eq!(refused(client.get(url)).await, (400, field.to_owned()), "{path} {query}");
        }
        let url = format!("http://{}/signalvisitor?{query}", server.address());
        let signal = json!({"mtype": "signal", "data": 1});
        let named = refused(client.post(url).json(&signal)).await;
        assert_eq!(named, (400, field.to_owned()), "{query}");
    }
}

#[tokio::test]
async fn a_user_who_cannot_be_named_in_a_token_is_refused_by_his_field() {
    let server = Server::start();
    let url = format!("http://{}/authorization", server.address());
    let client = reqwest::Client::new();
    for user in ["".to_owned(), "x".repeat(256), "a\nb".to_owned()] {
        let body = json!({"groupid": 12345, "username": user, "password": API_KEY});
        let named = refused(client.post(&url).json(&body)).await;
        assert_eq!(named, (400, "username".to_owned()), "{user:?}");
    }
}
