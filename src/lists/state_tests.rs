use std::collections::BTreeMap;

use proptest::prelude::*;
use serde_json::json;

use super::{
    query::MESSAGE_BYTES,
    testing::{Page, row, row_with},
    view::Rows,
    *,
};
use crate::model::list::{Facts, Filter, Window};

const LIMITS: ListLimits = ListLimits { per_socket: 3, per_group: 5 };
const SOCKET: SocketId = SocketId(1);

fn query(filter: &serde_json::Value, sort: &str, offset: usize, size: usize) -> ListQuery {
    let (filter, sort) = (Filter::from_json(filter).unwrap(), sort.parse().unwrap());
    ListQuery { filter, sort, window: Window { offset, size } }
}

fn everybody() -> ListQuery {
    query(&json!({}), "visitorid", 0, 3)
}

fn change(row: Row) -> (VisitorId, Option<Arc<Row>>) {
    (row.visitorid.clone(), Some(Arc::new(row)))
}

fn leave(id: &str) -> (VisitorId, Option<Arc<Row>>) {
    (id.parse().unwrap(), None)
}

/// Opens a list, and tells it for the first time.
fn open(state: &mut State, list: u64, query: ListQuery) -> Arc<Page> {
    let page = Arc::new(Page::default());
    state.open(SOCKET, list, query, Arc::clone(&page) as Arc<dyn Reader>, LIMITS).unwrap();
    state.begin(SOCKET, list);
    page
}

#[test]
fn a_list_is_told_once_and_then_what_changes() {
    let mut state = State::default();
    state.take(["bob", "eve", "ada", "zoe"].map(row).map(change));
    let page = open(&mut state, 1, everybody());
    assert_eq!(page.ids(), ["ada", "bob", "eve"]);
    assert_eq!(page.known().counts, (4, 4));
    state.take([leave("bob")]);
    state.take([change(Row { sockets: 2, ..row("ada") })]);
    assert!(state.has_news());
    assert_eq!(state.tell(), Told { messages: 1, ..Told::default() });
    assert_eq!(page.ids(), ["ada", "eve", "zoe"]);
    assert_eq!(page.known().rows[0].sockets, 2);
    assert!(!state.has_news());
    assert_eq!(state.tell(), Told::default());
    state.take([change(row("zz"))]);
    state.tell();
    assert_eq!((page.known().counts, page.known().messages), ((4, 4), 3), "beyond the window");
    state.take([change(row("zz"))]);
    assert_eq!(state.tell(), Told::default(), "nothing that the reader sees");
}

#[test]
fn who_does_not_read_is_told_all_at_once_when_he_does() {
    let mut state = State::default();
    state.take([change(row("ada"))]);
    let page = open(&mut state, 1, everybody());
    page.stick(true);
    for round in 0..100 {
        state.take([change(Row { sockets: round, ..row("ada") }), change(row("bob"))]);
        let held_back = Told { held_back: 1, more: true, messages: 0 };
        assert_eq!(state.tell(), held_back);
    }
    page.stick(false);
    assert!(state.has_news());
    assert_eq!(state.tell(), Told { messages: 1, ..Told::default() });
    assert_eq!(page.known().messages, 2);
    assert_eq!(page.known().rows[0].sockets, 99);
    assert_eq!(page.ids(), ["ada", "bob"]);
}

#[test]
fn large_rows_come_in_several_messages() {
    let mut state = State::default();
    let large: BTreeMap<_, _> = (0..15).map(|n| (format!("k{n}"), "x".repeat(1_000))).collect();
    let rows = (0..20).map(|n| row_with(&format!("v{n:02}"), &json!(large)));
    state.take(rows.map(change));
    let page = open(&mut state, 1, query(&json!({}), "-visitorid", 0, 20));
    let mut known = page.known();
    let rows = MESSAGE_BYTES / 15_000;
    assert_eq!((known.rows.len(), known.more), (rows, true));
    state.take([leave("v19"), change(Row { sockets: 7, ..row("v00") })]);
    while known.more {
        assert!(state.has_news());
        assert!(state.tell().messages == 1);
        known = page.known();
    }
    let expected: Vec<_> = (0..19).rev().map(|n| format!("v{n:02}")).collect();
    assert_eq!(page.ids(), expected);
    assert_eq!(known.rows.last().unwrap().sockets, 7);
}

#[test]
fn one_list_too_many_is_refused_and_another_window_is_none() {
    let mut state = State::default();
    let mut open = |socket, list, query| {
        let page = Arc::new(Page::default());
        state.open(SocketId(socket), list, query, page, LIMITS).map_err(|problem| problem.code)
    };
    for list in 1..=3 {
        open(1, list, everybody()).unwrap();
    }
    assert_eq!(open(1, 4, everybody()), Err(ErrorCode::TooMany));
    open(1, 3, query(&json!({}), "visitorid", 1, 3)).unwrap();
    open(2, 1, everybody()).unwrap();
    open(2, 2, query(&json!({"text": "a"}), "visitorid", 0, 3)).unwrap();
    assert_eq!(open(3, 1, everybody()), Err(ErrorCode::TooMany));
    assert_eq!(state.size(), Size { lists: 5, views: 2, rows: 0 });
    state.close_all(SocketId(1));
    state.close(SocketId(2), 1);
    state.close(SocketId(2), 9);
    assert_eq!(state.size(), Size { lists: 1, views: 1, rows: 0 });
    state.close_all(SocketId(2));
    assert_eq!(state.size(), Size::default());
}

/// What happens to a group in the property below.
#[derive(Clone, Debug)]
enum Happening {
    Comes { id: u8, since: u64, k: Option<i8> },
    Leaves { id: u8 },
    Opens { list: u64, filter: usize, sort: usize, offset: usize, size: usize },
    Closes { list: u64 },
    Sticks { list: u64, stuck: bool },
    Recovers,
    Told,
}

fn happening() -> impl Strategy<Value = Happening> {
    use Happening::{Closes, Comes, Leaves, Opens, Recovers, Sticks, Told};
    prop_oneof![
        8 => (0..30u8, 0..6u64, prop::option::of(-3..4i8)).prop_map(|(id, since, k)| Comes { id, since, k }),
        4 => (0..30u8).prop_map(|id| Leaves { id }),
        1 => (1..4u64, 0..4usize, 0..4usize, 0..5usize, 1..12usize)
            .prop_map(|(list, filter, sort, offset, size)| Opens { list, filter, sort, offset, size }),
        1 => (1..4u64).prop_map(|list| Closes { list }),
        1 => (1..4u64, any::<bool>()).prop_map(|(list, stuck)| Sticks { list, stuck }),
        1 => Just(Recovers),
        4 => Just(Told),
    ]
}

fn naive(rows: &Rows, query: &ListQuery) -> (Vec<Arc<Row>>, (usize, usize)) {
    let matching = rows.values().filter(|row| query.filter.matches(&Facts::of(row)));
    let mut places: Vec<_> = matching.map(|row| query.sort.place(&Facts::of(row), row)).collect();
    places.sort_by(|one, other| query.sort.compare(one, other));
    let count = places.len();
    let window = places.into_iter().skip(query.window.offset).take(query.window.size);
    (window.map(|place| place.row).collect(), (count, rows.len()))
}

proptest! {
    /// After each round, every reader who reads knows exactly what filtering, sorting and cutting all rows gives.
    #[test]
    fn changes_add_up_to_the_list(happenings in prop::collection::vec(happening(), 0..120)) {
        let filters = [json!({}), json!({"data.k": {"gte": 0}}), json!({"visitorid": {"prefix": "v1"}}),
            json!({"since": {"after": 2}, "data.k": {"exists": true}})];
        let sorts = ["visitorid", "-since", "data.k", "-data.k"];
        let mut state = State::default();
        let mut rows = Rows::new();
        let mut open: BTreeMap<u64, (ListQuery, Arc<Page>)> = BTreeMap::new();
        for happening in happenings {
            match happening {
                Happening::Comes { id, since, k } => {
                    let data = k.map_or(json!({}), |k| json!({"k": k}));
                    let row = Row { since: Timestamp(since), ..row_with(&format!("v{id}"), &data) };
                    let row = Arc::new(row);
                    rows.insert(row.visitorid.clone(), Arc::clone(&row));
                    state.take([(row.visitorid.clone(), Some(row))]);
                }
                Happening::Leaves { id } => {
                    let (visitor, none) = leave(&format!("v{id}"));
                    rows.remove(&visitor);
                    state.take([(visitor, none)]);
                }
                Happening::Opens { list, filter, sort, offset, size } => {
                    let query = query(&filters[filter], sorts[sort], offset, size);
                    open.insert(list, (query.clone(), self::open(&mut state, list, query)));
                }
                Happening::Closes { list } => {
                    open.remove(&list);
                    state.close(SOCKET, list);
                }
                Happening::Sticks { list, stuck } => {
                    if let Some((_, page)) = open.get(&list) {
                        page.stick(stuck);
                    }
                }
                Happening::Recovers => state.recover(),
                Happening::Told => {
                    state.tell();
                    for (query, page) in open.values() {
                        let known = page.known();
                        if !known.stuck {
                            prop_assert_eq!((known.rows, known.counts), naive(&rows, query));
                        }
                    }
                }
            }
        }
        open.keys().for_each(|list| state.close(SOCKET, *list));
        prop_assert_eq!(state.size(), Size { rows: rows.len(), ..Size::default() });
    }
}
