//! Visitors and agents write to each other: over both sockets and over REST.

mod back_ends;
mod limits;
mod nodes;
mod sight;
mod staff;
mod unread;

use serde_json::{Value, json};

use crate::support::{
    Server, Stop,
    client::Socket,
    mint::{Signing, claims},
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

/// One that is over, in which the number of a card was said, and one that goes on.
async fn two_chats(page: &mut Socket) -> [String; 2] {
    let over = opens(page, "sales").await;
    says(page, None, "My card is 4111 1111 1111 1111").await;
    page.ok(json!({"type": "closechat"})).await;
    let goes_on = opens(page, "sales").await;
    says(page, None, "still here").await;
    [over, goes_on]
}

/// What is kept of the first of them.
async fn is_kept_and_over(server: &Server, chat: &str) {
    let (_, body) = rest(server, "Ann", "GET", &format!("chats/{chat}"), None).await;
    assert_eq!(body["messages"][0]["text"], "My card is •••• •••• •••• ••••");
    assert!(body["over"]["ended"].is_u64(), "{body}");
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
    server.comes_to(r#"chats_ended_total{reason="visitor"}"#, 1.0).await;
    server.comes_to(r#"chat_messages_total{from="visitor"}"#, 2.0).await;
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
    // His record hears of it after the chat's.
    reads(&mut page, "one").await;
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
