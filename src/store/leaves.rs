//! Records that are too large to be written anew with each transition.
//!
//! Such a record has [*leaves*](Leaf): parts under names of their own, which a server keeps beside the row. A transition
//! writes the row, which is small, and the leaves that it changed; and a node that knows an earlier version is told of those
//! that differ. It stays one record all the same, under one key: with one version, changed in one step, and whole for whoever
//! reads it.
//!
//! In this process, and in the saved state, a record is in one piece, with leaves or without.

/// A part of a record: its name, which has no zero byte in it, and what it holds, which is not empty; `None` where it is gone.
pub type Leaf = (String, Option<Vec<u8>>);

/// What a server keeps of a record.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Written {
    /// The record, or what of it is in no leaf.
    pub row: Vec<u8>,
    /// Its leaves, or some of them.
    pub leaves: Vec<Leaf>,
}

/// Some of a record's leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Which {
    /// Those that there are.
    All,
    /// Those that the last command changed, or took away.
    Changed,
}
