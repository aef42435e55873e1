//! Events for back ends.

use divan::{Bencher, black_box};
use vestibule::{
    clock::{Clock, Timestamp},
    events::hub::Hub,
    model::{
        event::{Event, EventKind},
        ids::VisitorKey,
    },
    presence::handle::Tap as _,
    settings::{self, Sources},
    telemetry::Metrics,
};

use crate::hello;

/// What back ends cost where nobody reads: an event is encoded and kept.
fn hub(more: &[(&str, &str)]) -> (Hub, VisitorKey, Event) {
    let environment = [
        ("VESTIBULE_AUTH__SIGNING_KEY", "a key that only this benchmark knows"),
        ("VESTIBULE_GROUPS__0__ID", "12345"),
    ];
    let owned = |(name, text): &(&str, &str)| ((*name).to_owned(), (*text).to_owned());
    let environment = environment.iter().chain(more).map(owned).collect();
    let settings = settings::load(&Sources { environment, ..Sources::default() }).unwrap();
    let hub = Hub::new(&settings, Clock::system(), &Metrics::new());
    let hello = hello();
    let key = VisitorKey { group: "12345".parse().unwrap(), visitor: hello.visitorid };
    let event = Event {
        visitorid: key.visitor.clone(),
        epoch: 1_700_000_000_000,
        sequence: 7,
        time: Timestamp(1_700_000_000_123),
        present: false,
        kind: EventKind::Presence(hello.data.unwrap()),
    };
    (hub, key, event)
}

#[divan::bench]
fn event_presence_kept(bencher: Bencher) {
    let (hub, key, event) = hub(&[]);
    bencher.bench_local(|| hub.heard(&key, black_box(&event)));
}

#[divan::bench]
fn event_sock_kept(bencher: Bencher) {
    let (hub, key, event) = hub(&[]);
    let event = Event { kind: EventKind::VisitorSock { connected: true, sockets: 1 }, ..event };
    bencher.bench_local(|| hub.heard(&key, black_box(&event)));
}

/// Likewise, where the group's settings switch events off.
#[divan::bench]
fn event_switched_off(bencher: Bencher) {
    let (hub, key, event) = hub(&[("VESTIBULE_GROUPS__0__EVENTS", "false")]);
    bencher.bench_local(|| hub.heard(&key, black_box(&event)));
}

/// Likewise, where it also waits for a webhook, whose oldest event gives way.
#[divan::bench]
fn event_sock_for_a_webhook(bencher: Bencher) {
    let (hub, key, event) = hub(&[
        ("VESTIBULE_GROUPS__0__WEBHOOKS__0__URL", "https://a.example"),
        ("VESTIBULE_GROUPS__0__WEBHOOKS__0__SECRETS", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"),
    ]);
    let event = Event { kind: EventKind::VisitorSock { connected: true, sockets: 1 }, ..event };
    bencher.bench_local(|| hub.heard(&key, black_box(&event)));
}
