//! How a record stands under its key: a hash of its version `v`, `m`, the mark under which that was written, its row `r` and its
//! leaves. And how scripts tell of it.

use std::collections::HashMap;

use redis::{RedisError, RedisResult};

use super::question::{Mark, State};
use crate::store::{Record, Written};

/// Sets the names of leaves apart from those of the version and the row.
const LEAF: char = '=';

/// The name of what a record's last transitions changed.
pub(super) fn changes_of(row: &str) -> String {
    format!("{row}:changes")
}

/// Under which name a leaf stands beside the row.
pub(super) fn field(leaf: &str) -> String {
    format!("{LEAF}{leaf}")
}

/// A record by all that stands under its key, if there is one.
pub(super) fn record_of<R: Record>(fields: HashMap<String, Vec<u8>>) -> Option<R> {
    let (mut row, mut leaves) = (None, Vec::new());
    for (name, value) in fields {
        match name.strip_prefix(LEAF) {
            Some(leaf) => leaves.push((leaf.to_owned(), Some(value))),
            None if name == "r" => row = Some(value),
            None => {}
        }
    }
    R::read(&Written { row: row?, leaves }).ok()
}

/// A version, the mark under which it was written, and what the record is under it, as a script says it. `mark` is the present
/// one.
pub(super) fn state(
    answer: impl IntoIterator<Item = Vec<u8>>,
    mark: &Mark,
) -> RedisResult<(u64, Mark, State)> {
    let mut answer = answer.into_iter();
    let mut next = || answer.next().unwrap_or_default();
    let (version, how, row, under) = (number(&next())?, next(), next(), next());
    let under = if under == mark.as_bytes() { mark.clone() } else { text(&under)?.into() };
    let mut leaves = Vec::new();
    while let Some((name, leaf)) = answer.next().zip(answer.next()) {
        let name = text(&name)?.strip_prefix(LEAF).unwrap_or_default().to_owned();
        leaves.push((name, Some(leaf).filter(|leaf| !leaf.is_empty())));
    }
    let written = Written { row, leaves };
    Ok((
        version,
        under,
        match &*how {
            b"same" => State::Same,
            b"changed" => State::Changed(written),
            _ => State::Whole(written),
        },
    ))
}

/// A number as scripts say it.
pub(super) fn number(bytes: &[u8]) -> RedisResult<u64> {
    text(bytes)?.parse().map_err(|error| RedisError::from(std::io::Error::other(error)))
}

fn text(bytes: &[u8]) -> RedisResult<&str> {
    str::from_utf8(bytes).map_err(|error| RedisError::from(std::io::Error::other(error)))
}
