//! What a token lets its bearer do.

use std::{
    fmt,
    ops::{BitAnd, BitOr},
    str::FromStr,
};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

/// A set of permissions. On the wire a string of words between spaces, as in OAuth (RFC 6749, section 3.3); an
/// array of words is read alike.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Scope(u8);

/// A word that names no permission.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown scope; known are {}", Scope::ALL)]
pub struct UnknownScope;

impl Scope {
    /// Nothing.
    pub const NONE: Self = Self(0);
    /// Look visitors up, watch them.
    pub const READ: Self = Self(1);
    /// Send signals.
    pub const SIGNAL: Self = Self(1 << 1);
    /// Call functions in a visitor's page.
    pub const INVOKE: Self = Self(1 << 2);
    /// Start, join and end co-browse sessions.
    pub const SESSION: Self = Self(1 << 3);
    /// Ask for remote control in a session.
    pub const CONTROL: Self = Self(1 << 4);
    /// Publish and subscribe to server topics.
    pub const TOPICS: Self = Self(1 << 5);
    /// Operate the service: console, explain, revocation.
    pub const OPERATE: Self = Self(1 << 6);
    /// Everything.
    pub const ALL: Self = Self((1 << 7) - 1);
    /// What an agent gets when nothing is asked for: everything but [`Scope::OPERATE`].
    pub const AGENT: Self = Self(Self::ALL.0 & !Self::OPERATE.0);

    const WORDS: [(Self, &'static str); 7] = [
        (Self::READ, "read"),
        (Self::SIGNAL, "signal"),
        (Self::INVOKE, "invoke"),
        (Self::SESSION, "session"),
        (Self::CONTROL, "control"),
        (Self::TOPICS, "topics"),
        (Self::OPERATE, "operate"),
    ];

    /// Whether everything in `needed` is here.
    #[must_use]
    pub const fn contains(self, needed: Self) -> bool {
        self.0 & needed.0 == needed.0
    }

    /// Whether there is nothing here.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The words of this set, always in the same order.
    pub fn words(self) -> impl Iterator<Item = &'static str> {
        Self::WORDS
            .into_iter()
            .filter_map(move |(scope, word)| self.contains(scope).then_some(word))
    }

    fn of_word(word: &str) -> Result<Self, UnknownScope> {
        Self::WORDS
            .into_iter()
            .find_map(|(scope, name)| (name == word).then_some(scope))
            .ok_or(UnknownScope)
    }

    /// Reads a token's scope; a word that we do not know grants nothing and harms nothing, so that a newer
    /// server's token can be read here.
    pub(super) fn deserialize_known<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Self, D::Error> {
        let known = |words: &mut dyn Iterator<Item = &str>| {
            words.filter_map(|word| Self::of_word(word).ok()).fold(Self::NONE, BitOr::bitor)
        };
        Ok(match Words::deserialize(deserializer)? {
            Words::Text(text) => known(&mut text.split_ascii_whitespace()),
            Words::List(list) => known(&mut list.iter().map(String::as_str)),
        })
    }
}

#[derive(Deserialize)]
#[serde(untagged, expecting = "must be a string of scopes or an array of them")]
enum Words {
    Text(String),
    List(Vec<String>),
}

impl BitOr for Scope {
    type Output = Self;
    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

impl BitAnd for Scope {
    type Output = Self;
    fn bitand(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }
}

impl FromStr for Scope {
    type Err = UnknownScope;
    fn from_str(text: &str) -> Result<Self, UnknownScope> {
        text.split_ascii_whitespace()
            .try_fold(Self::NONE, |scope, word| Ok(scope | Self::of_word(word)?))
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, word) in self.words().enumerate() {
            if index > 0 {
                f.write_str(" ")?;
            }
            f.write_str(word)?;
        }
        Ok(())
    }
}

impl fmt::Debug for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Scope({self})")
    }
}

impl Serialize for Scope {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Scope {
    /// Strict: what someone asks for must be known.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match Words::deserialize(deserializer)? {
            Words::Text(text) => text.parse(),
            Words::List(list) => {
                list.iter().try_fold(Self::NONE, |scope, word| Ok(scope | Self::of_word(word)?))
            }
        }
        .map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn agents_may_do_everything_but_operate() {
        assert_eq!(Scope::AGENT.to_string(), "read signal invoke session control topics");
        assert!(!Scope::AGENT.contains(Scope::OPERATE));
        assert!(Scope::ALL.contains(Scope::AGENT | Scope::OPERATE));
    }

    #[test]
    fn reads_strings_and_arrays() {
        let both = Scope::READ | Scope::SIGNAL;
        assert_eq!(serde_json::from_str::<Scope>(r#""signal  read""#).unwrap(), both);
        assert_eq!(serde_json::from_str::<Scope>(r#"["read","signal"]"#).unwrap(), both);
        assert!(serde_json::from_str::<Scope>(r#""read write""#).is_err());
        assert!(serde_json::from_str::<Scope>("7").is_err());
    }

    proptest! {
        #[test]
        fn reads_back_what_it_writes(bits in 0_u8..128) {
            let scope = Scope(bits);
            prop_assert_eq!(scope.to_string().parse(), Ok(scope));
        }
    }
}
