//! A place in a group's log.

use std::{fmt, str::FromStr};

use crate::model::ids::InvalidId;

/// A place between two events of one log. Clients take it as it is; its text is `{life}-{offset}`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cursor {
    /// Which log: one that was not taken over by the next process is another.
    pub life: u64,
    /// How many events of the log come before this place, forgotten ones included.
    pub offset: u64,
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}-{}", self.life, self.offset)
    }
}

impl FromStr for Cursor {
    type Err = InvalidId;
    fn from_str(text: &str) -> Result<Self, InvalidId> {
        let invalid = InvalidId { what: "cursor", rule: "one that an earlier answer gave" };
        let read = || {
            let (life, offset) = text.split_once('-')?;
            let is_written = life.len() == 16
                && life.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
                && offset.bytes().all(|byte| byte.is_ascii_digit());
            let life = u64::from_str_radix(life, 16).ok()?;
            is_written.then_some(Self { life, offset: offset.parse().ok()? })
        };
        read().ok_or(invalid)
    }
}

/// Where a reader begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// At the oldest event that is kept: `start`.
    Start,
    /// Behind the newest: `now`.
    Now,
    /// There.
    At(Cursor),
}

impl FromStr for Place {
    type Err = InvalidId;
    fn from_str(text: &str) -> Result<Self, InvalidId> {
        match text {
            "start" => Ok(Self::Start),
            "now" => Ok(Self::Now),
            cursor => cursor.parse().map(Self::At),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_cursor_reads_back(life: u64, offset: u64) {
            let cursor = Cursor { life, offset };
            prop_assert_eq!(cursor.to_string().parse(), Ok(cursor));
        }

        #[test]
        fn nothing_else_is_one(text in "\\PC{0,40}") {
            if let Ok(cursor) = text.parse::<Cursor>() {
                prop_assert_eq!(cursor.to_string().parse(), Ok(cursor));
            }
        }
    }

    #[test]
    fn places_have_names() {
        assert_eq!("start".parse(), Ok(Place::Start));
        assert_eq!("now".parse(), Ok(Place::Now));
        for bad in
            ["", "-", "0-1", "000000000000000g-1", "0000000000000000-", "0000000000000000-+1"]
        {
            assert!(bad.parse::<Place>().is_err(), "{bad}");
        }
    }
}
