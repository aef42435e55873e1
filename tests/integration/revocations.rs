//! Tokens that are called back: by name, by subject, or all of a group.

use std::{
    cell::Cell,
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use sqlx::{Connection as _, SqliteConnection};

use crate::support::{
    Server, Socket, Stop,
    mint::{Signing, claims, now},
    server::GROUP,
    soon,
};

const ROUTE: &str = "/v1/groups/12345/revocations";
/// What is promised for open sockets.
const AT_ONCE: Duration = Duration::from_secs(1);
/// What a busy machine may take beyond that: as often as it takes for an answer to somebody else in the same time. One behind
/// the other there are the call and its writing, the sweep that ends the sockets, the wake-up of the stream and the pull,
/// and what each of them reads.
const TURNS: u32 = 6;

fn token(subject: &str, jti: &str) -> String {
    Signing::of_the_tests().sign(&claims(json!({"sub": subject, "jti": jti})))
}

fn operator() -> String {
    operator_of(GROUP)
}

/// One who is dated ahead, so that he outlives what he does to his group.
fn operator_of(group: &str) -> String {
    let changes =
        json!({"sub": "root", "jti": "root", "group": group, "scope": "operate", "iat": now() + 4});
    Signing::of_the_tests().sign(&claims(changes))
}

async fn revoke(server: &Server, wish: Value) -> Value {
    let (status, revocation) = server.rest_as(&operator(), "POST", ROUTE, Some(wish), &[]).await;
    assert_eq!(status, 201, "{revocation}");
    revocation
}

async fn status(server: &Server, token: &str) -> u16 {
    server.rest_as(token, "GET", "/v1/groups/12345/visitors", None, &[]).await.0
}

/// Has a page ask something as long as `during` lasts. Gives the longest that it waited for an answer, or for its turn.
async fn pulse<T>(page: &mut Socket, during: impl Future<Output = T>) -> (T, Duration) {
    const PAUSE: Duration = Duration::from_millis(5);
    let is_over = Cell::new(false);
    let during = async {
        let outcome = during.await;
        is_over.set(true);
        outcome
    };
    let asking = async {
        let mut slowest = Duration::ZERO;
        while !is_over.get() {
            let begun = Instant::now();
            page.ok(json!({"type": "activity"})).await;
            tokio::time::sleep(PAUSE).await;
            slowest = slowest.max(begun.elapsed().saturating_sub(PAUSE));
        }
        slowest
    };
    tokio::join!(during, asking)
}

#[tokio::test]
async fn whatever_lives_by_a_revoked_token_ends_within_a_second() {
    let server = Server::with(&[("server.workers", "2")]);
    let mut page = server.page("ada", "t").opens().await;
    let mut slowest = Duration::ZERO;
    for (round, wish) in [
        json!({"jti": "one"}),
        json!({"subject": "ada", "reason": "lost a laptop"}),
        json!({"all": true}),
    ]
    .into_iter()
    .enumerate()
    {
        let (stolen, other) = (token("ada", "one"), token("bob", "two"));
        let hits_other = round == 2;
        // Several, so that both threads have some.
        let mut sockets = Vec::new();
        for _ in 0..4 {
            sockets.push(server.agent_with(&stolen).await);
        }
        let mut stream = server.stream_with(&stolen, "", None).await;
        let pull = "/v1/groups/12345/events?wait_ms=30000&after=now";
        let pulling = async {
            let pulled = server.rest_as(&stolen, "GET", pull, None, &[]).await;
            (pulled, Instant::now())
        };
        let mut bystander = server.agent_with(&other).await;

        let ending = async {
            // The pull has begun when the stream and it are counted.
            crate::support::until("the pull", || server.figure("event_streams_open") == 2.0).await;
            let started = Instant::now();
            let all_end = async {
                let made = revoke(&server, wish.clone()).await;
                assert_eq!(made["by"], "root");
                let hit = sockets.iter_mut().chain(hits_other.then_some(&mut bystander));
                for socket in hit {
                    let closed = socket.closed().await;
                    assert_eq!((closed.code, closed.word()), (4507, "revoked"));
                }
                let told = soon("the stream's end", stream.told()).await;
                let found = (told.kind.as_str(), &told.data["code"]);
                assert_eq!(found, ("expired", &json!("revoked")));
                assert_eq!(stream.block().await, None);
                (made, Instant::now())
            };
            (started, pulse(&mut page, all_end).await)
        };
        let ((pulled, pull_ended), (started, ((made, ended), turn))) =
            tokio::join!(pulling, ending);
        assert_eq!((pulled.0, &pulled.1["code"]), (401, &json!("authorization")));
        let time = ended.max(pull_ended) - started;
        assert!(time < AT_ONCE + turn * TURNS, "{time:?} for {wish}, others waited {turn:?}");
        slowest = slowest.max(time);

        assert_eq!(status(&server, &stolen).await, 401);
        let mut again = Socket::open(&server, "/v1/agent", None).await;
        again.say(json!({"type": "hello", "token": stolen})).await;
        assert_eq!(again.closed().await.code, 4507);
        if !hits_other {
            bystander.leave().await;
            assert_eq!(status(&server, &other).await, 200);
        }
        // Taken back, it is believed again, for the next round.
        let path = format!("{ROUTE}/{}", made["id"].as_str().unwrap());
        let (taken, _) = server.rest_as(&operator(), "DELETE", &path, None, &[]).await;
        assert_eq!(taken, 200);
        assert_eq!(status(&server, &stolen).await, 200);
    }
    println!("all sockets, streams and pulls ended within {slowest:?} of the call");
}

#[tokio::test]
async fn a_revoked_socket_does_nothing_any_more_even_before_it_is_closed() {
    let server = Server::start();
    let page = server.page("ada", "t").opens().await;
    for round in 0..5 {
        let stolen = token("eve", &format!("eve-{round}"));
        let mut agent = server.agent_with(&stolen).await;
        revoke(&server, json!({"jti": format!("eve-{round}")})).await;
        agent
            .say(json!({"type": "signal", "visitorid": "ada", "data": "too late", "request": 1}))
            .await;
        let next = agent.next_or_close().await;
        assert_eq!(next.unwrap_err().word(), "revoked");
    }
    assert_eq!(server.figure("signals_held"), 0.0);
    page.leave().await;
}

#[tokio::test]
async fn revocations_outlive_kill_and_restart() {
    let server = Server::start();
    let stolen = [token("ada", "one"), token("bob", "two")];
    let kept = [
        revoke(&server, json!({"jti": "one"})).await,
        revoke(&server, json!({"subject": "bob", "reason": "left"})).await,
    ];
    // The answer has come: nothing may be lost now.
    let server = server.restarted(Stop::Kill);
    for stolen in &stolen {
        assert_eq!(status(&server, stolen).await, 401);
        let mut socket = Socket::open(&server, "/v1/agent", None).await;
        socket.say(json!({"type": "hello", "token": stolen})).await;
        assert_eq!(socket.closed().await.code, 4507);
    }
    let (_, list) = server.rest_as(&operator(), "GET", ROUTE, None, &[]).await;
    assert_eq!(list, json!({"revocations": kept, "next": null}));
    let path = format!("{ROUTE}/{}", kept[0]["id"].as_str().unwrap());
    server.rest_as(&operator(), "DELETE", &path, None, &[]).await;
    let server = server.restarted(Stop::Terminate);
    assert_eq!(status(&server, &stolen[0]).await, 200, "taken back for good");
    assert_eq!(status(&server, &stolen[1]).await, 401);
}

#[tokio::test]
async fn they_are_bounded_and_end_by_themselves() {
    let mut server = Server::start();
    server.signal(Stop::Terminate);
    server.ended();
    // As former processes left them: one that can touch no token any more, and as many as a group may have.
    let made = i64::try_from(now()).unwrap() * 1_000;
    let path = server.folder().join("saved.db");
    let url = format!("sqlite:{}", path.display());
    let mut storage = SqliteConnection::connect(&url).await.unwrap();
    let mut rows = storage.begin().await.unwrap();
    let ages = std::iter::once(121 * 60_000).chain((0..10_000).map(|n| 60_000 + n));
    for (number, age) in ages.enumerate() {
        sqlx::query("INSERT INTO revocations VALUES (?, '12345', 'token', ?, ?, 'root', NULL)")
            .bind(format!("{number:05}"))
            .bind(format!("jti-{number}"))
            .bind(made - age)
            .execute(&mut *rows)
            .await
            .unwrap();
    }
    rows.commit().await.unwrap();
    let count = async |storage: &mut SqliteConnection| {
        sqlx::query_scalar::<_, i64>("SELECT count(*) FROM revocations").fetch_one(storage).await
    };
    assert_eq!(count(&mut storage).await.unwrap(), 10_001);

    let server = server.restarted(Stop::Terminate);
    server.comes_to("revocations", 10_000.0).await;
    assert_eq!(count(&mut storage).await.unwrap(), 10_000, "the old one is gone");
    assert_eq!(status(&server, &token("ada", "jti-0")).await, 200);
    assert_eq!(status(&server, &token("ada", "jti-7")).await, 401);
    let wish = Some(json!({"jti": "one-more"}));
    let (refused, problem) = server.rest_as(&operator(), "POST", ROUTE, wish, &[]).await;
    assert_eq!((refused, &problem["code"]), (429, &json!("toomany")), "{problem}");
    // Other groups have their own room.
    let route = "/v1/groups/777/revocations";
    let wish = Some(json!({"jti": "one"}));
    assert_eq!(server.rest_as(&operator_of("777"), "POST", route, wish, &[]).await.0, 201);
    // Page by page, each once.
    let (mut names, mut cursor) = (Vec::new(), String::new());
    loop {
        let path = format!("{ROUTE}?limit=1000{cursor}");
        let (_, page) = server.rest_as(&operator(), "GET", &path, None, &[]).await;
        let page_of = page["revocations"].as_array().unwrap();
        names.extend(page_of.iter().map(|one| one["id"].as_str().unwrap().to_owned()));
        let Some(next) = page["next"].as_str() else { break };
        cursor = format!("&cursor={next}");
    }
    let expected: Vec<_> = (1..=10_000).map(|number| format!("{number:05}")).collect();
    assert_eq!(names, expected);
    // The whole group, in place of them all.
    revoke(&server, json!({"all": true})).await;
    server.comes_to("revocations", 2.0).await;
    assert_eq!(count(&mut storage).await.unwrap(), 2);
    storage.close().await.unwrap();
}

#[tokio::test]
async fn a_wish_is_checked_and_only_who_operates_has_one() {
    let server = Server::start();
    for (wish, field) in [
        (json!({}), "jti"),
        (json!({"jti": "a", "subject": "b"}), "jti"),
        (json!({"all": false}), "jti"),
        (json!({"jti": ""}), "jti"),
        (json!({"jti": "x".repeat(65)}), "jti"),
        (json!({"subject": "a\nb"}), "subject"),
        (json!({"subject": "x".repeat(256)}), "subject"),
        (json!({"all": true, "reason": ""}), "reason"),
        (json!({"all": true, "until": 1}), "until"),
    ] {
        let (status, problem) =
            server.rest_as(&operator(), "POST", ROUTE, Some(wish.clone()), &[]).await;
        assert_eq!((status, &problem["field"]), (400, &json!(field)), "{wish} {problem}");
    }
    let missing = format!("{ROUTE}/00000000000000000000000000000000");
    assert_eq!(server.rest_as(&operator(), "DELETE", &missing, None, &[]).await.0, 404);
    let everything = json!({"all": true});
    for (token, status) in [
        (Server::token(), 403),
        (operator_of("777"), 403),
        (
            Signing::secret(None, b"somebody else's secret, thirty-two").sign(&claims(json!({}))),
            401,
        ),
    ] {
        let (found, _) = server.rest_as(&token, "POST", ROUTE, Some(everything.clone()), &[]).await;
        assert_eq!(found, status);
    }
    assert_eq!(server.figure("revocations"), 0.0);
    // A token that is made right after its group's revocation is not meant by it.
    revoke(&server, everything).await;
    let wish = json!({"group": GROUP, "subject": "ann"});
    let key = crate::support::server::API_KEY;
    let (_, bought) = server.rest_as(key, "POST", "/v1/tokens", Some(wish), &[]).await;
    server.agent_with(bought["token"].as_str().unwrap()).await.leave().await;
}
