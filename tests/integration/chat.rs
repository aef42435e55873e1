//! Visitors and agents write to each other: over both sockets and over REST.

use std::time::Duration;

use serde_json::{Value, json};

use crate::support::{
    Server, Stop,
    client::Socket,
    mint::{Signing, claims},
    soon,
};

/// An agent of the group who may chat.
async fn agent(server: &Server, name: &str) -> Socket {
    agent_of(server, "12345", name).await
}

async fn agent_of(server: &Server, group: &str, name: &str) -> Socket {
    let token = claims(json!({"sub": name.to_lowercase(), "name": name, "group": group,
        "scope": "read session", "jti": format!("{name}-{group}")}));
    server.agent_with(&Signing::of_the_tests().sign(&token)).await
}

/// The agent is available for these buttons, and looks at chats: those that he sees.
async fn at_work(agent: &mut Socket, buttons: &[&str]) -> Vec<Value> {
    agent.ok(json!({"type": "available", "buttons": buttons})).await;
    let ok = agent.ok(json!({"type": "watchchats"})).await;
    assert_eq!(ok["buttons"], json!(buttons));
    let all = agent.hear_a("chats").await;
    assert_eq!(all["reset"], true, "{all}");
    all["put"].as_array().cloned().unwrap_or_default()
}

async fn enabled(page: &mut Socket) -> Value {
    page.ok(json!({"type": "watchbuttons"})).await["enabled"].clone()
}

async fn opens(page: &mut Socket, button: &str) -> String {
    let ok = page.ok(json!({"type": "openchat", "button": button})).await;
    ok["chat"]["chat"].as_str().unwrap().to_owned()
}

async fn says(socket: &mut Socket, chat: Option<&str>, text: &str) -> u64 {
    static NAMES: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(1);
    let name = NAMES.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    let mut say = json!({"type": "say", "text": text, "id": format!("m{name}")});
    if let Some(chat) = chat {
        say["chat"] = chat.into();
    }
    socket.ok(say).await["n"].as_u64().unwrap()
}

/// The next word on how the chat stands.
async fn stands(page: &mut Socket, status: &str) -> Value {
    let told = page.waits_for("chat").await;
    assert_eq!(told["chat"]["status"], status, "{told}");
    told["chat"].clone()
}

/// The next message.
async fn reads(socket: &mut Socket, text: &str) -> Value {
    let told = socket.waits_for("chatmessage").await;
    assert_eq!(told["message"]["text"], text, "{told}");
    told["message"].clone()
}

/// Waits until an agent sees this of a chat.
async fn sees(agent: &mut Socket, chat: &str, status: &str) -> Value {
    loop {
        let change = agent.waits_for("chats").await;
        let rows = change["put"].as_array().cloned().unwrap_or_default();
        if let Some(row) = rows.iter().find(|row| row["chat"] == chat && row["status"] == status) {
            return row.clone();
        }
    }
}

#[tokio::test]
async fn they_write_to_each_other_and_exactly_one_agent_has_it() {
    let server = Server::start();
    let mut page = server.page("ada", "t").opens().await;
    // Asked again, it hears on as before.
    for _ in 0..2 {
        assert_eq!(enabled(&mut page).await, json!([]));
    }
    page.refused(json!({"type": "openchat", "button": "sales"}), "unavailable").await;
    page.refused(json!({"type": "openchat"}), "unavailable").await;
    let (mut ann, mut bob) = (agent(&server, "Ann").await, agent(&server, "Bob").await);
    at_work(&mut ann, &["sales"]).await;
    at_work(&mut bob, &["sales", "support"]).await;
    for button in ["sales", "support"] {
        let told = page.hear_a("button").await;
        assert_eq!(told, json!({"type": "button", "button": button, "enabled": true}));
    }
    let mut tab = server.page("ada", "u").opens().await;
    let chat = opens(&mut page, "sales").await;
    for page in [&mut page, &mut tab] {
        assert_eq!(stands(page, "waiting").await["chat"], chat);
    }
    assert_eq!(opens(&mut tab, "support").await, chat, "one at a time");
    assert_eq!(says(&mut page, None, "Does it come in oak?").await, 1);
    // Two agents reach for it at once: one gets it.
    for agent in [&mut ann, &mut bob] {
        sees(agent, &chat, "waiting").await;
        agent.say(json!({"type": "claimchat", "request": 900, "chat": chat})).await;
    }
    let mut answers = Vec::new();
    for agent in [&mut ann, &mut bob] {
        answers.push(loop {
            let message = agent.hear().await;
            if message["request"] == 900 {
                break message;
            }
        });
    }
    let won = answers.iter().position(|answer| answer["type"] == "ok").unwrap();
    assert_eq!(answers[1 - won]["code"], "taken", "{answers:?}");
    assert_eq!(answers[won]["chat"]["messages"][0]["text"], "Does it come in oak?");
    assert_eq!(answers[won]["visitorid"], "ada");
    let (has, lost) = if won == 0 { (&mut ann, &mut bob) } else { (&mut bob, &mut ann) };
    let name = if won == 0 { "Ann" } else { "Bob" };
    for page in [&mut page, &mut tab] {
        reads(page, "Does it come in oak?").await;
        assert_eq!(stands(page, "open").await["agent"], json!({"name": name}));
    }
    // He says it twice, as one does whose answer got lost.
    let say = json!({"type": "say", "chat": chat, "text": "It does.", "id": "once"});
    let (first, again) = (has.ok(say.clone()).await, has.ok(say).await);
    assert_eq!((&first["n"], &first["at"]), (&again["n"], &again["at"]));
    lost.refused(json!({"type": "say", "chat": chat, "text": "x", "id": "x"}), "taken").await;
    lost.refused(json!({"type": "readchat", "chat": chat}), "taken").await;
    lost.refused(json!({"type": "endchat", "chat": chat}), "taken").await;
    for page in [&mut page, &mut tab] {
        let message = reads(page, "It does.").await;
        assert_eq!((&message["from"], &message["name"]), (&json!("agent"), &json!(name)));
    }
    reads(has, "It does.").await;
    page.ok(json!({"type": "typing"})).await;
    assert_eq!(has.waits_for("typing").await["chat"], chat);
    says(&mut tab, None, "Thank you: 4111 1111 1111 1111").await;
    reads(has, "Thank you: •••• •••• •••• ••••").await;
    page.ok(json!({"type": "closechat"})).await;
    for page in [&mut page, &mut tab] {
        reads(page, "Thank you: •••• •••• •••• ••••").await;
        assert_eq!(stands(page, "ended").await["reason"], "visitor");
    }
    assert_eq!(sees(has, &chat, "ended").await["reason"], "visitor");
    page.ok(json!({"type": "closechat"})).await;
    page.refused(json!({"type": "say", "text": "hello?", "id": "late"}), "notfound").await;
    assert_eq!(server.figure(r#"chats_ended_total{reason="visitor"}"#), 1.0);
    assert_eq!(server.figure(r#"chat_messages_total{from="visitor"}"#), 2.0);
}

#[tokio::test]
async fn it_survives_page_changes_a_restart_and_a_name() {
    let server = Server::start();
    let mut ann = agent(&server, "Ann").await;
    at_work(&mut ann, &["sales"]).await;
    let anonymous = format!("~{:032x}", 7);
    let mut page = server.page(&anonymous, "t").opens().await;
    let chat = opens(&mut page, "sales").await;
    ann.ok(json!({"type": "claimchat", "chat": chat})).await;
    says(&mut page, None, "one").await;
    drop(page);
    let page = server.page(&anonymous, "t").opens().await;
    let seen = &page.welcome["chat"];
    assert_eq!((&seen["status"], &seen["messages"][0]["text"]), (&json!("open"), &json!("one")));
    drop((page, ann));
    let server = server.restarted(Stop::Terminate);
    let mut page = server.page(&anonymous, "t").opens().await;
    assert_eq!(page.welcome["chat"]["chat"], chat, "{}", page.welcome);
    assert_eq!(enabled(&mut page).await, json!(["sales"]), "the agent is waited for");
    assert_eq!(stands(&mut page, "open").await["chat"], chat);
    let mut ann = agent(&server, "Ann").await;
    let rows = at_work(&mut ann, &["sales"]).await;
    assert_eq!((&rows[0]["chat"], &rows[0]["status"]), (&json!(chat), &json!("open")));
    // He signs in; the chat goes along.
    page.ok(json!({"type": "identify", "visitorid": "ada"})).await;
    assert_eq!(stands(&mut page, "open").await["chat"], chat);
    assert_eq!(sees(&mut ann, &chat, "open").await["visitorid"], "ada");
    says(&mut page, None, "two").await;
    reads(&mut ann, "two").await;
    says(&mut ann, Some(&chat), "three").await;
    assert_eq!(reads(&mut page, "two").await["n"], 2);
    assert_eq!(reads(&mut page, "three").await["n"], 3);
    // Somebody else at the same browser sees nothing of it.
    page.ok(json!({"type": "identify", "visitorid": "eve"})).await;
    assert_eq!(page.waits_for("chat").await["chat"], Value::Null);
    page.refused(json!({"type": "say", "text": "x", "id": "x"}), "notfound").await;
}

#[tokio::test]
async fn buttons_and_chats_follow_the_agents() {
    let server = Server::with(&[("chat.agent_grace_ms", "400")]);
    let (mut ann, mut bob) = (agent(&server, "Ann").await, agent(&server, "Bob").await);
    at_work(&mut ann, &["sales", "support"]).await;
    at_work(&mut bob, &["sales"]).await;
    let mut page = server.page("ada", "t").opens().await;
    assert_eq!(enabled(&mut page).await, json!(["sales", "support"]));
    let chat = opens(&mut page, "support").await;
    ann.ok(json!({"type": "claimchat", "chat": chat})).await;
    stands(&mut page, "waiting").await;
    stands(&mut page, "open").await;
    // He reloads his desk: nobody notices.
    drop(ann);
    let mut ann = agent(&server, "Ann").await;
    let rows = at_work(&mut ann, &["sales", "support"]).await;
    assert_eq!(rows[0]["chat"], chat, "his own");
    page.hears_nothing_for(600).await;
    // He is lost: what he had waits again, what others are there for stays.
    drop(ann);
    let mut heard = [page.hear().await, page.hear().await];
    heard.sort_by_key(|told| told["type"].to_string());
    let [button, waits] = heard;
    assert_eq!(button, json!({"type": "button", "button": "support", "enabled": false}));
    assert_eq!(
        (&waits["chat"]["status"], &waits["chat"]["agent"]),
        (&json!("waiting"), &Value::Null)
    );
    sees(&mut bob, &chat, "waiting").await;
    // Who leaves with a word is not waited for.
    bob.leave().await;
    assert_eq!(page.hear_a("button").await["enabled"], false);
    page.refused(json!({"type": "openchat", "button": "x y"}), "badrequest").await;
    assert_eq!(server.figure("agents_available"), 0.0);
}

#[tokio::test]
async fn a_token_that_is_called_back_takes_the_agent_away_at_once() {
    let server = Server::start();
    let mut ann = agent(&server, "Ann").await;
    at_work(&mut ann, &["sales"]).await;
    let mut page = server.page("ada", "t").opens().await;
    assert_eq!(enabled(&mut page).await, json!(["sales"]));
    let operator = Server::token_of("12345", "operate", 60);
    let revoke = Some(json!({"subject": "ann"}));
    let path = "/v1/groups/12345/revocations";
    let (status, _) = server.rest_as(&operator, "POST", path, revoke, &[]).await;
    assert_eq!(status, 201);
    let told = tokio::time::timeout(Duration::from_secs(5), page.hear_a("button")).await;
    assert_eq!(told.unwrap()["enabled"], false, "long before the grace of 15 s");
}

#[tokio::test]
async fn an_agent_invites_and_the_visitor_answers() {
    let server = Server::start();
    let mut ann = agent(&server, "Ann").await;
    at_work(&mut ann, &[]).await;
    let invite = |text: &str| json!({"type": "invitechat", "visitorid": "ada", "text": text});
    ann.refused(invite("hello"), "visitornotpresent").await;
    let mut page = server.page("ada", "t").opens().await;
    let ok = ann.ok(invite("May I help?")).await;
    let chat = ok["chat"]["chat"].as_str().unwrap().to_owned();
    assert_eq!(ann.ok(invite("May I help?")).await["chat"]["chat"], chat, "a retry");
    let told = stands(&mut page, "invited").await;
    assert_eq!(
        (&told["agent"]["name"], &told["messages"][0]["text"]),
        (&json!("Ann"), &json!("May I help?"))
    );
    page.ok(json!({"type": "answerinvitation", "accepted": false})).await;
    assert_eq!(stands(&mut page, "ended").await["reason"], "declined");
    assert_eq!(sees(&mut ann, &chat, "ended").await["reason"], "declined");
    let ok = ann.ok(invite("Or now?")).await;
    stands(&mut page, "invited").await;
    page.ok(json!({"type": "answerinvitation", "accepted": true})).await;
    stands(&mut page, "open").await;
    let chat = ok["chat"]["chat"].as_str().unwrap();
    says(&mut page, None, "Yes").await;
    reads(&mut ann, "Yes").await;
    let mut bob = agent(&server, "Bob").await;
    bob.refused(invite("Me too"), "taken").await;
    ann.ok(json!({"type": "releasechat", "chat": chat})).await;
    reads(&mut page, "Yes").await;
    stands(&mut page, "waiting").await;
    bob.ok(json!({"type": "claimchat", "chat": chat})).await;
    bob.ok(json!({"type": "endchat", "chat": chat})).await;
    stands(&mut page, "open").await;
    assert_eq!(stands(&mut page, "ended").await["reason"], "agent");
}

#[tokio::test]
async fn nobody_else_sees_or_does_anything() {
    let server = Server::start();
    let mut ann = agent(&server, "Ann").await;
    at_work(&mut ann, &["sales"]).await;
    let mut page = server.page("ada", "t").opens().await;
    let chat = opens(&mut page, "sales").await;
    // Another visitor.
    let mut other = server.page("bob", "t").opens().await;
    assert_eq!(other.welcome.get("chat"), None);
    other.refused(json!({"type": "say", "text": "x", "id": "x"}), "notfound").await;
    // Another group's agent, and an agent who may not.
    let mut theirs = agent_of(&server, "777", "Eve").await;
    assert!(at_work(&mut theirs, &["sales"]).await.is_empty());
    for message in ["claimchat", "readchat", "endchat", "releasechat"] {
        theirs.refused(json!({"type": message, "chat": chat}), "notfound").await;
    }
    let reader = Server::token_of("12345", "read signal", 60);
    let mut reader = server.agent_with(&reader).await;
    for message in [
        json!({"type": "watchchats"}),
        json!({"type": "claimchat", "chat": chat}),
        json!({"type": "available", "buttons": ["sales"]}),
    ] {
        reader.refused(message, "scope").await;
    }
    says(&mut page, None, "secret").await;
    theirs.hears_nothing_for(200).await;
    other.hears_nothing_for(1).await;
    reader.hears_nothing_for(1).await;
}

#[tokio::test]
async fn what_an_agent_talks_about_no_other_reads_but_a_supervisor() {
    let server = Server::start();
    let (mut ann, mut bob) = (agent(&server, "Ann").await, agent(&server, "Bob").await);
    at_work(&mut ann, &["sales"]).await;
    let mut page = server.page("ada", "t").opens().await;
    let chat = opens(&mut page, "sales").await;
    let one = format!("chats/{chat}");
    sees(&mut ann, &chat, "waiting").await;
    bob.ok(json!({"type": "readchat", "chat": chat})).await;
    assert_eq!(rest(&server, "Bob", "GET", &one, None).await.0, 200, "it waits");
    ann.ok(json!({"type": "claimchat", "chat": chat})).await;
    sees(&mut ann, &chat, "open").await;
    says(&mut page, None, "between us").await;
    // By the socket and by REST alike.
    bob.refused(json!({"type": "readchat", "chat": chat}), "taken").await;
    let (status, refused) = rest(&server, "Bob", "GET", &one, None).await;
    assert_eq!((status, &refused["code"]), (409, &json!("taken")));
    for list in ["chats", "past-chats"] {
        let (_, seen) = rest(&server, "Bob", "GET", list, None).await;
        assert_eq!(seen, json!({"chats": [], "next": null}), "{list}");
        let (_, seen) = rest(&server, "Ann", "GET", list, None).await;
        assert_eq!(seen["chats"][0]["chat"], chat, "{list}");
        let (_, seen) = operates(&server, "GET", list, None).await;
        assert_eq!(seen["chats"][0]["chat"], chat, "{list}");
    }
    assert_eq!(operates(&server, "GET", &one, None).await.1["messages"][0]["text"], "between us");
    let mut operator = server.agent_with(&Server::token_of("12345", "session operate", 60)).await;
    let read = operator.ok(json!({"type": "readchat", "chat": chat})).await;
    assert_eq!(read["chat"]["messages"][0]["text"], "between us");
    // What is over is everybody's who may chat, as other history is.
    page.ok(json!({"type": "closechat"})).await;
    sees(&mut ann, &chat, "ended").await;
    let (_, over) = rest(&server, "Bob", "GET", &one, None).await;
    assert_eq!(over["messages"][0]["text"], "between us");
}

#[tokio::test]
async fn an_agent_for_whom_there_is_no_room_has_no_chats() {
    let server = Server::with(&[("chat.agents", "1"), ("chat.agent_grace_ms", "0")]);
    let (mut ann, mut bob) = (agent(&server, "Ann").await, agent(&server, "Bob").await);
    at_work(&mut ann, &["sales"]).await;
    let mut page = server.page("ada", "t").opens().await;
    let chat = opens(&mut page, "sales").await;
    let claim = json!({"type": "claimchat", "chat": chat});
    bob.refused(claim.clone(), "toomany").await;
    let _other = server.page("bob", "t").opens().await;
    let invite = json!({"type": "invitechat", "visitorid": "bob", "text": "hello"});
    bob.refused(invite, "toomany").await;
    // As soon as there is, he may; and then he is missed when he goes.
    ann.leave().await;
    let answered = loop {
        bob.say(json!({"type": "claimchat", "chat": chat, "request": 77})).await;
        let answer = bob.hear().await;
        if answer["type"] == "ok" {
            break answer;
        }
        assert_eq!(answer["code"], "toomany", "{answer}");
    };
    assert_eq!(answered["visitorid"], "ada");
    stands(&mut page, "waiting").await;
    stands(&mut page, "open").await;
    drop(bob);
    stands(&mut page, "waiting").await;
}

#[tokio::test]
async fn a_socket_that_goes_on_for_somebody_else_hears_no_more_of_the_chats_of_the_one_before() {
    let server = Server::start();
    let mut socket = agent(&server, "Ann").await;
    at_work(&mut socket, &["sales"]).await;
    let mut page = server.page("ada", "t").opens().await;
    let chat = opens(&mut page, "sales").await;
    socket.ok(json!({"type": "claimchat", "chat": chat})).await;
    sees(&mut socket, &chat, "open").await;
    let token = |name: &str, scope: &str| {
        let claims = claims(json!({"sub": name, "scope": scope, "jti": format!("{name}-{scope}")}));
        Signing::of_the_tests().sign(&claims)
    };
    // A fresh token of his own changes nothing.
    socket.ok(json!({"type": "renew", "token": token("ann", "session")})).await;
    says(&mut page, None, "one").await;
    reads(&mut socket, "one").await;
    socket.ok(json!({"type": "renew", "token": token("eve", "session")})).await;
    says(&mut page, None, "two").await;
    socket.refused(json!({"type": "readchat", "chat": chat}), "taken").await;
    socket.ok(json!({"type": "renew", "token": token("ann", "read")})).await;
    socket.refused(json!({"type": "readchat", "chat": chat}), "scope").await;
    says(&mut page, None, "three").await;
    while let Some(message) = socket.hear_within(200).await {
        assert_ne!(message["type"], "chatmessage", "{message}");
    }
}

#[tokio::test]
async fn limits_hold() {
    let settings = [
        ("chat.waiting", "1"),
        ("chat.messages", "2"),
        ("chat.messages_per_minute", "3"),
        ("chat.chats_per_minute", "3"),
        ("chat.chats_per_agent", "1"),
    ];
    let server = Server::with(&settings);
    let mut ann = agent(&server, "Ann").await;
    at_work(&mut ann, &["sales"]).await;
    let mut page = server.page("ada", "t").opens().await;
    let chat = opens(&mut page, "sales").await;
    let mut other = server.page("bob", "t").opens().await;
    other.refused(json!({"type": "openchat"}), "toomany").await;
    for bad in [json!(""), json!("  "), json!("x".repeat(4_001))] {
        let say = json!({"type": "say", "text": bad, "id": "x"});
        assert_eq!(page.refused(say, "badrequest").await["field"], "text");
    }
    assert_eq!(
        page.refused(json!({"type": "say", "text": "x"}), "badrequest").await["field"],
        "id"
    );
    says(&mut page, None, "one").await;
    says(&mut page, None, "two").await;
    page.refused(json!({"type": "say", "text": "x", "id": "x"}), "toomany").await;
    let late = page.refused(json!({"type": "say", "text": "y", "id": "y"}), "ratelimited").await;
    assert!(late["retry_ms"].as_u64().unwrap() > 1_000, "{late}");
    ann.ok(json!({"type": "claimchat", "chat": chat})).await;
    sees(&mut ann, &chat, "open").await;
    let second = opens(&mut other, "sales").await;
    ann.refused(json!({"type": "claimchat", "chat": second}), "toomany").await;
    ann.ok(json!({"type": "claimchat", "chat": chat})).await;
    for _ in 0..2 {
        opens(&mut page, "sales").await;
    }
    page.refused(json!({"type": "openchat"}), "ratelimited").await;
    let many: Vec<_> = (0..65).map(|n| format!("b{n}")).collect();
    let available = json!({"type": "available", "buttons": many});
    assert_eq!(ann.refused(available, "badrequest").await["field"], "buttons");
    for n in 0..59 {
        ann.ok(json!({"type": "available", "buttons": [format!("b{}", n % 2)]})).await;
    }
    ann.refused(json!({"type": "available", "buttons": []}), "ratelimited").await;
    assert_eq!(server.figure(r#"limited_total{what="chat_message"}"#), 1.0);
    assert_eq!(server.figure(r#"limited_total{what="chat"}"#), 1.0);
}

#[tokio::test]
async fn one_address_does_not_take_the_places_of_all_who_wait() {
    let server = Server::with(&[("chat.waiting_per_address", "1")]);
    let mut ann = agent(&server, "Ann").await;
    at_work(&mut ann, &["sales"]).await;
    let mut page = server.page("ada", "t").opens().await;
    let mut other = server.page("bob", "t").opens().await;
    let chat = opens(&mut page, "sales").await;
    other.refused(json!({"type": "openchat"}), "toomany").await;
    assert_eq!(opens(&mut page, "sales").await, chat, "his own");
    assert_eq!(server.figure(r#"limited_total{what="chat_of_address"}"#), 1.0);
    ann.ok(json!({"type": "claimchat", "chat": chat})).await;
    sees(&mut ann, &chat, "open").await;
    opens(&mut other, "sales").await;
}

/// A call by REST as this agent.
async fn rest(
    server: &Server,
    name: &str,
    method: &str,
    path: &str,
    body: Option<Value>,
) -> (u16, Value) {
    let token =
        claims(json!({"sub": name.to_lowercase(), "name": name, "scope": "session", "jti": "r"}));
    let token = Signing::of_the_tests().sign(&token);
    let path = format!("/v1/groups/12345/{path}");
    server.rest_as(&token, method, &path, body, &[("idempotency-key", "once")]).await
}

async fn operates(server: &Server, method: &str, path: &str, body: Option<Value>) -> (u16, Value) {
    let token = Server::token_of("12345", "session operate", 60);
    server.rest_as(&token, method, &format!("/v1/groups/12345/{path}"), body, &[]).await
}

#[tokio::test]
async fn a_back_end_does_by_rest_what_agents_do() {
    let server = Server::with(&[]);
    let mut ann = agent(&server, "Ann").await;
    at_work(&mut ann, &["sales"]).await;
    let mut page = server.page("ada", "t").opens().await;
    let (status, buttons) = rest(&server, "Bob", "GET", "buttons", None).await;
    assert_eq!(
        (status, buttons),
        (200, json!({"buttons": [{"button": "sales", "agents": 1, "declared": false}]}))
    );
    let chat = opens(&mut page, "sales").await;
    says(&mut page, None, "one").await;
    // Lists follow the records.
    let list = soon("the list", async {
        loop {
            let (_, list) = rest(&server, "Bob", "GET", "chats?status=waiting&limit=1", None).await;
            if list["chats"][0]["last"] == "one" {
                break list;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    })
    .await;
    assert_eq!(
        (&list["chats"][0]["chat"], &list["chats"][0]["last"]),
        (&json!(chat), &json!("one"))
    );
    assert_eq!(list["next"], chat);
    let (_, list) = rest(&server, "Bob", "GET", &format!("chats?cursor={chat}"), None).await;
    assert_eq!(list, json!({"chats": [], "next": null}));
    let at = |what: &str| format!("chats/{chat}/{what}");
    let hello = Some(json!({"text": "Hello"}));
    assert_eq!(
        rest(&server, "Bob", "POST", &at("messages"), hello.clone()).await.0,
        400,
        "nobody's"
    );
    let (status, claimed) = rest(&server, "Bob", "POST", &at("claim"), None).await;
    assert_eq!(
        (status, &claimed["visitorid"], &claimed["chat"]["status"]),
        (200, &json!("ada"), &json!("open"))
    );
    assert_eq!(rest(&server, "Bob", "POST", &at("claim"), None).await.0, 200, "a retry");
    assert_eq!(rest(&server, "Eve", "POST", &at("claim"), None).await.0, 409);
    let (status, first) = rest(&server, "Bob", "POST", &at("messages"), hello.clone()).await;
    assert_eq!((status, &first["n"]), (201, &json!(2)));
    assert_eq!(rest(&server, "Bob", "POST", &at("messages"), hello.clone()).await.1, first, "once");
    assert_eq!(rest(&server, "Eve", "POST", &at("messages"), hello.clone()).await.0, 409);
    let closing = Some(json!({"text": "We close at six.", "system": true}));
    assert_eq!(rest(&server, "Bob", "POST", &at("messages"), closing.clone()).await.0, 403);
    assert_eq!(operates(&server, "POST", &at("messages"), closing).await.0, 201);
    reads(&mut page, "one").await;
    assert_eq!(reads(&mut page, "Hello").await["name"], "Bob");
    assert_eq!(reads(&mut page, "We close at six.").await["from"], "system");
    assert_eq!(rest(&server, "Bob", "POST", &at("release"), None).await.0, 204);
    ann.ok(json!({"type": "claimchat", "chat": chat})).await;
    let one = format!("chats/{chat}");
    assert_eq!(rest(&server, "Bob", "DELETE", &one, None).await.0, 409, "Ann's");
    assert_eq!(operates(&server, "DELETE", &one, None).await.0, 204);
    assert_eq!(operates(&server, "DELETE", &one, None).await.0, 404);
    let (_, over) = rest(&server, "Bob", "GET", &format!("{one}?limit=2"), None).await;
    assert_eq!(
        (&over["running"], &over["over"]["reason"], &over["next"]),
        (&Value::Null, &json!("agent"), &json!(2))
    );
    let (_, rest_of_it) = rest(&server, "Bob", "GET", &format!("{one}?after=2"), None).await;
    assert_eq!(rest_of_it["messages"][0]["text"], "We close at six.");
    // He is invited by REST, too.
    let invite = |text: &str| Some(json!({"visitorid": "ada", "text": text, "button": "sales"}));
    assert_eq!(rest(&server, "Bob", "POST", "chats", invite(" ")).await.1["field"], "text");
    let (status, invited) = rest(&server, "Bob", "POST", "chats", invite("Hello again")).await;
    assert_eq!((status, &invited["chat"]["status"]), (201, &json!("invited")));
    assert_eq!(
        rest(&server, "Bob", "POST", "chats", invite("Hello again")).await.1,
        invited,
        "a retry"
    );
    assert_eq!(rest(&server, "Eve", "POST", "chats", invite("Me too")).await.0, 409);
    let nobody = Some(json!({"visitorid": "nobody", "text": "Hello"}));
    assert_eq!(rest(&server, "Bob", "POST", "chats", nobody).await.1["code"], "visitornotpresent");
    // Another group's back end finds nothing.
    let theirs = Server::token_of("777", "session operate", 60);
    let path = format!("/v1/groups/777/chats/{chat}");
    assert_eq!(server.rest_as(&theirs, "GET", &path, None, &[]).await.0, 404);
    let path = "/v1/groups/777/past-chats";
    assert_eq!(server.rest_as(&theirs, "GET", path, None, &[]).await.1["chats"], json!([]));
}

#[tokio::test]
async fn what_was_said_is_kept_over_a_crash_and_erased_when_somebody_wants_that() {
    let server = Server::start();
    let mut ann = agent(&server, "Ann").await;
    at_work(&mut ann, &["sales"]).await;
    let mut page = server.page("ada", "t").opens().await;
    let ended = opens(&mut page, "sales").await;
    says(&mut page, None, "My card is 4111 1111 1111 1111").await;
    page.ok(json!({"type": "closechat"})).await;
    let lost = opens(&mut page, "sales").await;
    says(&mut page, None, "still here").await;
    let mut other = server.page("bob", "t").opens().await;
    ann.ok(json!({"type": "invitechat", "visitorid": "bob", "text": "Hello Bob"})).await;
    stands(&mut other, "invited").await;
    let (_, list) = rest(&server, "Ann", "GET", "past-chats?visitorid=ada", None).await;
    let ids = list["chats"].as_array().unwrap().iter().map(|row| row["chat"].clone());
    assert_eq!(ids.collect::<Vec<_>>(), [json!(lost), json!(ended)]);
    drop((page, other, ann));
    let server = server.restarted(Stop::Kill);
    let (_, body) = rest(&server, "Ann", "GET", &format!("chats/{lost}"), None).await;
    assert_eq!(
        (&body["over"]["ended"], &body["over"]["status"]),
        (&Value::Null, &json!("waiting"))
    );
    assert_eq!(body["messages"][0]["text"], "still here");
    let (_, body) = rest(&server, "Ann", "GET", &format!("chats/{ended}"), None).await;
    assert_eq!(body["messages"][0]["text"], "My card is •••• •••• •••• ••••");
    assert!(body["over"]["ended"].is_u64(), "{body}");
    // Ada wants to be forgotten; she is chatting.
    let mut ann = agent(&server, "Ann").await;
    at_work(&mut ann, &["sales"]).await;
    let mut page = server.page("ada", "t").opens().await;
    let goes_on = opens(&mut page, "sales").await;
    assert_eq!(rest(&server, "Ann", "DELETE", "past-chats?visitorid=ada", None).await.0, 403);
    assert_eq!(operates(&server, "DELETE", "past-chats", None).await.1["field"], "query");
    let (status, gone) = operates(&server, "DELETE", "past-chats?visitorid=ada", None).await;
    assert_eq!((status, gone), (200, json!({"chats": 3})));
    stands(&mut page, "waiting").await;
    stands(&mut page, "ended").await;
    for chat in [ended, lost, goes_on] {
        assert_eq!(rest(&server, "Ann", "GET", &format!("chats/{chat}"), None).await.0, 404);
    }
    let (_, list) = rest(&server, "Ann", "GET", "past-chats", None).await;
    assert_eq!(list["chats"].as_array().unwrap().len(), 1, "Bob's: {list}");
    let bobs = format!("past-chats/{}", list["chats"][0]["chat"].as_str().unwrap());
    assert_eq!(operates(&server, "DELETE", &bobs, None).await.0, 204);
    assert_eq!(operates(&server, "DELETE", &bobs, None).await.0, 404);
}

#[tokio::test]
async fn back_ends_hear_how_chats_stand_and_never_what_is_said() {
    let server = Server::start();
    let mut ann = agent(&server, "Ann").await;
    at_work(&mut ann, &["sales"]).await;
    let mut page = server.page("ada", "t").opens().await;
    let chat = opens(&mut page, "sales").await;
    says(&mut page, None, "a secret word").await;
    ann.ok(json!({"type": "claimchat", "chat": chat})).await;
    ann.ok(json!({"type": "endchat", "chat": chat})).await;
    stands(&mut page, "waiting").await;
    stands(&mut page, "open").await;
    stands(&mut page, "ended").await;
    let path = "/v1/groups/12345/events?types=chatstatus";
    let (_, events) = server.rest("GET", path, None).await;
    let told = events["events"].as_array().unwrap().iter().map(|event| event["data"].clone());
    assert_eq!(
        told.collect::<Vec<_>>(),
        [
            json!({"chat": chat, "status": "waiting", "button": "sales"}),
            json!({"chat": chat, "status": "open", "button": "sales", "agent": "Ann"}),
            json!({"chat": chat, "status": "ended", "button": "sales", "agent": "Ann", "reason": "agent"}),
        ]
    );
    assert!(
        !server.rest("GET", "/v1/groups/12345/events", None).await.1.to_string().contains("secret")
    );
}

#[tokio::test]
async fn a_message_offers_a_session_by_a_token_of_nine_digits() {
    let server = Server::start();
    let mut ann = agent(&server, "Ann").await;
    at_work(&mut ann, &["sales"]).await;
    let mut page = server.page("ada", "t").opens().await;
    let chat = opens(&mut page, "sales").await;
    ann.ok(json!({"type": "claimchat", "chat": chat})).await;
    let begun = page.ok(json!({"type": "startsession", "withcode": true, "digits": 9})).await;
    let code = begun["code"].as_str().unwrap();
    assert_eq!(code.len(), 9, "{begun}");
    says(&mut page, None, &format!("{{start:{code}}}")).await;
    reads(&mut ann, &format!("{{start:{code}}}")).await;
    let join = |code: &str| Some(json!({"code": code}));
    let (status, joined) = rest(&server, "Ann", "POST", "sessions", join(code)).await;
    assert_eq!((status, &joined["session"]), (201, &begun["session"]), "{joined}");
    assert_eq!(rest(&server, "Ann", "POST", "sessions", join("000000000")).await.0, 404);
    page.ok(json!({"type": "endsession"})).await;
    assert_eq!(rest(&server, "Ann", "POST", "sessions", join(code)).await.0, 404, "it is over");
    let wrong = json!({"type": "startsession", "withcode": true, "digits": 3});
    assert_eq!(page.refused(wrong, "badrequest").await["field"], "digits");
    // An agent offers one by a session that he begins: the visitor agrees by his answer to it.
    let with_ada = Some(json!({"visitorid": "ada"}));
    let (_, begun) = rest(&server, "Ann", "POST", "sessions", with_ada).await;
    let session = begun["session"].as_str().unwrap();
    let give = async |query: &str| {
        rest(&server, "Ann", "POST", &format!("sessions/{session}/code{query}"), None).await
    };
    let (status, refused) = give("?digits=3").await;
    assert_eq!((status, &refused["field"]), (400, &json!("digits")));
    let (status, given) = give("?digits=9").await;
    assert_eq!((status, given["code"].as_str().unwrap().len()), (200, 9), "{given}");
    assert_eq!(give("").await.1, given, "it keeps the one that it has");
    let agreed = page.ok(json!({"type": "startsession", "agreed": true})).await;
    assert_eq!(agreed["session"], session);
    assert_eq!(server.session(session).await["running"]["consent"], "given");
}
