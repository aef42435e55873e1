//! The long-polling transport: each request holds messages and is answered by messages. A connect that came alone waits for
//! its answer, bounded in time by the rules and in number by the settings.

use std::time::Duration;

use actix_web::{
    HttpRequest, HttpResponse, HttpResponseBuilder,
    http::{
        Method, StatusCode,
        header::{self, HeaderMap, HeaderValue},
    },
    web::{self, ServiceConfig, resource},
};
use tokio::sync::oneshot;

use super::{
    answer::{Advice, Answer, array},
    client::{
        CONNECT, ClientId,
        command::{From, Pause},
    },
    lines::{Answered, Entry},
    message::{Broken, Message, MessageId, Unreadable, read},
    server::{Bayeux, Visit, group_of},
};
use crate::{
    http::{
        error::ApiError,
        extract::{Body, client_address},
        state::State,
    },
    model::ids::SocketAddress,
    sockets::service::PageOrigin,
    telemetry::labels::Limited,
};

/// How long a request may wait beyond the time for which a connect is held: for its messages to be carried out.
const LATEST: Duration = Duration::from_secs(30);

/// The cookie by which servers of this protocol know a browser.
const COOKIE: &str = "BAYEUX_BROWSER";

/// Adds the endpoint at `base` and below: clients append words of their own.
pub fn routes(service: &mut ServiceConfig, base: &str) {
    for path in [base.to_owned(), format!("{base}/{{below:.*}}")] {
        service.service(
            resource(path)
                .route(web::post().to(post))
                .route(web::method(Method::OPTIONS).to(HttpResponse::Ok))
                .default_service(web::to(HttpResponse::BadRequest)),
        );
    }
}

async fn post(
    request: HttpRequest,
    state: State,
    bayeux: web::Data<Bayeux>,
    body: Result<Body, ApiError>,
) -> HttpResponse {
    let origin = state.origin_of(request.headers());
    if matches!(origin, PageOrigin::Other(_)) && group_of(&state, &origin).is_none() {
        return HttpResponse::Forbidden().finish();
    }
    if !state.lifecycle.is_ready() {
        return busy();
    }
    let body = match body {
        Ok(Body(body)) => body,
        Err(_) => return HttpResponse::PayloadTooLarge().finish(),
    };
    let Some(text) = messages_of(request.headers(), &body) else {
        return HttpResponse::UnsupportedMediaType().finish();
    };
    let messages = match read(&text) {
        Ok(messages) => messages,
        Err(unreadable) => {
            if unreadable == Unreadable::Deep {
                state.metrics.limited.of(Limited::Depth).inc();
            }
            return HttpResponse::BadRequest().finish();
        }
    };
    let Some((entry, answered)) = bayeux.lines().request(bayeux.settings().max_waiting) else {
        state.metrics.limited.of(Limited::BayeuxWaiting).inc();
        return busy();
    };
    let at = SocketAddress { node: bayeux.node(), socket: entry.id };
    let known = browser(request.headers());
    let new = (known.is_none() && any(&messages, "/meta/handshake"))
        .then(|| format!("{:032x}", rand::random::<u128>()));
    // In strict mode a client without its cookie is as good as one with another's.
    let strict = || bayeux.settings().require_cookie.then(Box::default);
    let browser = known.or_else(|| new.as_deref().map(Into::into)).or_else(strict);
    let lone = (messages.len() == 1 && any(&messages, CONNECT)).then(|| id_of(&messages));
    let tab = browser.clone().filter(|_| lone.is_some());
    let place = bayeux.tabs().zip(tab).map(|(tabs, browser)| tabs.take(browser));
    let interval_ms = bayeux.settings().tabs_pause_ms;
    let pause = matches!(place, Some(None)).then_some(Pause { interval_ms, many_tabs: true });
    let visit = Visit {
        from: From { at, is_socket: false, browser },
        address: client_address(&state, &request),
        origin,
        pause,
    };
    let mut waiting = Waiting { bayeux: Bayeux::clone(&bayeux), client: None, at, _entry: entry };
    let carried_out = bayeux.begin(state.get_ref(), visit, messages);
    let (timeout_ms, overtaken) =
        (bayeux.settings().timeout_ms, bayeux.settings().overtaken_status);
    let limit = Duration::from_millis(timeout_ms) + LATEST;
    let answered = waiting.answer(limit, carried_out, answered).await;
    drop(place);
    match answered {
        Ok(Answered::With(messages)) => {
            let mut response = messages_to_client();
            if let Some(cookie) = new {
                response.insert_header((header::SET_COOKIE, set_cookie(&state, &cookie)));
            }
            response.body(array(&messages))
        }
        Ok(Answered::Overtaken) => HttpResponse::build(
            StatusCode::from_u16(overtaken).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR),
        )
        .finish(),
        Err(Unanswered) => unanswered(lone, timeout_ms),
    }
}

fn messages_to_client() -> HttpResponseBuilder {
    let mut response = HttpResponse::Ok();
    response.content_type("application/json;charset=UTF-8");
    response
}

/// What becomes of a request whose answer was lost. A `lone` connect, by its id, ends as one does that was held while nothing
/// came: the client connects again, and hears then how it stands. Of others nobody knows what was done.
fn unanswered(lone: Option<Option<MessageId>>, timeout_ms: u64) -> HttpResponse {
    match lone {
        Some(id) => {
            let again = Answer::done(CONNECT, id.as_ref()).advised(Advice::retry(timeout_ms));
            messages_to_client().body(array(&[again.text()]))
        }
        None => HttpResponse::InternalServerError().finish(),
    }
}

/// A request that waits. When its connection breaks meanwhile, the client's clock starts.
struct Waiting {
    bayeux: Bayeux,
    client: Option<ClientId>,
    at: SocketAddress,
    _entry: Entry,
}

/// A request has no answer.
#[derive(Debug, PartialEq, Eq)]
struct Unanswered;

impl Waiting {
    /// What the request is answered with, at the latest after `limit`.
    async fn answer(
        &mut self,
        limit: Duration,
        carried_out: oneshot::Receiver<Option<ClientId>>,
        answered: oneshot::Receiver<Answered>,
    ) -> Result<Answered, Unanswered> {
        let (bayeux, at, client) = (&self.bayeux, self.at, &mut self.client);
        let mut gaps = bayeux.lines().gaps();
        let lost = async |client: Option<ClientId>| {
            let Some(client) = client else { return std::future::pending().await };
            while gaps.changed().await.is_ok() {
                if bayeux.has_answered(client, at).await {
                    return;
                }
            }
        };
        let waits = |carrying| *client = carrying;
        let answer = in_time(limit, carried_out, answered, waits, lost).await?;
        self.client = None;
        Ok(answer)
    }
}

/// The answer, at the latest after `limit`, unless it is `lost`, which is asked when the messages were carried out.
async fn in_time(
    limit: Duration,
    carried_out: oneshot::Receiver<Option<ClientId>>,
    answered: oneshot::Receiver<Answered>,
    waits: impl FnOnce(Option<ClientId>),
    lost: impl AsyncFnOnce(Option<ClientId>),
) -> Result<Answered, Unanswered> {
    let answer = async {
        let client = carried_out.await.ok().flatten();
        waits(client);
        tokio::select! {
            // What was answered before somebody found that it was answered is there by then.
            biased;
            answered = answered => answered.map_err(|_| Unanswered),
            () = lost(client) => Err(Unanswered),
        }
    };
    actix_rt::time::timeout(limit, answer).await.unwrap_or(Err(Unanswered))
}

impl Drop for Waiting {
    fn drop(&mut self) {
        if let Some(client) = self.client {
            self.bayeux.lost(client, self.at);
        }
    }
}

fn any(messages: &[Result<Message, Broken>], channel: &str) -> bool {
    messages.iter().flatten().any(|message| message.channel.as_str() == channel)
}

/// The id of the only message.
fn id_of(messages: &[Result<Message, Broken>]) -> Option<MessageId> {
    messages.first()?.as_ref().ok()?.id.clone()
}

fn busy() -> HttpResponse {
    HttpResponse::ServiceUnavailable().insert_header((header::RETRY_AFTER, "1")).finish()
}

/// The messages of a body: JSON, also where the type is missing, or the field `message` of a form. `None` for what is
/// neither.
fn messages_of<'a>(headers: &HeaderMap, body: &'a [u8]) -> Option<std::borrow::Cow<'a, [u8]>> {
    let kind = headers.get(header::CONTENT_TYPE).map_or(Ok(""), HeaderValue::to_str).ok()?;
    let kind = kind.split(';').next().unwrap_or_default().trim();
    match kind.to_ascii_lowercase().as_str() {
        "" | "application/json" | "text/json" => Some(body.into()),
        "application/x-www-form-urlencoded" => {
            let mut fields = form_urlencoded::parse(body);
            let message = fields.find(|(name, _)| name == "message");
            Some(message.map_or_else(Vec::new, |(_, text)| text.into_owned().into_bytes()).into())
        }
        _ => None,
    }
}

/// The browser that a request's cookie names.
pub(super) fn browser(headers: &HeaderMap) -> Option<Box<str>> {
    let lines = headers.get_all(header::COOKIE).filter_map(|line| line.to_str().ok());
    let mut pairs = lines.flat_map(|line| line.split(';')).filter_map(|pair| pair.split_once('='));
    let (_, value) = pairs.find(|(name, _)| name.trim() == COOKIE)?;
    let value = value.trim();
    let good = value.len() == 32 && value.bytes().all(|byte| byte.is_ascii_hexdigit());
    good.then(|| value.into())
}

/// Pages of agents' desktops come from other sites, which is possible over TLS only.
fn set_cookie(state: &State, value: &str) -> String {
    let public = state.settings.server.public_url.as_deref();
    let is_secure =
        state.settings.server.tls.is_some() || public.is_some_and(|url| url.starts_with("https:"));
    let across = if is_secure { "; Secure; SameSite=None" } else { "" };
    format!("{COOKIE}={value}; Path=/; HttpOnly{across}")
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn headers(name: header::HeaderName, value: &str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(name, HeaderValue::from_str(value).unwrap());
        headers
    }

    #[actix_rt::test]
    async fn a_request_whose_answer_is_lost_does_not_wait_for_ever() {
        let limit = Duration::from_millis(20);
        let client = ClientId::from_u128(1);
        let (held, answered) = oneshot::channel();
        let (carry_out, carried_out) = oneshot::channel();
        carry_out.send(Some(client)).unwrap();
        let mut waits = None;
        let never = async |_| std::future::pending().await;
        let answer = in_time(limit, carried_out, answered, |client| waits = client, never).await;
        assert_eq!((answer, waits), (Err(Unanswered), Some(client)));
        drop(held);
        // Nor one whose messages are never carried out.
        let (_busy, carried_out) = oneshot::channel();
        let (answer, answered) = oneshot::channel();
        answer.send(Answered::Overtaken).unwrap();
        assert_eq!(in_time(limit, carried_out, answered, |_| (), never).await, Err(Unanswered));
    }

    /// Any failure has clients wait longer and longer, and in the end shake hands anew.
    #[actix_rt::test]
    async fn a_lone_connect_without_an_answer_is_told_to_come_again_and_others_fail() {
        for id in [serde_json::from_value::<MessageId>(json!("7")).ok(), None] {
            let response = unanswered(Some(id.clone()), 30_000);
            assert_eq!(response.status(), StatusCode::OK);
            let kind = response.headers().get(header::CONTENT_TYPE).unwrap();
            assert_eq!(kind, "application/json;charset=UTF-8");
            let body = actix_web::body::to_bytes(response.into_body()).await.unwrap();
            let mut expected = json!([{"channel": "/meta/connect", "successful": true,
                "advice": {"reconnect": "retry", "interval": 0, "timeout": 30_000}}]);
            if id.is_some() {
                expected[0]["id"] = "7".into();
            }
            assert_eq!(serde_json::from_slice::<Value>(&body).unwrap(), expected);
        }
        assert_eq!(unanswered(None, 30_000).status(), StatusCode::INTERNAL_SERVER_ERROR);
    }

    #[actix_rt::test]
    async fn a_request_whose_answer_was_missed_waits_no_longer_and_one_that_has_it_is_answered() {
        let limit = Duration::from_secs(60);
        for is_there in [false, true] {
            let (answer, answered) = oneshot::channel();
            let (carry_out, carried_out) = oneshot::channel();
            carry_out.send(Some(ClientId::from_u128(1))).unwrap();
            let lost = async move |client: Option<ClientId>| {
                assert_eq!(client, Some(ClientId::from_u128(1)));
                if is_there {
                    answer.send(Answered::Overtaken).unwrap();
                    tokio::task::yield_now().await;
                }
            };
            let expected = if is_there { Ok(Answered::Overtaken) } else { Err(Unanswered) };
            assert_eq!(in_time(limit, carried_out, answered, |_| (), lost).await, expected);
        }
    }

    #[test]
    fn bodies_are_json_or_a_form() {
        let read = |kind: &str, body: &'static [u8]| {
            messages_of(&headers(header::CONTENT_TYPE, kind), body).map(|text| text.into_owned())
        };
        assert_eq!(messages_of(&HeaderMap::new(), b"[]").as_deref(), Some(&b"[]"[..]));
        assert_eq!(read("application/json", b"[]").unwrap(), b"[]");
        assert_eq!(read("Application/JSON;charset=UTF-8", b"[]").unwrap(), b"[]");
        assert_eq!(
            read("application/x-www-form-urlencoded", b"a=1&message=%5B%5D").unwrap(),
            b"[]"
        );
        assert_eq!(read("application/x-www-form-urlencoded", b"a=1").unwrap(), b"");
        assert_eq!(read("text/plain", b"[]"), None);
    }

    #[test]
    fn a_browser_is_named_by_its_cookie_and_by_nothing_like_it() {
        let hex = "0123456789abcdef0123456789abcdef";
        let of = |line: &str| browser(&headers(header::COOKIE, line));
        assert_eq!(of(&format!("a=b; BAYEUX_BROWSER={hex}")).as_deref(), Some(hex));
        assert_eq!(of(&format!("XBAYEUX_BROWSER={hex}")), None);
        assert_eq!(of("BAYEUX_BROWSER=short"), None);
        assert_eq!(browser(&HeaderMap::new()), None);
    }
}
