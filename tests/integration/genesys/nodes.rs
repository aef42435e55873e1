//! The same over several nodes: whichever node a request comes to, and when the node is lost that a client was at home on.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::{Client, LIVE, call, new_session};
use crate::support::{Server, Stop, bayeux::Polling, server::DESK};

fn nodes<const N: usize>() -> Option<[Server; N]> {
    Server::nodes_with(&[
        ("groups.0.facades.genesys", "code"),
        ("facades.default_group", "12345"),
        ("bayeux.timeout_ms", "1000"),
    ])
}

impl<'a> Client<'a> {
    /// Its next requests come to this node.
    fn moves(&mut self, node: &'a Server) -> &mut Self {
        let mut there = Polling::stranger(node);
        (there.client, there.headers) = (self.polling.client.clone(), self.polling.headers.clone());
        self.polling = there;
        self
    }
}

/// A session from its creation to its history; each next request goes to the node that `next` gives.
async fn from_creation_to_history<'a>(mut next: impl FnMut() -> &'a Server) {
    let from = [("origin", DESK)];
    let created = call(next(), "POST", &format!("{LIVE}/sessions"), &from).await;
    let token = created.body["sessionToken"].as_str().unwrap().to_owned();
    let cookie = created.headers["set-cookie"].to_str().unwrap();
    assert!(cookie.starts_with("gcbSessionServer=vestibule-"), "{cookie}");
    let found = call(next(), "GET", &format!("{LIVE}/sessions/{token}"), &from).await;
    assert_eq!(found.body["sessionToken"], *token, "any node knows it");

    let (mut customer, mut controller) = (Client::new(next()).await, Client::new(next()).await);
    customer.moves(next()).join(&token, 1).await;
    let seat = controller.moves(next()).join(&token, 3).await;
    assert_eq!(customer.moves(next()).hears("joined").await["role"], 3);
    let mut agent = Client::new(next()).await;
    agent.moves(next()).join(&token, 2).await;
    assert_eq!(customer.moves(next()).hears("joined").await["role"], 2);
    assert_eq!(controller.moves(next()).hears("joined").await["role"], 2);
    let activated = customer.moves(next()).hears("activated").await;
    for other in [&mut controller, &mut agent] {
        assert_eq!(other.moves(next()).hears("activated").await, activated, "one time for all");
    }
    let history = seat["sessionHistoryId"].as_str().unwrap();
    let own = seat["userToken"].as_str().unwrap();
    let past = format!("/cobrowse/rest/history/sessions/{history}");
    let running = call(next(), "GET", &format!("{past}?userToken={own}"), &[]).await;
    assert_eq!(running.body["activationTime"], activated["activationTime"]);

    let stopped = call(next(), "GET", &format!("{LIVE}/users/{own}/session/stop"), &[]).await;
    assert_eq!(stopped.status, 200, "{}", stopped.body);
    for person in [&mut customer, &mut agent, &mut controller] {
        assert_eq!(person.moves(next()).hears("deactivated").await, stopped.body);
    }
    let gone = call(next(), "GET", &format!("{LIVE}/sessions/{token}"), &from).await;
    assert_eq!(gone.status, 404);
    let bearer = format!("Bearer {}", Server::token());
    let kept = call(next(), "GET", &past, &[("authorization", &bearer)]).await;
    for time in ["activationTime", "deactivationTime"] {
        assert_eq!(kept.body[time], stopped.body[time]);
    }
    assert!(kept.body["creationTime"].as_u64() <= kept.body["activationTime"].as_u64());
}

#[tokio::test]
async fn a_session_needs_no_node_of_its_own() {
    let Some(nodes) = nodes::<3>() else { return };
    // As a balancer sends them that goes by the cookie or the address, and as one does that goes by nothing.
    from_creation_to_history(|| &nodes[0]).await;
    let mut turn = 0;
    from_creation_to_history(|| {
        turn += 1;
        &nodes[turn % 3]
    })
    .await;
}

#[tokio::test]
async fn seats_outlast_the_node_that_their_clients_were_at_home_on() {
    let Some([mut first, second, third]) = nodes() else { return };
    let token = new_session(&first).await;
    let mut people = Vec::new();
    for role in [1, 3, 2] {
        let mut client = Client::new(&first).await;
        let seat = client.join(&token, role).await;
        people.push((client.polling.client, client.polling.headers, seat));
    }
    first.signal(Stop::Kill);
    first.ended();
    let mut clients = Vec::new();
    for (client, headers, _) in &people {
        let mut polling = Polling::stranger(&second);
        (polling.client, polling.headers) = (client.clone(), headers.clone());
        clients.push(Client { polling, told: Vec::new() });
    }
    let activated = clients[0].hears("activated").await;
    // They take part again as soon as they are at home there: who comes is told of all, and they of him.
    let killed = Instant::now();
    loop {
        assert!(killed.elapsed() < Duration::from_secs(30), "nobody hears for them");
        let mut late = Client::new(&third).await;
        let seat = late.join(&token, 3).await;
        assert_eq!(seat["users"].as_array().unwrap().len(), 3, "{seat}");
        let mut hear = 0;
        for client in &mut clients {
            let messages = client.polling.connect(json!({})).await;
            client
                .told
                .extend(messages.into_iter().filter(|message| message.get("data").is_some()));
            let number = Value::from(seat["userId"].to_string());
            hear += usize::from(client.told.iter().any(|told| told["data"]["userId"] == number));
        }
        late.ask("exit", json!({"userToken": seat["userToken"]})).await;
        if hear == clients.len() {
            break;
        }
    }
    let own = people[1].2["userToken"].as_str().unwrap();
    let stopped = call(&third, "GET", &format!("{LIVE}/users/{own}/session/stop"), &[]).await;
    assert_eq!(stopped.body["activationTime"], activated["activationTime"]);
    for client in &mut clients {
        assert_eq!(client.hears("deactivated").await, stopped.body);
    }
}
