//! Identities. Each has a type of its own; text from outside becomes one only through its rule.

use std::{borrow::Borrow, fmt, str::FromStr, sync::Arc};

use serde::{Deserialize, Deserializer, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

/// Why a text is not the identity that it was given as.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{what} must be {rule}")]
pub struct InvalidId {
    /// The kind of identity.
    pub what: &'static str,
    /// The rule that the text breaks.
    pub rule: &'static str,
}

/// A text that is read through its rule, and shown as it is. The check gives the rule that a text breaks.
macro_rules! checked_text {
    ($name:ident, $what:literal, $check:expr) => {
        impl FromStr for $name {
            type Err = InvalidId;
            fn from_str(text: &str) -> Result<Self, InvalidId> {
                let check: fn(&str) -> Result<(), &'static str> = $check;
                match check(text) {
                    Ok(()) => Ok(Self(text.into())),
                    Err(rule) => Err(InvalidId { what: $what, rule }),
                }
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = std::borrow::Cow::<str>::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(&self.0, f)
            }
        }
    };
}
pub(super) use checked_text;

macro_rules! text_id {
    ($(#[$doc:meta])* $name:ident, $what:literal, $rule:literal, $pattern:literal, $example:literal, $valid:expr) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, ToSchema)]
        #[serde(transparent)]
        #[schema(value_type = String, pattern = $pattern, example = $example)]
        pub struct $name(Arc<str>);

        impl $name {
            #[doc = concat!("The rule for ", $what, ".")]
            pub const RULE: &'static str = $rule;

            /// The text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        checked_text!($name, $what, |text| {
            let valid: fn(&str) -> bool = $valid;
            if valid(text) { Ok(()) } else { Err($rule) }
        });

        impl Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }
    };
}

fn within(text: &str, longest: usize, allowed: fn(u8) -> bool) -> bool {
    (1..=longest).contains(&text.len()) && text.bytes().all(allowed)
}

fn is_page_character(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-')
}

text_id!(
    /// A tenant: a number kept as a string.
    GroupId, "group", "1 to 20 digits", "^[0-9]{1,20}$", "12345",
    |text| within(text, 20, |byte| byte.is_ascii_digit())
);
text_id!(
    /// A person on the group's web site, as the site names him, or an anonymous id.
    VisitorId, "visitorid", "1 to 100 of A-Z a-z 0-9 . _ ~ -", "^[A-Za-z0-9._~-]{1,100}$", "ada",
    |text| within(text, 100, |byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'~' | b'-'))
);
text_id!(
    /// A browser tab, named by the SDK.
    TabId, "tab", "1 to 64 of A-Z a-z 0-9 _ -", "^[A-Za-z0-9_-]{1,64}$", "t8Xq2",
    |text| within(text, 64, is_page_character)
);
text_id!(
    /// One loaded page in a tab, named by the SDK.
    PageId, "page", "1 to 64 of A-Z a-z 0-9 _ -", "^[A-Za-z0-9_-]{1,64}$", "p41Lz",
    |text| within(text, 64, is_page_character)
);
text_id!(
    /// A code that leads to something: digits, short enough to be read out.
    Code, "code", "4 to 12 digits", "^[0-9]{4,12}$", "123456",
    |text| text.len() >= 4 && within(text, 12, |byte| byte.is_ascii_digit())
);
text_id!(
    /// A sender's own key that makes its retry harmless.
    IdempotencyKey, "key", "1 to 64 printable ASCII characters", "^[!-~]{1,64}$", "k-1",
    |text| within(text, 64, |byte| byte.is_ascii_graphic())
);

text_id!(
    /// What something of ours is called in another system, such as a chat.
    Reference, "reference", "1 to 128 printable ASCII characters", "^[!-~]{1,128}$", "chat-4711",
    |text| within(text, 128, |byte| byte.is_ascii_graphic())
);

text_id!(
    /// A chat button of a site, named by the site.
    ButtonId, "button", "1 to 64 of A-Z a-z 0-9 . _ -", "^[A-Za-z0-9._-]{1,64}$", "sales",
    |text| within(text, 64, |byte| is_page_character(byte) || byte == b'.')
);

impl VisitorId {
    /// Whether the SDK made this id because the site gave none: `~` and 128 bits in lower-case hexadecimal.
    #[must_use]
    pub fn is_anonymous(&self) -> bool {
        self.0.strip_prefix('~').is_some_and(|digits| {
            digits.len() == 32
                && digits.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
        })
    }
}

impl IdempotencyKey {
    /// The key as the core keeps it: another sender's equal key is another one.
    #[must_use]
    pub fn of(&self, sender: &str) -> Self {
        use sha2::{Digest as _, Sha256};
        let mut digest = Sha256::new();
        digest.update((sender.len() as u64).to_be_bytes());
        digest.update(sender);
        digest.update(self.as_str());
        let digest = digest.finalize();
        Self(digest.iter().take(16).map(|byte| format!("{byte:02x}")).collect::<String>().into())
    }
}

/// Names one visitor in the whole service.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct VisitorKey {
    /// The tenant.
    pub group: GroupId,
    /// The visitor in it.
    pub visitor: VisitorId,
}

/// A process of this service; a process that starts anew is a new node incarnation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct NodeId {
    /// Which node.
    pub node: u32,
    /// Which start of it: later starts have greater numbers.
    pub incarnation: u64,
}

/// A socket within one node incarnation. Never used twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SocketId(pub u64);

/// A socket anywhere in the service: a value that any node can read, not a pointer of one process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct SocketAddress {
    /// The node that holds the socket.
    pub node: NodeId,
    /// The socket on it.
    pub socket: SocketId,
}

impl fmt::Display for SocketAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:x}-{:x}-{:x}", self.node.node, self.node.incarnation, self.socket.0)
    }
}

impl FromStr for SocketAddress {
    type Err = InvalidId;
    fn from_str(text: &str) -> Result<Self, InvalidId> {
        let mut parts = text.split('-').map(|part| u64::from_str_radix(part, 16).ok());
        let mut part = || parts.next().flatten();
        match (part().and_then(|node| u32::try_from(node).ok()), part(), part(), parts.next()) {
            (Some(node), Some(incarnation), Some(socket), None) => {
                Ok(Self { node: NodeId { node, incarnation }, socket: SocketId(socket) })
            }
            _ => {
                Err(InvalidId { what: "socket", rule: "three hexadecimal numbers between hyphens" })
            }
        }
    }
}

/// For fields that are written as their text.
pub mod as_text {
    use std::{borrow::Cow, fmt::Display, str::FromStr};

    use serde::{Deserialize as _, Deserializer, Serializer, de::Error as _};

    /// Writes the text.
    ///
    /// # Errors
    /// The serializer's.
    pub fn serialize<T: Display, S: Serializer>(value: &T, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(value)
    }

    /// Reads the text.
    ///
    /// # Errors
    /// The deserializer's, or a text that is no value.
    pub fn deserialize<'de, T: FromStr<Err: Display>, D: Deserializer<'de>>(
        from: D,
    ) -> Result<T, D::Error> {
        Cow::<str>::deserialize(from)?.parse().map_err(D::Error::custom)
    }
}

macro_rules! time_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, ToSchema)]
        #[schema(value_type = String, pattern = "^[0-9a-f]{32}$", example = "0190163d8694739b8a8c1e7ee7a2b3c4")]
        pub struct $name(Uuid);

        impl $name {
            /// A new id.
            #[must_use]
            pub fn generate() -> Self {
                Self(Uuid::now_v7())
            }

            /// The id with this number; for tests and stored states.
            #[must_use]
            pub const fn from_u128(number: u128) -> Self {
                Self(Uuid::from_u128(number))
            }
        }

        impl FromStr for $name {
            type Err = InvalidId;
            fn from_str(text: &str) -> Result<Self, InvalidId> {
                const INVALID: InvalidId = InvalidId { what: "id", rule: "32 hexadecimal digits" };
                if text.len() != 32 {
                    return Err(INVALID);
                }
                Uuid::try_parse(text).map(Self).map_err(|_| INVALID)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::LowerHex::fmt(self.0.as_simple(), f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }

        impl Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                let mut buffer = [0_u8; 32];
                serializer.serialize_str(self.0.as_simple().encode_lower(&mut buffer))
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = std::borrow::Cow::<str>::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}

time_id!(
    /// Names one signal, for ever. Written as 32 hexadecimal digits; sorts by time.
    SignalId
);
time_id!(
    /// Names one co-browse session, for ever. Written as 32 hexadecimal digits; sorts by time.
    SessionId
);

time_id!(
    /// Names one visitor's wish for help, for ever. Written as 32 hexadecimal digits; sorts by time.
    HelpId
);

time_id!(
    /// Names one chat, for ever. Written as 32 hexadecimal digits; sorts by time.
    ChatId
);

/// Names one co-browse session in the whole service.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct SessionKey {
    /// The tenant.
    pub group: GroupId,
    /// The session in it.
    pub session: SessionId,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn visitor_ids_follow_their_rule() {
        for good in ["a", "Ada.Lovelace~1_2-3", &"x".repeat(100)] {
            assert!(good.parse::<VisitorId>().is_ok(), "{good}");
        }
        for bad in ["", "a b", "ä", "a/b", &"x".repeat(101)] {
            assert!(bad.parse::<VisitorId>().is_err(), "{bad}");
        }
    }

    /// The documents say the rules as patterns.
    #[test]
    fn patterns_say_what_the_rules_say() {
        fn check<T: utoipa::PartialSchema + FromStr>(longest: usize, allowed: &str) {
            let schema = serde_json::to_value(T::schema()).unwrap();
            let pattern = schema["pattern"].as_str().unwrap();
            let (class, size) = pattern.rsplit_once(']').unwrap();
            assert!(size.ends_with(&format!(",{longest}}}$")), "{pattern}");
            for character in (0_u8..=127).map(char::from) {
                let valid = allowed.contains(character);
                assert_eq!(character.to_string().repeat(4).parse::<T>().is_ok(), valid, "{class}");
            }
        }
        let letters: String = ('a'..='z').chain('A'..='Z').chain('0'..='9').collect();
        check::<GroupId>(20, "0123456789");
        check::<VisitorId>(100, &format!("{letters}._~-"));
        check::<TabId>(64, &format!("{letters}_-"));
        check::<PageId>(64, &format!("{letters}_-"));
        check::<ButtonId>(64, &format!("{letters}._-"));
        check::<Code>(12, "0123456789");
        let printable: String = ('!'..='~').collect();
        check::<IdempotencyKey>(64, &printable);
    }

    #[test]
    fn an_anonymous_id_has_one_shape_only() {
        let is_anonymous = |text: &str| text.parse::<VisitorId>().unwrap().is_anonymous();
        assert!(is_anonymous("~0123456789abcdef0123456789abcdef"));
        assert!(!is_anonymous("~0123456789ABCDEF0123456789abcdef"));
        assert!(!is_anonymous("~0123"));
        assert!(!is_anonymous("ada"));
    }

    #[test]
    fn equal_keys_of_two_senders_differ() {
        let key: IdempotencyKey = "1".parse().unwrap();
        assert_eq!(key.of("ada"), key.of("ada"));
        assert_ne!(key.of("ada"), key.of("bob"));
        assert_ne!("11".parse::<IdempotencyKey>().unwrap().of("ada"), key.of("ada1"));
    }

    #[test]
    fn signal_ids_read_back_what_they_write() {
        let id = SignalId::generate();
        assert_eq!(id.to_string().parse(), Ok(id));
        assert_eq!(
            serde_json::from_str::<SignalId>(&serde_json::to_string(&id).unwrap()).unwrap(),
            id
        );
        assert!("urn:uuid:67e5504410b1426f9247bb680e5fe0c8".parse::<SignalId>().is_err());
    }
}
