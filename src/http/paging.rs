//! Lists that are read page by page: how much one answer holds, and where the next one begins.

use crate::model::error::Problem;

/// Most items that one answer holds.
pub const MOST: usize = 1_000;
/// How many it holds where nothing else is asked for.
pub const USUAL: usize = 100;

/// How many items the answer may hold.
///
/// # Errors
/// `badrequest` on the field `limit`.
pub fn limit(asked: Option<usize>, usual: usize) -> Result<usize, Problem> {
    let limit = asked.unwrap_or(usual);
    if !(1..=MOST).contains(&limit) {
        return Err(Problem::field("limit", format!("must be 1 to {MOST}")));
    }
    Ok(limit)
}

/// Where the next answer begins: behind the last item of a full one.
pub fn next<T, C>(items: &[T], limit: usize, cursor: impl FnOnce(&T) -> C) -> Option<C> {
    items.last().filter(|_| items.len() == limit).map(cursor)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_answer_has_a_next_one() {
        assert_eq!(next(&[1, 2], 2, |last| *last), Some(2));
        assert_eq!(next(&[1], 2, |last| *last), None);
        assert_eq!(next(&[], 2, |last: &u8| *last), None);
    }

    #[test]
    fn limits_have_limits() {
        assert_eq!(limit(None, USUAL).unwrap(), 100);
        for good in [1, MOST] {
            assert_eq!(limit(Some(good), USUAL).unwrap(), good);
        }
        for bad in [0, MOST + 1] {
            assert_eq!(limit(Some(bad), USUAL).unwrap_err().field.as_deref(), Some("limit"));
        }
    }
}
