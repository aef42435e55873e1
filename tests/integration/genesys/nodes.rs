//! The same over several nodes: whichever node a request comes to, and when the node is lost that a client was at home on.

use std::{
    collections::HashSet,
    net::SocketAddr,
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use super::{Called, Client, LIVE, call, call_at, new_session};
use crate::support::{
    Server, Stop,
    bayeux::Polling,
    nodes::cluster_url,
    router::{Passed, Router},
    server::DESK,
};

const SETTINGS: [(&str, &str); 3] = [
    ("groups.0.facades.genesys", "code"),
    ("facades.default_group", "12345"),
    ("bayeux.timeout_ms", "1000"),
];
const COOKIE: &str = "gcbSessionServer";

/// How a side's requests come to the node that answered it first (`genesys.md` 7).
#[derive(Clone, Copy, PartialEq, Eq)]
enum Stickiness {
    /// By the cookie, whose value a balancer goes by.
    Cookie,
    /// Agents' by the address in the answer, the customer's by the cookie.
    Url,
    /// Not at all.
    Nothing,
}

/// Where one side's requests go, and what they carry.
#[derive(Clone)]
struct Way {
    address: SocketAddr,
    headers: Vec<(&'static str, String)>,
}

impl Way {
    fn to(address: SocketAddr) -> Self {
        Self { address, headers: vec![("origin", DESK.to_owned())] }
    }

    async fn call(&self, method: &str, path: &str) -> Called {
        let headers = self.headers.iter().map(|(name, value)| (*name, value.as_str()));
        call_at(self.address, method, path, &headers.collect::<Vec<_>>()).await
    }

    async fn client(&self) -> Client {
        let mut polling = Polling::stranger_at(self.address);
        polling.headers = self.headers.clone();
        polling.shakes(&json!({})).await;
        assert_eq!(polling.connect(json!({})).await.len(), 1);
        Client { polling, told: Vec::new() }
    }

    fn follows_cookie(&mut self, answer: &Called) {
        let name = answer.body["sessionServerName"].as_str().unwrap();
        assert_eq!(answer.headers["set-cookie"], format!("{COOKIE}={name}; Path=/"));
        self.headers.push(("cookie", format!("theirs=1; {COOKIE}={name}")));
    }

    fn follows_url(&mut self, answer: &Called) {
        let url: reqwest::Url = answer.body["sessionServerUrl"].as_str().unwrap().parse().unwrap();
        assert_eq!(url.path(), "/cobrowse");
        self.address = url.authority().parse().unwrap();
    }
}

/// A session from its creation to its history, on three nodes behind a balancer: what went through that.
async fn from_creation_to_history(stickiness: Stickiness) -> Option<Vec<Passed>> {
    let url = cluster_url()?;
    let router = Router::start(COOKIE, 3).await;
    let nodes = [0, 1, 2].map(|number| {
        let public = format!("http://{}", router.direct[number]);
        let settings = [&SETTINGS[..], &[("server.public_url", &*public)]].concat();
        Server::node(&url, number, &settings)
    });
    router.leads_to(nodes.each_ref().map(Server::address));
    let (mut customers, mut agents) = (Way::to(router.address), Way::to(router.address));

    let created = customers.call("POST", &format!("{LIVE}/sessions")).await;
    let token = created.body["sessionToken"].as_str().unwrap().to_owned();
    let session = format!("{LIVE}/sessions/{token}");
    // The other side asks any node.
    let found = agents.call("GET", &session).await;
    assert_eq!(found.body["sessionToken"], *token, "any node knows it");
    if stickiness != Stickiness::Nothing {
        customers.follows_cookie(&created);
    }
    match stickiness {
        Stickiness::Cookie => agents.follows_cookie(&found),
        Stickiness::Url => agents.follows_url(&found),
        Stickiness::Nothing => {}
    }

    let (mut customer, mut controller) = (customers.client().await, agents.client().await);
    customer.join(&token, 1).await;
    let seat = controller.join(&token, 3).await;
    assert_eq!(customer.hears("joined").await["role"], 3);
    assert!(customer.told.is_empty(), "a controller does not activate: {:?}", customer.told);
    let mut agent = agents.client().await;
    agent.join(&token, 2).await;
    assert_eq!(customer.hears("joined").await["role"], 2);
    assert_eq!(controller.hears("joined").await["role"], 2);
    let activated = customer.hears("activated").await;
    for other in [&mut controller, &mut agent] {
        assert_eq!(other.hears("activated").await, activated, "one time for all");
    }
    let history = seat["sessionHistoryId"].as_str().unwrap();
    let own = seat["userToken"].as_str().unwrap();
    let past = format!("/cobrowse/rest/history/sessions/{history}");
    let running = agents.call("GET", &format!("{past}?userToken={own}")).await;
    assert_eq!(running.body["activationTime"], activated["activationTime"]);

    let stopped = agents.call("GET", &format!("{LIVE}/users/{own}/session/stop")).await;
    assert_eq!(stopped.status, 200, "{}", stopped.body);
    for person in [&mut customer, &mut agent, &mut controller] {
        assert_eq!(person.hears("deactivated").await, stopped.body);
    }
    assert_eq!(agents.call("GET", &session).await.status, 404);
    agents.headers.push(("authorization", format!("Bearer {}", Server::token())));
    let kept = agents.call("GET", &past).await;
    for time in ["activationTime", "deactivationTime"] {
        assert_eq!(kept.body[time], stopped.body[time]);
    }
    assert!(kept.body["creationTime"].as_u64() <= kept.body["activationTime"].as_u64());
    Some(router.passed())
}

/// The nodes that answered the customer and the other side first, and what came then.
fn homes(passed: &[Passed]) -> (usize, usize, &[Passed]) {
    let (customers, agents) = (passed[0].node, passed[1].node);
    assert_ne!(customers, agents, "two sides on two nodes");
    (customers, agents, &passed[2..])
}

#[tokio::test]
async fn a_session_goes_by_a_cookie() {
    let Some(passed) = from_creation_to_history(Stickiness::Cookie).await else { return };
    let (customers, agents, then) = homes(&passed);
    assert!(then.iter().all(|passed| passed.cookie.is_some() && !passed.is_direct), "{then:?}");
    assert!(then.iter().all(|passed| [customers, agents].contains(&passed.node)), "{then:?}");
    // One name is one node.
    let names = |node| {
        let of = then.iter().filter(move |passed| passed.node == node);
        of.map(|passed| passed.cookie.clone()).collect::<HashSet<_>>()
    };
    assert_eq!((names(customers).len(), names(agents).len()), (1, 1), "{then:?}");
    assert_ne!(names(customers), names(agents));
}

#[tokio::test]
async fn a_session_goes_by_the_address_in_the_answer() {
    let Some(passed) = from_creation_to_history(Stickiness::Url).await else { return };
    let (customers, agents, then) = homes(&passed);
    for passed in then {
        let home = if passed.is_direct { agents } else { customers };
        assert_eq!((passed.node, passed.cookie.is_some()), (home, !passed.is_direct), "{then:?}");
    }
    assert!(then.iter().any(|passed| passed.is_direct));
}

#[tokio::test]
async fn a_session_needs_no_node_of_its_own() {
    let Some(passed) = from_creation_to_history(Stickiness::Nothing).await else { return };
    // Each request at another node than the one before.
    assert!(passed.windows(2).all(|two| two[0].node != two[1].node), "{passed:?}");
    assert!(passed.iter().all(|passed| passed.cookie.is_none() && !passed.is_direct));
}

#[tokio::test]
async fn seats_outlast_the_node_that_their_clients_were_at_home_on() {
    let Some([mut first, second, third]) = Server::nodes_with(&SETTINGS) else { return };
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
