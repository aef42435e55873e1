//! Co-browse: the visitor's page, its stream, the agent and the back end each come to another one.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::support::{
    Server, Stop,
    cobrowse::{Part, Shown},
    server::SHOP,
    soon,
};

/// How long after the loss of a node both sides see each other again.
const BACK_WITHIN: Duration = Duration::from_secs(3);

/// What a page looks like.
fn picture(number: u32) -> String {
    json!([{"type": 2, "data": format!("picture {number}")}]).to_string()
}

/// A session whose page is on one node, whose stream on another, and whose agent on a third.
async fn shown(page: &Server, stream: &Server, desk: &Server) -> Shown {
    let mut tab = page.page("ada", "t").opens().await;
    let begun = desk.begins_session("ada").await;
    tab.enters(&begun.session, "cart").await;
    let mut viewer = desk.views(&begun.ticket, "w").await;
    tab.agrees().await;
    let record = tab.waits_for("record").await;
    let mut stream = stream.shows(&record).await;
    let picture = Part::key_frame(epoch(&record), &picture(1));
    stream.sends(&picture).await;
    assert_eq!(viewer.sees().await, picture);
    Shown { session: begun.session, page: tab, record, stream, viewer }
}

fn epoch(record: &Value) -> u32 {
    record["epoch"].as_u64().unwrap().try_into().unwrap()
}

#[tokio::test]
async fn page_stream_agent_and_back_end_each_come_to_another_node() {
    let Some([a, b, c]) = Server::nodes() else { return };
    let Shown { session, mut page, mut stream, mut viewer, .. } = shown(&a, &b, &c).await;
    for number in 0..50 {
        let part = Part::more(1, &json!([{"type": 3, "data": number}]).to_string());
        stream.sends(&part).await;
        assert_eq!(viewer.sees().await, part);
    }
    // An agent who comes late, to a node that has nothing of the session, and to one that has viewers.
    for (node, tab) in [(&a, "x"), (&c, "y")] {
        let ticket = b.ticket(&session, json!({})).await;
        let mut late = node.views(&ticket, tab).await;
        assert_eq!(late.sees().await, Part::key_frame(1, &picture(1)));
        for _ in 0..50 {
            assert!(!late.sees().await.key_frame);
        }
    }
    viewer.say(json!({"type": "cursor", "x": 1.0, "y": 2.0})).await;
    assert_eq!(stream.waits_for("cursor").await["x"], 1.0);
    viewer.say(json!({"type": "keyframe"})).await;
    stream.waits_for("keyframe").await;
    viewer.ok(json!({"type": "askcontrol"})).await;
    assert_eq!(page.waits_for("ask").await["to"], "control");
    page.ok(json!({"type": "consent", "to": "control", "given": true})).await;
    for node in [&a, &b, &c] {
        assert_eq!(node.session(&session).await["running"]["control"], 2);
        let (status, listed) = node.rest("GET", "/v1/groups/12345/sessions", None).await;
        assert_eq!((status, &listed["sessions"][0]["session"]), (200, &json!(session)));
    }
    page.ok(json!({"type": "pause", "paused": true})).await;
    viewer.told("view").await;
    page.ok(json!({"type": "pause", "paused": false})).await;
    let stopped = page.waits_for("record").await;
    assert_eq!(stopped["on"], false);
    let mut stream = c.shows(&page.waits_for("record").await).await;
    let part = Part::key_frame(1, &picture(2));
    stream.sends(&part).await;
    assert_eq!(viewer.sees().await, part);
    let (status, _) = b.rest("DELETE", &format!("/v1/groups/12345/sessions/{session}"), None).await;
    assert_eq!(status, 204);
    viewer.told("ended").await;
    assert!(a.session(&session).await["running"].is_null());
}

#[tokio::test]
async fn assets_are_put_and_shown_by_any_node() {
    let Some([a, b, c]) = Server::nodes() else { return };
    let mut shown = shown(&a, &b, &c).await;
    let logo = vec![7_u8; 100_000];
    let sha256: String = Sha256::digest(&logo).iter().map(|byte| format!("{byte:02x}")).collect();
    let asset = json!({
        "type": "asset", "asset": 1, "sha256": sha256, "content_type": "image/png",
        "bytes": logo.len(),
    });
    shown.stream.say(asset).await;
    shown.stream.waits_for("want").await;
    let names = shown.viewer.welcome["assets"].as_str().unwrap().to_owned();
    let path = format!("/watch/assets/{names}/1/1");
    // One asks before it is there.
    let early = tokio::spawn(bytes(at(&a, &path)));
    let ticket = shown.record["ticket"].as_str().unwrap();
    let put = put(&at(&c, &format!("/v1/assets/{sha256}")), ticket, &logo).await;
    assert_eq!(put, 204);
    assert_eq!(soon("the asset", early).await.unwrap(), logo);
    for node in [&a, &b, &c] {
        assert_eq!(bytes(at(node, &path)).await, logo);
    }
}

fn at(node: &Server, path: &str) -> String {
    format!("http://{}{path}", node.address())
}

async fn bytes(address: String) -> Vec<u8> {
    let shown = reqwest::get(&address).await.unwrap();
    assert_eq!(shown.status(), 200, "{address}");
    shown.bytes().await.unwrap().to_vec()
}

async fn put(address: &str, ticket: &str, content: &[u8]) -> u16 {
    let request = reqwest::Client::new().put(address);
    let request = request.header("authorization", format!("Ticket {ticket}"));
    let request = request.header("origin", SHOP).body(content.to_vec());
    request.send().await.unwrap().status().as_u16()
}

#[tokio::test]
async fn a_node_that_dies_in_the_middle_of_a_session_costs_no_consent_and_no_picture() {
    let Some([a, mut b, c]) = Server::nodes() else { return };
    let begun = Instant::now();
    let Shown { session, page, mut stream, mut viewer, .. } = shown(&b, &b, &c).await;
    let usual = begun.elapsed();
    stream.sends(&Part::more(1, "[]")).await;
    viewer.sees().await;
    // The agent's, too.
    let ticket = c.ticket(&session, json!({})).await;
    let mut lost = b.views(&ticket, "x").await;
    lost.sees().await;
    let again = lost.welcome["ticket"].as_str().unwrap().to_owned();
    b.signal(Stop::Kill);
    assert!(!b.ended().success());
    let killed = Instant::now();
    drop((page, stream, lost));
    let mut page = a.page("ada", "t").opens().await;
    let entered = page.enters(&session, "cart").await;
    assert_eq!(entered["view"], "on", "nobody is asked again: {entered}");
    let record = page.waits_for("record").await;
    let mut stream = c.shows(&record).await;
    let part = Part::key_frame(epoch(&record), &picture(2));
    stream.sends(&part).await;
    assert_eq!(viewer.sees().await, part);
    let mut back = a.views(&again, "x").await;
    assert_eq!(back.sees().await, part);
    // Nobody waits for the end of a lease. The same steps took as long as usual before, on the same machine.
    let took = killed.elapsed();
    assert!(took < BACK_WITHIN.max(10 * usual), "{took:?}, and before that {usual:?}");
    let view = a.session(&session).await;
    assert_eq!(view["running"]["members"].as_array().unwrap().len(), 3, "{view}");
}

#[tokio::test]
async fn a_stream_that_moves_to_another_node_goes_on_for_all_who_view_it() {
    let Some([a, b, c]) = Server::nodes() else { return };
    let Shown { session, page: _page, record, stream, mut viewer } = shown(&a, &b, &c).await;
    let ticket = c.ticket(&session, json!({})).await;
    let mut near = b.views(&ticket, "x").await;
    near.sees().await;
    drop(stream);
    for (number, node) in [&a, &c, &b, &a].into_iter().enumerate() {
        let mut stream = node.shows(&record).await;
        let part = Part::key_frame(1, &picture(u32::try_from(number).unwrap() + 2));
        stream.sends(&part).await;
        for viewer in [&mut viewer, &mut near] {
            assert_eq!(viewer.sees().await, part, "from {number}");
        }
        let more = Part::more(1, &json!([number]).to_string());
        stream.sends(&more).await;
        for viewer in [&mut viewer, &mut near] {
            assert_eq!(viewer.sees().await, more, "from {number}");
        }
    }
}
