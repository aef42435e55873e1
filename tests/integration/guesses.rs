//! How often an attacker may guess, measured at the server as it comes, and what that gives him. `docs/security.md` has
//! the figures; the last test here ties them to the settings.

use std::path::Path;

use serde_json::{Value, json};
use vestibule::{
    limits::Rate,
    settings::{self, Settings, Sources},
};

use crate::support::{
    Server,
    server::{API_KEY, GROUP},
};

const HOUR_MS: u64 = 3_600_000;

fn defaults() -> Settings {
    settings::load(&Sources::default()).unwrap()
}

/// One who asks in the name of a client, through a trusted proxy.
struct Client<'a> {
    server: &'a Server,
    address: String,
}

impl Client<'_> {
    async fn post(&self, path: &str, bearer: &str, body: Value) -> (u16, Value) {
        let url = format!("http://{}{path}", self.server.address());
        let request = reqwest::Client::new().post(url).header("x-forwarded-for", &self.address);
        let answer = request.bearer_auth(bearer).json(&body).send().await.unwrap();
        (answer.status().as_u16(), answer.json().await.unwrap_or_default())
    }

    async fn asks_for_a_token(&self, key: &str) -> u16 {
        self.post("/v1/tokens", key, json!({"group": GROUP, "subject": "x"})).await.0
    }

    async fn offers_a_login_key(&self, key: &str) -> u16 {
        let body = json!({"groupid": GROUP, "partneruserid": "grace", "loginkey": key});
        self.post("/authorization", "", body).await.0
    }

    /// 200 for an answer, right or wrong; 429 beyond the limit.
    async fn guesses(&self, code: u64) -> u16 {
        let path = format!("/v1/groups/{GROUP}/visitors?uniqueid={code:06}");
        let url = format!("http://{}{path}", self.server.address());
        let request = reqwest::Client::new().get(url).header("x-forwarded-for", &self.address);
        request.bearer_auth(Server::token()).send().await.unwrap().status().as_u16()
    }
}

fn server() -> Server {
    Server::with(&[
        ("server.trusted_proxies", "127.0.0.1"),
        ("groups.0.partner_key", "a-key-of-the-partner"),
    ])
}

#[tokio::test]
async fn codes_are_guessed_at_so_often_by_an_address_and_by_a_group() {
    let limits = defaults().limits;
    let (by_address, by_group) =
        (limits.guesses_per_minute.get(), limits.guesses_per_minute_total.get());
    let server = server();
    let mut answered = 0;
    let mut addresses = 0;
    // Each address guesses until it is told to wait; new ones come until that helps no more.
    loop {
        addresses += 1;
        let client = Client {
            server: &server,
            address: format!("198.51.{}.{}", addresses / 250, addresses % 250),
        };
        let mut own = 0;
        while own <= by_address && client.guesses(answered.into()).await == 200 {
            own += 1;
            answered += 1;
        }
        if own == 0 {
            break;
        }
        // One may come back while it asks: the pace is one in three seconds.
        let is_full = own == by_address || own == by_address + 1;
        assert!(is_full || answered >= by_group, "{own} of address {addresses}, {answered} in all");
        assert!(addresses < 100, "{answered} guesses, and no end");
    }
    // While that lasted, some of the group's allowance came back: ten a second.
    assert!((by_group..by_group + 200).contains(&answered), "{answered}");
    assert!(server.figure(r#"limited_total{what="guess"}"#) >= f64::from(addresses - 1));
}

/// Many at once are bounded like one after another, and what somebody knows buys him no guesses.
#[tokio::test]
async fn guesses_at_once_and_among_right_answers_are_as_few() {
    let limit = defaults().limits.guesses_per_minute.get();
    let server = server();
    let mut page = server.page("ada", "t").opens().await;
    let unique = page.ok(json!({"type": "unique"})).await;
    let own: u64 = unique["uniqueid"].as_str().unwrap().parse().unwrap();
    let attacker = Client { server: &server, address: "198.51.100.1".into() };
    for _ in 0..3 * limit {
        assert_eq!(attacker.guesses(own).await, 200);
    }
    let started = std::time::Instant::now();
    let wrong = (0..u64::from(4 * limit)).filter(|code| *code != own);
    let all = wrong.flat_map(|code| [attacker.guesses(own), attacker.guesses(code)]);
    let answered = futures_util::future::join_all(all).await;
    let wrong = answered.iter().skip(1).step_by(2).filter(|status| **status == 200).count();
    let back = started.elapsed().as_secs() / 3 + 1;
    let most = u64::from(limit) + back;
    assert!((1..=most).contains(&(wrong as u64)), "{wrong} of at most {most}");
}

#[tokio::test]
async fn wrong_keys_are_counted_by_address_and_right_ones_are_not() {
    let limit = defaults().limits.guesses_per_minute.get();
    let server = server();
    let attacker = Client { server: &server, address: "2001:db8::1".into() };
    let neighbour = Client { server: &server, address: "2001:db8::2".into() };
    let stranger = Client { server: &server, address: "198.51.100.1".into() };
    let wrong_login_key = "$1$4102444800$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
    for guess in 0..limit {
        let status = if guess % 2 == 0 {
            attacker.asks_for_a_token("not-the-key-at-all").await
        } else {
            attacker.offers_a_login_key(wrong_login_key).await
        };
        assert_eq!(status, 401, "guess {guess}");
    }
    assert_eq!(attacker.asks_for_a_token("not-the-key-at-all").await, 429);
    assert_eq!(attacker.offers_a_login_key(wrong_login_key).await, 429);
    assert_eq!(neighbour.asks_for_a_token(API_KEY).await, 429, "the same network");
    // Others of the group are not shut out, however often they ask.
    for _ in 0..2 * limit {
        assert_eq!(stranger.asks_for_a_token(API_KEY).await, 201);
    }
    server.comes_to(r#"limited_total{what="guess"}"#, 3.0).await;
    let (status, problem) =
        attacker.post("/v1/tokens", "x", json!({"group": GROUP, "subject": "x"})).await;
    assert_eq!((status, &problem["code"]), (429, &json!("ratelimited")));
    assert!(problem["retry_ms"].as_u64().unwrap() <= 3_000, "{problem}");
}

/// The chance that one of `guesses` at random hits one of `living` among `all`.
fn chance(guesses: u64, living: f64, all: f64) -> f64 {
    -f64::exp_m1(guesses as f64 * f64::ln_1p(-living / all))
}

fn percent(chance: f64) -> String {
    format!("{:.1} %", chance * 100.0)
}

#[test]
fn the_figures_of_the_security_page_are_those_of_the_settings() {
    let settings = defaults();
    let limits = &settings.limits;
    let an_hour = |rate| Rate::per_minute(rate).within_ms(HOUR_MS);
    let (by_address, by_group) =
        (an_hour(limits.guesses_per_minute), an_hour(limits.guesses_per_minute_total));
    let codes = 10_f64.powi(settings.presence.unique_id_digits.into());
    let keys = 62_f64.powi(16);
    let figures = [
        format!("{} guesses an hour from one address", thousands(by_address)),
        format!("{} from all addresses", thousands(by_group)),
        format!("one code lives: {}", percent(chance(by_address, 1.0, codes))),
        format!("{} from all", percent(chance(by_group, 1.0, codes))),
        format!("100 live: {}", percent(chance(by_address, 100.0, codes))),
        format!("{} from all", percent(chance(by_group, 100.0, codes))),
        format!("10,000 addresses: {}", thousands(10_000 * by_address)),
        format!("a chance of {:.0e} an hour", chance(10_000 * by_address, 1.0, keys)),
    ];
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/security.md");
    let page =
        std::fs::read_to_string(page).unwrap().split_whitespace().collect::<Vec<_>>().join(" ");
    for figure in figures {
        assert!(page.contains(&figure), "docs/security.md lacks: {figure}");
    }
}

fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let parts: Vec<_> = digits.as_bytes().rchunks(3).rev().map(String::from_utf8_lossy).collect();
    parts.join(",")
}
