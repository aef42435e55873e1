//! Live lists of 10,000 visitors.

use std::sync::Arc;

use divan::{Bencher, black_box};
use vestibule::{
    clock::{Clock, Timestamp},
    lists::{
        Lists, Reader,
        page::PageQuery,
        state::{ListLimits, Size, State},
    },
    model::{
        event::Visibility,
        ids::{SocketId, VisitorId, VisitorKey},
        list::{Filter, ListQuery, Row, Window},
        protocol::agent::{ListChange, ToAgent},
    },
    presence::handle::Tap as _,
    settings::{self, Sources},
    telemetry::Metrics,
};

/// An agent who reads all that he is told.
struct Listener;

impl Reader for Listener {
    fn is_ready(&self) -> bool {
        true
    }

    fn tell(&self, change: ListChange) {
        black_box(serde_json::to_vec(&ToAgent::Rows(change)).unwrap());
    }
}

const VISITORS: usize = 10_000;

fn row(number: usize, updated: u64) -> (VisitorId, Option<Arc<Row>>) {
    let data = format!(
        r#"{{"url":"https://shop.example.com/p/{}","title":"Product {number}","browser":"Firefox","platform":"Linux","language":"en","cart":{},"plan":"gold"}}"#,
        number % 500,
        number % 97,
    );
    let row = Row {
        visitorid: format!("visitor-{number}").parse().unwrap(),
        anonymous: false,
        epoch: 1_700_000_000_000,
        sequence: updated,
        since: Timestamp(1_700_000_000_000 + number as u64),
        updated: Timestamp(updated),
        sockets: 1,
        visibility: Some(Visibility::Visible),
        terms: None,
        help: None,
        data: serde_json::from_str(&data).unwrap(),
    };
    (row.visitorid.clone(), Some(Arc::new(row)))
}

/// A group of 10,000 visitors and 50 agents, who look at the first 50 rows of lists that are all different.
fn lists() -> State {
    let mut state = State::default();
    state.take((0..VISITORS).map(|number| row(number, 0)));
    let limits = ListLimits { per_socket: 1, per_group: 50 };
    for agent in 0..50 {
        let filter = match agent % 5 {
            0 => format!(r#"{{"updated":{{"after":{agent}}}}}"#),
            1 => format!(r#"{{"url":{{"contains":"/p/{agent}"}}}}"#),
            2 => format!(r#"{{"data.cart":{{"gte":{agent}}}}}"#),
            3 => format!(r#"{{"text":"product 1{agent}"}}"#),
            _ => format!(r#"{{"visitorid":{{"prefix":"visitor-{}"}}}}"#, 1 + agent / 5),
        };
        let sort = ["-since", "-updated", "data.cart"][agent % 3];
        let query = ListQuery {
            filter: Filter::from_json(&serde_json::from_str(&filter).unwrap()).unwrap(),
            sort: sort.parse().unwrap(),
            window: Window::default(),
        };
        let socket = SocketId(agent as u64);
        state.open(socket, 1, query, Arc::new(Listener), limits).unwrap();
        state.begin(socket, 1);
    }
    assert_eq!(state.size(), Size { lists: 50, views: 50, rows: VISITORS });
    state
}

/// One change of one visitor among 10,000, taken into 50 different lists.
#[divan::bench]
fn list_change_into_50_of_10000(bencher: Bencher) {
    let mut state = lists();
    let mut time = 0;
    bencher.bench_local(|| {
        time += 1;
        state.take([row(time * 7_919 % VISITORS, time as u64)]);
    });
}

/// A round: 200 changes are taken in, and 50 agents are told.
#[divan::bench]
fn list_round_of_200_changes(bencher: Bencher) {
    let mut state = lists();
    let mut time = 0;
    bencher.bench_local(|| {
        state.take((0..200).map(|_| {
            time += 1;
            row(time * 7_919 % VISITORS, time as u64)
        }));
        state.tell()
    });
}

/// Making the row itself, which the two above do too.
#[divan::bench]
fn list_row_alone(bencher: Bencher) {
    bencher.bench_local(|| row(black_box(7), 7));
}

/// What a change costs the shard's thread: the row is left for the thread of the lists.
#[divan::bench]
fn list_offer(bencher: Bencher) {
    let settings = settings::load(&Sources::default()).unwrap();
    let lists = Lists::new(&settings, Clock::system(), Metrics::new());
    let group = settings.groups.iter().next().unwrap().id.clone();
    let rows: Vec<_> = (0..VISITORS).map(|number| row(number, 0)).collect();
    let keys = rows
        .iter()
        .map(|(visitor, _)| VisitorKey { group: group.clone(), visitor: visitor.clone() });
    let keys: Vec<_> = keys.collect();
    let mut number = 0;
    bencher.bench_local(|| {
        number = (number + 7_919) % VISITORS;
        lists.listed(&keys[number], rows[number].1.as_ref());
    });
}

/// A page of a filtered list by REST, of 10,000 visitors.
#[divan::bench]
fn list_page_filtered(bencher: Bencher) {
    let mut state = State::default();
    state.take((0..VISITORS).map(|number| row(number, 0)));
    let filter = Filter::from_query([("data.cart[gte]", "50")]).unwrap();
    let sort = "-data.cart".parse().unwrap();
    let query = PageQuery { filter, sort, limit: 100, ..PageQuery::default() };
    bencher.bench_local(|| state.page(black_box(&query)));
}
