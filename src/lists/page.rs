//! A page of a list, for who asks once and comes back with a cursor.

use std::{ops::Bound, sync::Arc};

use super::view::Rows;
use crate::model::{
    error::Problem,
    ids::VisitorId,
    list::{Facts, Filter, Place, Rank, Row, Sort},
    presence::MAX_VALUE_BYTES,
};

/// Digits of the longest text of presence data.
const MAX_TEXT_DIGITS: usize = 2 * MAX_VALUE_BYTES;

/// The last row of a page: the next one begins after it, whether it is still there or not.
#[derive(Clone, Debug, PartialEq)]
pub struct Cursor {
    rank: Rank,
    visitor: VisitorId,
}

impl Cursor {
    /// What a cursor looks like: what the row is sorted by, and whose it is.
    pub const PATTERN: &str =
        r"^(i|t[0-9]{1,19}|n[0-9a-f]{16}|x([0-9a-f]{2}){0,1024})\.[A-Za-z0-9._~-]{1,100}$";

    /// The text that is handed out. Good for the same order only.
    #[must_use]
    pub fn text(&self) -> String {
        let Self { rank, visitor } = self;
        match rank {
            Rank::Missing => format!("i.{visitor}"),
            Rank::Time(time) => format!("t{time}.{visitor}"),
            Rank::Number(number) => format!("n{:016x}.{visitor}", number.to_bits()),
            Rank::Text(text) => {
                let bytes: String = text.bytes().map(|byte| format!("{byte:02x}")).collect();
                format!("x{bytes}.{visitor}")
            }
        }
    }

    /// Reads what was handed out.
    ///
    /// # Errors
    /// It was not.
    pub fn read(text: &str) -> Result<Self, Problem> {
        let read = text.split_once('.').and_then(|(rank, visitor)| {
            Some(Self { rank: read_rank(rank)?, visitor: visitor.parse().ok()? })
        });
        read.ok_or_else(|| Problem::field("cursor", "must be the next of an earlier list"))
    }

    fn of(place: &Place) -> Self {
        Self { rank: place.rank.clone(), visitor: place.row.visitorid.clone() }
    }
}

fn read_rank(text: &str) -> Option<Rank> {
    let (kind, rest) = text.split_at_checked(1)?;
    let is_hex = || rest.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    match (kind, rest.len()) {
        ("i", 0) => Some(Rank::Missing),
        ("t", 1..=19) if rest.bytes().all(|byte| byte.is_ascii_digit()) => {
            rest.parse().ok().map(Rank::Time)
        }
        ("n", 16) if is_hex() => {
            u64::from_str_radix(rest, 16).ok().map(|bits| Rank::Number(f64::from_bits(bits)))
        }
        ("x", 0..=MAX_TEXT_DIGITS) if rest.len() % 2 == 0 && is_hex() => {
            let digits = rest.as_bytes().chunks(2).map(|pair| str::from_utf8(pair).ok());
            let bytes = digits.map(|pair| u8::from_str_radix(pair?, 16).ok());
            let bytes = bytes.collect::<Option<Vec<_>>>()?;
            // What is no text was not handed out by us, and stands somewhere, too.
            Some(Rank::Text(String::from_utf8_lossy(&bytes).into()))
        }
        _ => None,
    }
}

/// Which page.
#[derive(Clone, Debug)]
pub struct PageQuery {
    /// Of whom.
    pub filter: Filter,
    /// In which order.
    pub sort: Sort,
    /// After which row; from the first on when missing.
    pub after: Option<Cursor>,
    /// At most so many.
    pub limit: usize,
}

impl Default for PageQuery {
    /// Everybody, by id, without a bound.
    fn default() -> Self {
        Self { filter: Filter::ALL, sort: Sort::BY_VISITOR, after: None, limit: usize::MAX - 1 }
    }
}

/// A page.
#[derive(Clone, Debug, PartialEq)]
pub struct Page {
    /// Who is on it.
    pub visitors: Vec<VisitorId>,
    /// How many pass the filter, on this page or not.
    pub count: usize,
    /// How many there are in all.
    pub total: usize,
    /// Where the next page begins; `None` when this is the end.
    pub next: Option<Cursor>,
}

impl Page {
    /// The page of a list that holds one visitor at most.
    #[must_use]
    pub fn of_one(row: Option<Arc<Row>>, query: &PageQuery) -> Self {
        page(&row.into_iter().map(|row| (row.visitorid.clone(), row)).collect(), query)
    }
}

/// The page of these rows.
pub(super) fn page(rows: &Rows, query: &PageQuery) -> Page {
    let PageQuery { filter, sort, after, limit } = query;
    let total = rows.len();
    let (count, mut places) = if filter.is_all() && sort.is_by_visitor() {
        // The order in which they lie: no need to look at all.
        let start =
            after.as_ref().map_or(Bound::Unbounded, |after| Bound::Excluded(&after.visitor));
        let rows = rows.range::<VisitorId, _>((start, Bound::Unbounded)).take(limit + 1);
        (total, rows.map(|(_, row)| sort.place(&Facts::of(row), row)).collect())
    } else {
        let mut count = 0;
        let mut places = Vec::new();
        for row in rows.values() {
            let facts = Facts::of(row);
            if !filter.matches(&facts) {
                continue;
            }
            count += 1;
            let place = sort.place(&facts, row);
            if after.as_ref().is_none_or(|after| {
                sort.compare_to(&place, &after.rank, after.visitor.as_str()).is_gt()
            }) {
                places.push(place);
            }
        }
        if places.len() > limit + 1 {
            places.select_nth_unstable_by(*limit, |one, other| sort.compare(one, other));
            places.truncate(limit + 1);
        }
        places.sort_unstable_by(|one, other| sort.compare(one, other));
        (count, places)
    };
    let is_end = places.len() <= *limit;
    places.truncate(*limit);
    let next = places.last().filter(|_| !is_end).map(Cursor::of);
    let visitors = places.into_iter().map(|place| place.row.visitorid.clone()).collect();
    Page { visitors, count, total, next }
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeMap, sync::Arc};

    use proptest::prelude::*;

    use super::*;
    use crate::lists::testing::row_with;

    proptest! {
        #[test]
        fn pages_add_up_to_the_sorted_list(
            values in prop::collection::btree_map(
                "[a-f]{1,2}", (prop::option::of(-9..9i64), any::<bool>()), 0..40),
            limit in 1..10_usize,
            sort in prop::sample::select(vec!["visitorid", "-visitorid", "data.k", "-data.k"]),
            only_marked in any::<bool>(),
        ) {
            let rows: Rows = values.iter().map(|(id, (value, marked))| {
                let mut data = BTreeMap::new();
                data.extend(value.map(|value| ("k", serde_json::json!(value))));
                data.extend(marked.then_some(("m", serde_json::json!("x"))));
                let row = row_with(id, &serde_json::json!(data));
                (row.visitorid.clone(), Arc::new(row))
            }).collect();
            let filter = only_marked.then(|| Filter::from_query([("data.m", "x")]).unwrap());
            let sort: Sort = sort.parse().unwrap();
            let mut query = PageQuery { filter: filter.unwrap_or_default(), sort, after: None, limit };
            let mut listed = Vec::new();
            loop {
                let page = page(&rows, &query);
                prop_assert!(page.visitors.len() <= limit);
                prop_assert_eq!(page.total, values.len());
                listed.extend(page.visitors.iter().map(ToString::to_string));
                let Some(next) = page.next else {
                    prop_assert_eq!(page.count, listed.len());
                    break;
                };
                prop_assert_eq!(page.visitors.len(), limit);
                query.after = Some(Cursor::read(&next.text()).unwrap());
            }
            let mut expected: Vec<_> =
                values.iter().filter(|(_, (_, marked))| *marked || !only_marked).collect();
            let descending = query.sort.to_string().starts_with('-');
            if query.sort.to_string().ends_with("data.k") {
                expected.sort_by_key(|(id, (value, _))| {
                    (value.is_none(), value.map(|value| if descending { -value } else { value }), *id)
                });
            } else if descending {
                expected.reverse();
            }
            let expected: Vec<_> = expected.into_iter().map(|(id, _)| id.clone()).collect();
            prop_assert_eq!(listed, expected);
        }
    }

    /// A cursor of each kind reads back, one of the longest text of presence data, too.
    #[test]
    fn cursors_read_back() {
        let long = "é".repeat(MAX_VALUE_BYTES / 2);
        for rank in [
            Rank::Missing,
            Rank::Time(1_700_000_000_000),
            Rank::Number(-0.5),
            Rank::Number(1e300),
            Rank::Text("".into()),
            Rank::Text("a.b \u{1F600}".into()),
            Rank::Text(long.into()),
        ] {
            let cursor = Cursor { rank, visitor: "t1.ada~_-".parse().unwrap() };
            assert_eq!(Cursor::read(&cursor.text()).unwrap(), cursor);
        }
    }

    #[test]
    fn what_was_not_handed_out_is_no_cursor() {
        let long = format!("x{}.ada", "61".repeat(MAX_VALUE_BYTES + 1));
        for text in [
            "",
            "ada",
            ".ada",
            "i.",
            "i.a b",
            "i1.ada",
            "t.ada",
            "t-1.ada",
            "t+1.ada",
            "n1.ada",
            "nXFF0000000000000.ada",
            "x6.ada",
            "xFF.ada",
            "x+1.ada",
            "é.ada",
            &long,
        ] {
            assert_eq!(Cursor::read(text).unwrap_err().field.as_deref(), Some("cursor"), "{text}");
        }
    }
}
