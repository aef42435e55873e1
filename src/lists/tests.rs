use std::sync::mpsc;

use super::{testing::row, *};
use crate::{
    model::list::{Filter, Sort, Window},
    settings,
};

const START: Timestamp = Timestamp(1_700_000_000_000);

struct Bench {
    lists: Arc<Lists>,
    group: GroupId,
}

impl Bench {
    fn new() -> Self {
        let settings = settings::load(&settings::Sources::default()).unwrap();
        let group = settings.groups.iter().next().unwrap().id.clone();
        let lists = Lists::new(&settings, Clock::manual(START), Metrics::new());
        Self { lists: Arc::new(lists), group }
    }

    fn comes(&self, id: &str) {
        let row = Arc::new(row(id));
        self.lists.listed(&self.key(id), Some(&row));
    }

    fn leaves(&self, id: &str) {
        self.lists.listed(&self.key(id), None);
    }

    fn key(&self, id: &str) -> VisitorKey {
        VisitorKey { group: self.group.clone(), visitor: id.parse().unwrap() }
    }

    fn open(&self, reader: Arc<dyn Reader>) {
        let (filter, sort, window) = (Filter::ALL, Sort::BY_VISITOR, Window::default());
        let query = ListQuery { filter, sort, window };
        self.lists.open(&self.group, (SocketId(1), 1), query, reader, |opened| opened.unwrap());
    }

    fn page(&self) -> Arc<testing::Page> {
        let page = Arc::new(testing::Page::default());
        self.open(Arc::clone(&page) as Arc<dyn Reader>);
        page
    }

    /// Works, and gives how long until there is more to do, in ms.
    fn work(&self) -> Option<u64> {
        self.lists.work().map(|next| next.since(self.lists.clock.now()))
    }
}

#[test]
fn changes_are_gathered_for_a_while() {
    let bench = Bench::new();
    bench.comes("ada");
    let page = bench.page();
    assert_eq!(bench.work(), None);
    assert_eq!(page.ids(), ["ada"]);
    bench.comes("bob");
    assert_eq!(bench.work(), Some(200), "not yet: the list was told just now");
    bench.leaves("ada");
    bench.comes("eve");
    bench.lists.clock.advance(199);
    assert_eq!(bench.work(), Some(1));
    assert_eq!(page.known().messages, 1);
    bench.lists.clock.advance(1);
    assert_eq!(bench.work(), None);
    assert_eq!((page.ids(), page.known().messages), (vec!["bob".into(), "eve".into()], 2));
    bench.lists.clock.advance(10_000);
    bench.comes("ada");
    assert_eq!(bench.work(), None, "after a quiet time at once");
    assert_eq!(page.known().messages, 3);
}

#[test]
fn questions_are_answered_at_once_and_exactly() {
    let bench = Bench::new();
    bench.page();
    bench.work();
    bench.comes("ada");
    assert_eq!(bench.work(), Some(200));
    let (sender, receiver) = mpsc::channel();
    bench.lists.page(&bench.group, PageQuery::default(), move |page| sender.send(page).unwrap());
    assert_eq!(bench.work(), Some(200));
    assert_eq!(receiver.recv().unwrap().unwrap().count, 1, "what is not told yet counts");
}

#[test]
fn questions_that_wait_are_bounded_and_ends_are_not() {
    let bench = Bench::new();
    let (sender, receiver) = mpsc::channel();
    let ask = || {
        let sender = sender.clone();
        bench.lists.page(&bench.group, PageQuery::default(), move |page| {
            sender.send(page.map_err(|problem| problem.code)).unwrap();
        });
    };
    (0..MAX_WAITING).for_each(|_| ask());
    assert!(receiver.try_recv().is_err());
    ask();
    assert_eq!(receiver.try_recv().unwrap().unwrap_err(), ErrorCode::Unready);
    bench.lists.close_all(&bench.group, SocketId(1));
    bench.work();
    assert_eq!(receiver.try_iter().filter(Result::is_ok).count(), MAX_WAITING);
}

#[test]
fn another_groups_visitors_are_in_no_list() {
    let bench = Bench::new();
    let page = bench.page();
    let other = VisitorKey { group: "999".parse().unwrap(), ..bench.key("ada") };
    bench.lists.listed(&other, Some(&Arc::new(row("ada"))));
    bench.work();
    assert_eq!((page.ids(), page.known().counts), (Vec::new(), (0, 0)));
    let (sender, receiver) = mpsc::channel();
    bench.lists.page(&other.group, PageQuery::default(), move |page| sender.send(page).unwrap());
    assert_eq!(receiver.recv().unwrap().unwrap_err().code, ErrorCode::Group);
}

/// Breaks on the first change, and reads well from then on.
#[derive(Default)]
struct Fragile(testing::Page, Mutex<bool>);

impl Reader for Fragile {
    fn is_ready(&self) -> bool {
        true
    }

    fn tell(&self, change: ListChange) {
        assert!(std::mem::replace(&mut *self.1.lock(), true), "asked to");
        self.0.tell(change);
    }
}

#[test]
fn a_panic_costs_no_row() {
    let bench = Bench::new();
    let reader = Arc::new(Fragile::default());
    bench.open(Arc::clone(&reader) as Arc<dyn Reader>);
    bench.comes("ada");
    bench.comes("bob");
    assert_eq!(bench.work(), Some(200));
    bench.comes("eve");
    bench.lists.clock.advance(200);
    assert_eq!(bench.work(), None);
    assert_eq!(reader.0.ids(), ["ada", "bob", "eve"]);
    assert_eq!(bench.lists.metrics.list_panics.get(), 1);
}

#[test]
fn the_thread_works_when_there_is_something_to_do_and_ends() {
    let bench = Bench::new();
    let working = bench.lists.start().unwrap();
    let (sender, receiver) = mpsc::channel();
    bench.comes("ada");
    bench.lists.page(&bench.group, PageQuery::default(), move |page| sender.send(page).unwrap());
    assert_eq!(receiver.recv().unwrap().unwrap().count, 1);
    drop(working);
    assert_eq!(Arc::strong_count(&bench.lists), 1);
}
