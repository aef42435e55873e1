//! One view: the rows that pass a filter, in an order. Shared by all queries that ask for the same.

use std::{collections::BTreeMap, sync::Arc};

use super::ordered::Ordered;
use crate::model::{
    ids::VisitorId,
    list::{Facts, Filter, Row, Sort, Window},
};

/// A group's rows by visitor.
pub type Rows = BTreeMap<VisitorId, Arc<Row>>;

/// What a view shows. Equal ones are one view.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Shown {
    /// Who is shown.
    pub filter: Filter,
    /// In which order.
    pub sort: Sort,
}

/// The rows that pass a filter, in an order, kept up with every change.
#[derive(Debug)]
pub struct View {
    shown: Arc<Shown>,
    rows: Ordered,
    /// Queries that look at it.
    pub queries: usize,
    /// Whether something changed since the queries were told.
    pub changed: bool,
}

impl View {
    /// The view of these rows, that nobody looks at yet.
    #[must_use]
    pub fn of(shown: Arc<Shown>, rows: &Rows) -> Self {
        let places = rows.values().filter_map(|row| {
            let facts = Facts::of(row);
            shown.filter.matches(&facts).then(|| shown.sort.place(&facts, row))
        });
        let rows = Ordered::of(places.collect(), &shown.sort);
        Self { shown, rows, queries: 0, changed: false }
    }

    /// A visitor's row was `old` and is `new` now.
    pub fn change(
        &mut self,
        old: Option<(&Facts<'_>, &Arc<Row>)>,
        new: Option<(&Facts<'_>, &Arc<Row>)>,
    ) {
        let Shown { filter, sort } = &*self.shown;
        let place = |of: Option<(&Facts<'_>, &Arc<Row>)>| {
            let (facts, row) = of.filter(|(facts, _)| filter.matches(facts))?;
            Some(sort.place(facts, row))
        };
        if let Some(place) = place(old) {
            self.changed = true;
            self.rows.remove(sort, &place);
        }
        if let Some(place) = place(new) {
            self.changed = true;
            self.rows.insert(sort, place);
        }
    }

    /// How many rows it has.
    #[must_use]
    pub fn count(&self) -> usize {
        self.rows.len()
    }

    /// The rows in a window.
    pub fn window(&self, window: Window) -> impl Iterator<Item = &Arc<Row>> {
        self.rows.from(window.offset).take(window.size)
    }
}
