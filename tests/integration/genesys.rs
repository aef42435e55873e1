//! The interface of `genesys.md` for agents' desktops, by its REST calls and its Bayeux channels.

use std::{net::SocketAddr, time::Duration};

use serde_json::{Value, json};

use crate::support::{
    Server, Stop,
    bayeux::{Polling, server},
    server::DESK,
    soon, until,
};

mod history;
mod nodes;
mod seats;
mod trust;

const LIVE: &str = "/cobrowse/rest/live";

struct Called {
    status: u16,
    headers: reqwest::header::HeaderMap,
    body: Value,
}

async fn call(server: &Server, method: &str, path: &str, headers: &[(&str, &str)]) -> Called {
    call_at(server.address(), method, path, headers).await
}

async fn call_at(
    address: SocketAddr,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
) -> Called {
    let url = format!("http://{address}{path}");
    let mut request = reqwest::Client::new().request(method.parse().unwrap(), url);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let answer = request.send().await.unwrap();
    let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
    let body = answer.json().await.unwrap_or_default();
    Called { status, headers, body }
}

/// A client that keeps what it was told besides answers.
struct Client {
    polling: Polling,
    told: Vec<Value>,
}

impl Client {
    async fn new(server: &Server) -> Self {
        Self::with(server, json!({})).await
    }

    async fn with(server: &Server, ext: Value) -> Self {
        Self { polling: Polling::connected(server, ext).await, told: Vec::new() }
    }

    /// Publishes: the answer on the same channel, if there is one, and the acknowledgement.
    async fn ask(&mut self, what: &str, data: Value) -> (Value, Value) {
        let channel = format!("/service/session/{what}");
        let mut messages = self.polling.publish(&channel, data).await;
        let acknowledgement = messages.pop().unwrap();
        assert_eq!(acknowledgement["channel"], channel);
        assert!(acknowledgement.get("data").is_none());
        let own = messages.iter().position(|message| message["channel"] == channel);
        let answer = own.map_or(Value::Null, |at| messages.remove(at));
        assert!(answer.get("id").is_none(), "clients drop service messages that have an id");
        self.told.extend(messages);
        (answer["data"].clone(), acknowledgement)
    }

    async fn join(&mut self, token: &str, role: u64) -> Value {
        let wish = json!({"sessionToken": token, "role": role, "name": format!("role {role}")});
        let (joined, acknowledgement) = self.ask("join", wish).await;
        assert_eq!(acknowledgement["successful"], true, "{acknowledgement}");
        joined
    }

    /// What is told next on this channel.
    async fn hears(&mut self, what: &str) -> Value {
        let channel = format!("/service/session/{what}");
        loop {
            if let Some(at) = self.told.iter().position(|message| message["channel"] == channel) {
                return self.told.remove(at)["data"].clone();
            }
            let messages = self.polling.connect(json!({})).await;
            assert_eq!(messages.last().unwrap()["successful"], true, "{messages:?}");
            let events = messages.into_iter().filter(|message| message.get("data").is_some());
            self.told.extend(events);
        }
    }
}

async fn new_session(server: &Server) -> String {
    let created = call(server, "POST", &format!("{LIVE}/sessions"), &[]).await;
    assert_eq!(created.status, 200, "{}", created.body);
    created.body["sessionToken"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_session_from_its_creation_to_its_history() {
    let server = server(&[]);
    let created = call(&server, "POST", &format!("{LIVE}/sessions"), &[("origin", DESK)]).await;
    let token = created.body["sessionToken"].as_str().unwrap().to_owned();
    assert!(token.len() == 9 && !token.starts_with('0') && token.parse::<u32>().is_ok(), "{token}");
    let name = created.body["sessionServerName"].as_str().unwrap();
    assert_eq!(created.headers["set-cookie"], format!("gcbSessionServer={name}; Path=/"));
    assert_eq!(created.headers["gcbsessionserver"], name);
    assert_eq!(created.headers["access-control-allow-credentials"], "true");
    assert_eq!(created.headers["access-control-allow-origin"], DESK);
    let exposed = created.headers["access-control-expose-headers"].to_str().unwrap();
    assert!(exposed.contains("gcbsessionserver"), "{exposed}");
    let path = format!("{LIVE}/sessions/{token}");
    let found = call(&server, "GET", &path, &[("referer", &format!("{DESK}/page?x"))]).await;
    assert_eq!(found.body, json!({"sessionToken": token, "sessionServerName": name}));

    let mut customer = Client::new(&server).await;
    let first = customer.join(&token, 1).await;
    assert_eq!(first["users"], json!([]));
    let mut controller = Client::new(&server).await;
    let seat = controller.join(&token, 3).await;
    assert!(seat["userId"].is_number());
    let users = json!([{"userId": first["userId"].to_string(), "role": 1, "name": ""}]);
    assert_eq!(seat["users"], users);
    assert_eq!(seat["sessionHistoryId"], first["sessionHistoryId"]);
    let joined = json!({"userId": seat["userId"].to_string(), "role": 3, "name": "role 3"});
    assert_eq!(customer.hears("joined").await, joined);
    assert!(customer.told.is_empty(), "a controller does not activate: {:?}", customer.told);

    let mut agent = Client::new(&server).await;
    agent.join(&token, 2).await;
    let activated = customer.hears("activated").await;
    assert!(activated["activationTime"].as_u64().unwrap() > 1_000_000_000_000);
    for other in [&mut controller, &mut agent] {
        assert_eq!(other.hears("activated").await, activated, "one time for all");
    }
    assert_eq!(controller.hears("joined").await["role"], 2);
    assert_eq!(customer.hears("joined").await["role"], 2);
    // A second agent, or customer, is one too many.
    for role in [1, 2] {
        let wish = json!({"sessionToken": token, "role": role.to_string()});
        let (nothing, refused) = Client::new(&server).await.ask("join", wish).await;
        assert_eq!((nothing, &refused["error"]), (Value::Null, &json!("403::role_taken")));
    }

    let history = seat["sessionHistoryId"].as_str().unwrap();
    let own = format!("?userToken={}", seat["userToken"].as_str().unwrap());
    let path = format!("/cobrowse/rest/history/sessions/{history}");
    let running = call(&server, "GET", &format!("{path}{own}"), &[]).await;
    assert_eq!(running.body["deactivationTime"], Value::Null);
    let (stopped, acknowledgement) =
        controller.ask("stop", json!({"userToken": seat["userToken"]})).await;
    assert_eq!((stopped, &acknowledgement["successful"]), (json!({}), &json!(true)));
    let over = controller.hears("deactivated").await;
    assert_eq!(over["activationTime"], activated["activationTime"]);
    assert!(over["deactivationTime"].as_u64() >= over["activationTime"].as_u64());
    for other in [&mut customer, &mut agent] {
        assert_eq!(other.hears("deactivated").await, over);
    }
    let gone = call(&server, "GET", &format!("{LIVE}/sessions/{token}"), &[("origin", DESK)]).await;
    assert_eq!(gone.status, 404);
    let bearer = format!("Bearer {}", Server::token());
    let past = call(&server, "GET", &path, &[("authorization", &bearer)]).await;
    assert_eq!(past.body["id"], *history);
    assert_eq!(past.body["sessionToken"], *token);
    assert!(past.body["creationTime"].as_u64() <= over["activationTime"].as_u64());
    assert_eq!(past.body["activationTime"], over["activationTime"]);
    assert_eq!(past.body["deactivationTime"], over["deactivationTime"]);
    assert_eq!(past.body["pages"], json!([]));
}

#[tokio::test]
async fn a_controller_may_stop_by_rest_and_nobody_else() {
    let server = server(&[]);
    let token = new_session(&server).await;
    let (mut customer, mut controller) = (Client::new(&server).await, Client::new(&server).await);
    let of_customer = customer.join(&token, 1).await;
    let of_controller = controller.join(&token, 3).await;
    let stop =
        |seat: &Value| format!("{LIVE}/users/{}/session/stop", seat["userToken"].as_str().unwrap());
    assert_eq!(call(&server, "GET", &stop(&of_customer), &[]).await.status, 403);
    assert_eq!(
        call(&server, "GET", &format!("{LIVE}/users/x/session/stop"), &[]).await.status,
        404
    );
    let (_, refused) = customer.ask("stop", json!({"userToken": of_customer["userToken"]})).await;
    assert_eq!(refused["error"], "403::role_not_allowed");
    let stopped = call(&server, "GET", &stop(&of_controller), &[]).await;
    assert_eq!((stopped.status, &stopped.body["activationTime"]), (200, &Value::Null));
    assert_eq!(
        customer.hears("deactivated").await["deactivationTime"],
        stopped.body["deactivationTime"]
    );
    assert_eq!(stopped.headers["cache-control"], "no-store");
    assert_eq!(call(&server, "POST", &stop(&of_controller), &[]).await.status, 404, "it is over");
}

#[tokio::test]
async fn who_leaves_ends_the_session_but_for_a_controller() {
    let server = server(&[]);
    for leaver in [1, 2] {
        let token = new_session(&server).await;
        let mut people = Vec::new();
        for role in 1..=3 {
            let mut client = Client::new(&server).await;
            let seat = client.join(&token, role).await;
            people.push((client, seat));
        }
        let exit = |seat: &Value| json!({"userToken": seat["userToken"]});
        let mut second = Client::new(&server).await;
        let seat = second.join(&token, 3).await;
        assert_eq!(second.ask("exit", exit(&seat)).await.0, json!({}));
        let (client, seat) = &mut people[leaver - 1];
        let (answer, _) = client.ask("exit", exit(seat)).await;
        assert_eq!(answer, json!({}));
        people[2].0.hears("deactivated").await;
    }
}

#[tokio::test]
async fn whoever_loses_his_bayeux_session_has_left() {
    let server = server(&[("bayeux.max_interval_ms", "1500"), ("bayeux.timeout_ms", "1000")]);
    let token = new_session(&server).await;
    let (mut customer, mut controller) = (Client::new(&server).await, Client::new(&server).await);
    customer.join(&token, 1).await;
    controller.join(&token, 3).await;
    drop(customer);
    controller.hears("deactivated").await;
}

#[tokio::test]
async fn what_is_wrong_is_acknowledged_so_and_nothing_else_is_said() {
    let server = server(&[]);
    let token = new_session(&server).await;
    let mut client = Client::new(&server).await;
    for (what, data, error) in [
        ("join", json!({"sessionToken": "123456789", "role": 3}), "404:123456789:session_unknown"),
        ("join", json!({"sessionToken": "12345678", "role": 3}), "400::session_token_invalid"),
        ("join", json!({"sessionToken": token, "role": 4}), "403::role_not_allowed"),
        ("join", json!({"sessionToken": token}), "400::data_invalid"),
        ("exit", json!({"userToken": "x"}), "404::user_unknown"),
        ("stop", json!({}), "400::data_invalid"),
        ("joined", json!({}), "403:denied_by_security_policy:publish denied"),
    ] {
        let (answer, acknowledgement) = client.ask(what, data.clone()).await;
        assert_eq!(
            (answer, &acknowledgement["error"]),
            (Value::Null, &json!(error)),
            "{what} {data}"
        );
    }
    let (created, _) = client.ask("create", json!({})).await;
    assert_eq!(created["sessionToken"].as_str().unwrap().len(), 9);
}

#[tokio::test]
async fn a_visitors_session_has_no_other_customer() {
    let server = server(&[("cobrowse.code_digits", "9")]);
    let _page = server.page("ada", "t").opens().await;
    let begun =
        server.rest("POST", "/v1/groups/12345/sessions", Some(json!({"visitorid": "ada"}))).await;
    assert!(begun.0 < 300, "{begun:?}");
    let session = begun.1["session"].as_str().unwrap();
    let path = format!("/v1/groups/12345/sessions/{session}/code");
    let (_, code) = server.rest("POST", &path, None).await;
    let wish = json!({"sessionToken": code["code"], "role": 1});
    let mut client = Client::new(&server).await;
    let (_, refused) = client.ask("join", wish).await;
    assert_eq!(refused["error"], "403::role_taken");
    // But a desktop may control it.
    client.join(code["code"].as_str().unwrap(), 3).await;
    until("the member", || server.get("/metrics").1.contains("vestibule_sessions 1")).await;
}

#[tokio::test]
async fn seats_outlast_a_restart() {
    let server = server(&[]);
    let token = new_session(&server).await;
    let mut people = Vec::new();
    let mut activated = Value::Null;
    for role in [1, 3, 2] {
        let mut client = Client::new(&server).await;
        let seat = client.join(&token, role).await;
        let Client { polling, told } = client;
        people.push((polling.client, polling.headers, told, seat));
    }
    let server = server.restarted(Stop::Terminate);
    let mut clients = Vec::new();
    for (client, headers, told, _) in &people {
        let mut polling = Polling::stranger(&server);
        (polling.client, polling.headers) = (client.clone(), headers.clone());
        clients.push(Client { polling, told: told.clone() });
    }
    for client in &mut clients {
        let told = client.hears("activated").await;
        assert!(activated.is_null() || activated == told, "what waited for him is there");
        activated = told;
    }
    // They are in: who comes is told of all, and they of him.
    let mut second = Client::new(&server).await;
    let seat = second.join(&token, 3).await;
    assert_eq!(seat["users"].as_array().unwrap().len(), 3, "{seat}");
    let number = Value::from(seat["userId"].to_string());
    for client in &mut clients {
        while client.hears("joined").await["userId"] != number {}
    }
    // And go by the tokens that they had.
    let (stopped, acknowledgement) =
        clients[1].ask("stop", json!({"userToken": people[1].3["userToken"]})).await;
    assert_eq!((stopped, &acknowledgement["successful"]), (json!({}), &json!(true)));
    for client in &mut clients {
        let over = client.hears("deactivated").await;
        assert_eq!(over["activationTime"], activated["activationTime"]);
    }
}

#[tokio::test]
async fn of_two_customers_one_comes_in() {
    let server = server(&[("cobrowse.sessions_per_minute", "100")]);
    for _ in 0..10 {
        let token = new_session(&server).await;
        let (mut one, mut other) = (Client::new(&server).await, Client::new(&server).await);
        let wish = || json!({"sessionToken": token, "role": 1});
        let (one, other) = tokio::join!(one.ask("join", wish()), other.ask("join", wish()));
        let mut errors = [one.1["error"].clone(), other.1["error"].clone()];
        errors.sort_by_key(Value::is_null);
        assert_eq!(errors, [json!("403::role_taken"), Value::Null]);
    }
}

#[tokio::test]
async fn who_leaves_while_he_comes_in_leaves_nobody_behind() {
    let server = server(&[("cobrowse.sessions_per_minute", "100")]);
    let token = new_session(&server).await;
    let mut watcher = Client::new(&server).await;
    let session = watcher.join(&token, 3).await["sessionHistoryId"].as_str().unwrap().to_owned();
    for _ in 0..20 {
        let client = Client::new(&server).await;
        let wish = json!({"data": {"sessionToken": token, "role": 3}});
        tokio::join!(
            client.polling.say("/service/session/join", wish),
            client.polling.say("/meta/disconnect", json!({})),
        );
    }
    let session = session.replace('-', "");
    let alone = async {
        loop {
            let view = server.session(&session).await;
            match view["running"]["members"].as_array() {
                Some(members) if members.len() == 1 => break,
                Some(_) => tokio::time::sleep(Duration::from_millis(20)).await,
                None => panic!("{view}"),
            }
        }
    };
    soon("the others' end", alone).await;
}

#[tokio::test]
async fn a_session_says_where_its_node_is_reached() {
    let server = server(&[]);
    let public = format!("http://{}/v", server.address());
    let server = server.restarted_with(Stop::Terminate, &[("server.public_url", &public)]);
    let created = call(&server, "POST", &format!("{LIVE}/sessions"), &[]).await;
    assert_eq!(created.body["sessionServerUrl"], format!("{public}/cobrowse"));
    let token = created.body["sessionToken"].as_str().unwrap();
    let found =
        call(&server, "GET", &format!("{LIVE}/sessions/{token}"), &[("origin", DESK)]).await;
    assert_eq!(found.body, created.body);
}
