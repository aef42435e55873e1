use std::{borrow::Cow, cell::OnceCell, collections::BTreeMap};

use super::Row;
use crate::model::presence::Scalar;

/// A row whose presence data is parsed at most once, however many filters look at it.
pub struct Facts<'a> {
    /// The row.
    pub row: &'a Row,
    data: OnceCell<BTreeMap<Cow<'a, str>, Scalar>>,
}

impl<'a> Facts<'a> {
    /// What `row` says. Nothing is parsed yet.
    #[must_use]
    pub const fn of(row: &'a Row) -> Self {
        Self { row, data: OnceCell::new() }
    }

    /// The value of a presence key.
    pub fn value(&self, key: &str) -> Option<&Scalar> {
        self.data().get(key)
    }

    /// Every value of the presence data.
    pub fn values(&self) -> impl Iterator<Item = &Scalar> {
        self.data().values()
    }

    fn data(&self) -> &BTreeMap<Cow<'a, str>, Scalar> {
        // What a record holds is a flat object: it was checked at the edge.
        self.data.get_or_init(|| serde_json::from_str(self.row.data.text()).unwrap_or_default())
    }
}
