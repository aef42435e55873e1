//! Rows in an order, found by place and by position: an array in pieces, so that a change moves few of them.

use std::{cmp::Ordering, sync::Arc};

use crate::model::list::{Place, Row, Sort};

/// A piece that grows beyond this is cut in two.
const LONGEST: usize = 512;

/// Rows in the order of one [`Sort`], each visitor at most once.
#[derive(Debug, Default)]
pub struct Ordered {
    /// None of them is empty.
    pieces: Vec<Vec<Place>>,
    len: usize,
}

impl Ordered {
    /// Rows that are brought into order first.
    #[must_use]
    pub fn of(mut places: Vec<Place>, sort: &Sort) -> Self {
        places.sort_unstable_by(|one, other| sort.compare(one, other));
        let len = places.len();
        let mut pieces = Vec::with_capacity(len.div_ceil(LONGEST / 2));
        while places.len() > LONGEST / 2 {
            let at = places.len() - LONGEST / 2;
            pieces.push(places.split_off(at));
        }
        pieces.extend((!places.is_empty()).then_some(places));
        pieces.reverse();
        Self { pieces, len }
    }

    /// How many rows there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Puts a row of a visitor in, who is not in yet.
    pub fn insert(&mut self, sort: &Sort, place: Place) {
        self.len += 1;
        let at = self.piece(sort, &place);
        let Some(piece) = self.pieces.get_mut(at) else {
            match self.pieces.last_mut() {
                Some(last) if last.len() < LONGEST => last.push(place),
                _ => self.pieces.push(vec![place]),
            }
            return;
        };
        let before = piece.partition_point(|other| sort.compare(other, &place).is_lt());
        piece.insert(before, place);
        if piece.len() > LONGEST {
            let rest = piece.split_off(LONGEST / 2);
            self.pieces.insert(at + 1, rest);
        }
    }

    /// Takes a row out. Whether it was there.
    pub fn remove(&mut self, sort: &Sort, place: &Place) -> bool {
        let at = self.piece(sort, place);
        let Some(piece) = self.pieces.get_mut(at) else { return false };
        let found = piece.binary_search_by(|other| sort.compare(other, place));
        let Ok(found) = found else { return false };
        piece.remove(found);
        self.len -= 1;
        if piece.is_empty() {
            self.pieces.remove(at);
        }
        true
    }

    /// The rows from a position on.
    pub fn from(&self, offset: usize) -> impl Iterator<Item = &Arc<Row>> {
        let mut skipped = 0;
        let begins = self.pieces.iter().position(|piece| {
            let ends_after = skipped + piece.len() > offset;
            skipped += if ends_after { 0 } else { piece.len() };
            ends_after
        });
        let pieces = begins.and_then(|at| self.pieces.get(at..)).unwrap_or_default();
        pieces.iter().flatten().skip(offset - skipped.min(offset)).map(|place| &place.row)
    }

    /// The first piece whose last row does not come before `place`.
    fn piece(&self, sort: &Sort, place: &Place) -> usize {
        self.pieces.partition_point(|piece| {
            piece.last().is_some_and(|last| sort.compare(last, place) == Ordering::Less)
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{clock::Timestamp, lists::testing::row, model::list::Facts};

    fn place(sort: &Sort, id: u16, since: u64) -> Place {
        let row = Arc::new(Row { since: Timestamp(since), ..row(&format!("v{id}")) });
        sort.place(&Facts::of(&row), &row)
    }

    proptest! {
        #[test]
        fn it_is_a_sorted_array(
            first in prop::collection::btree_map(0..2_000_u16, 0..50_u64, 0..1_500),
            changes in prop::collection::vec((0..2_000_u16, prop::option::of(0..50_u64)), 0..1_500),
            offset in 0..2_000_usize,
            sort in prop::sample::select(vec!["visitorid", "-since", "since"]),
        ) {
            let sort: Sort = sort.parse().unwrap();
            let mut model = first;
            let places = model.iter().map(|(id, since)| place(&sort, *id, *since)).collect();
            let mut ordered = Ordered::of(places, &sort);
            for (id, change) in changes {
                if let Some(since) = model.remove(&id) {
                    prop_assert!(ordered.remove(&sort, &place(&sort, id, since)));
                }
                prop_assert!(!ordered.remove(&sort, &place(&sort, id, 7)));
                if let Some(since) = change {
                    model.insert(id, since);
                    ordered.insert(&sort, place(&sort, id, since));
                }
            }
            let mut expected: Vec<_> =
                model.iter().map(|(id, since)| place(&sort, *id, *since)).collect();
            expected.sort_by(|one, other| sort.compare(one, other));
            let expected = expected.iter().skip(offset).map(|place| &place.row);
            prop_assert!(ordered.from(offset).eq(expected));
            prop_assert_eq!(ordered.len(), model.len());
            prop_assert!(ordered.pieces.iter().all(|piece| (1..=LONGEST).contains(&piece.len())));
        }
    }
}
