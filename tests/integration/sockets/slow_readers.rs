//! Rule 7: who does not read ends his own socket, and nobody else notices.

use std::time::{Duration, Instant};

use serde_json::json;
use tokio::task::JoinSet;

use crate::support::{
    Raw, SOON, Server,
    raw::{TEXT, frame},
    until,
};

/// How long a socket may take nothing. Whoever waited for one that does not read would wait for as long.
const WRITE_DEADLINE: Duration = Duration::from_secs(4);

/// An agent's socket that asks for much and reads nothing.
async fn deaf_agent(server: &Server) -> Raw {
    let mut raw = Raw::connect_narrow(server).await;
    raw.upgrade("/v1/agent", None).await;
    let hello = json!({"type": "hello", "token": Server::token()});
    raw.send(&frame(TEXT, hello.to_string().as_bytes())).await;
    assert_eq!(raw.hear().await["type"], "welcome");
    raw
}

/// So many questions whose answers have 16 KiB each.
fn questions(count: u64) -> Vec<u8> {
    let question = |request| {
        let question = json!({"type": "lookup", "visitorid": "ada", "request": request});
        frame(TEXT, question.to_string().as_bytes())
    };
    (1..=count).flat_map(question).collect()
}

fn much_data() -> serde_json::Value {
    (0..15)
        .map(|n| (format!("k{n}"), "x".repeat(1_000).into()))
        .collect::<serde_json::Map<_, _>>()
        .into()
}

#[tokio::test]
async fn rule_4_7_a_client_that_does_not_read_is_ended_and_others_notice_nothing() {
    let server = Server::with(&[
        ("limits.write_deadline_ms", &WRITE_DEADLINE.as_millis().to_string()),
        ("limits.outbox_limit_bytes", "100000000"),
    ]);
    let ada = server.page("ada", "t").telling(much_data()).opens().await;
    let mut others = Vec::new();
    for visitor in 0..1_000 {
        others.push(server.page(&format!("v{visitor}"), "t").opens().await);
    }
    let mut agent = server.agent().await;
    assert_eq!(agent.watch("v0").await, Some(1));
    let mut deaf = deaf_agent(&server).await;
    deaf.send(&questions(1_500)).await;
    let ended = Instant::now() + 2 * SOON;
    let mut slowest = Duration::ZERO;
    let mut rounds = 0_u32;
    while server.figure("write_deadline_exceeded_total") == 0.0 {
        assert!(Instant::now() < ended, "the deaf client was never ended");
        rounds += 1;
        for other in others.iter_mut().step_by(100) {
            let asked = Instant::now();
            other.ok(json!({"type": "activity"})).await;
            slowest = slowest.max(asked.elapsed());
        }
        let url = json!({"url": format!("https://shop.example/{rounds}")});
        others[0].ok(json!({"type": "presence", "data": url})).await;
        agent.event("presence", url).await;
    }
    assert!(rounds >= 3 && slowest < WRITE_DEADLINE, "{rounds} rounds, {slowest:?}");
    // All of the thousand are still there.
    let mut asked = JoinSet::new();
    for mut other in others {
        asked.spawn(async move {
            other.ok(json!({"type": "activity"})).await;
        });
    }
    while let Some(asked) = asked.join_next().await {
        asked.unwrap();
    }
    deaf.ends().await;
    drop(ada);
}

#[tokio::test]
async fn rule_4_7_an_overflow_of_what_must_not_be_lost_closes_the_socket() {
    let server = Server::with(&[("limits.outbox_limit_bytes", "65536")]);
    let mut ada = server.page("ada", "t").telling(much_data()).opens().await;
    let mut deaf = deaf_agent(&server).await;
    let questions = questions(20);
    let overflows = || server.figure(r#"outbox_overflows_total{class="reliable"}"#);
    // Until the kernel's buffers and then the outbox are full. Behind each twenty goes a signal, which reaches the page when
    // they are answered: so the rounds count answers, however slow these are.
    for round in 0.. {
        assert!(round < 1_000, "the outbox never overflowed");
        let signal = json!({"type": "signal", "visitorid": "ada", "data": round}).to_string();
        deaf.send(&[&questions[..], &frame(TEXT, signal.as_bytes())].concat()).await;
        tokio::select! {
            _ = ada.gets(json!(round)) => {}
            () = until("an overflow", || overflows() > 0.0) => break,
        }
    }
    // Begins to read at last, and learns why.
    let closed = deaf.closed().await;
    assert_eq!((closed.code, closed.word()), (4002, "slow"));
    until("counted", || server.figure(r#"closes_total{code="slow"}"#) == 1.0).await;
}
