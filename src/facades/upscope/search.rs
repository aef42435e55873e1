//! What a search means (`upscope.md` 4): words that must all fit, some of them with a meaning of their own. No I/O.

use std::net::IpAddr;

use crate::model::{
    error::Problem,
    ids::Code,
    list::{Filter, MAX_VALUE_CHARACTERS},
};

use super::translate::Known;

/// Most words of one search.
pub const MAX_WORDS: usize = 16;
/// Digits of a code that leads to a visitor.
pub const CODE_DIGITS: usize = 4;

/// A search.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Search {
    words: Vec<Word>,
    /// The code, which leads to one visitor.
    pub code: Option<Code>,
}

/// A word of a search.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Word {
    /// `online`: only who is there.
    Online,
    /// `-online`: only who is not there.
    Offline,
    /// `ip:`: who comes from this network address; `None` for what is none.
    Address(Option<IpAddr>),
    /// `id:`: whom the site calls this.
    Id(String),
    /// `#tag`.
    Tag(String),
    /// `integration_id:name:id`.
    Integration(String),
    /// An e-mail address: one of his names.
    Email(String),
    /// Anything else: somewhere in what is known of him.
    Text(String),
}

impl Search {
    /// Reads a search that came as this parameter.
    ///
    /// # Errors
    /// Names the parameter: it is too long.
    pub fn read(parameter: &'static str, text: &str) -> Result<Self, Problem> {
        let too_long = |rule: String| Problem::field(parameter, rule);
        if text.chars().count() > MAX_VALUE_CHARACTERS {
            let rule = format!("must have at most {MAX_VALUE_CHARACTERS} characters");
            return Err(too_long(rule));
        }
        let mut search = Self::default();
        for word in text.split_whitespace() {
            if search.words.len() + usize::from(search.code.is_some()) == MAX_WORDS {
                return Err(too_long(format!("must have at most {MAX_WORDS} words")));
            }
            let is_code =
                word.len() == CODE_DIGITS && word.bytes().all(|byte| byte.is_ascii_digit());
            match word.parse() {
                Ok(code) if is_code && search.code.is_none() => search.code = Some(code),
                _ => search.words.push(Word::read(word)),
            }
        }
        Ok(search)
    }

    /// Whether it asks for people of whom nothing is kept, so that nobody fits.
    #[must_use]
    pub fn is_hopeless(&self) -> bool {
        self.words.iter().any(|word| matches!(word, Word::Offline | Word::Address(None)))
    }

    /// Whom the lists are asked for: those who fit, and perhaps some more.
    ///
    /// # Errors
    /// Never, for what [`Search::read`] took.
    pub fn filter(&self) -> Result<Filter, Problem> {
        Filter::from_query(self.words.iter().filter_map(|word| match word {
            Word::Online | Word::Offline | Word::Address(_) => None,
            Word::Id(text)
            | Word::Tag(text)
            | Word::Integration(text)
            | Word::Email(text)
            | Word::Text(text) => Some(("text", text.as_str())),
        }))
    }

    /// Whether all words fit a visitor.
    #[must_use]
    pub fn fits(&self, known: &Known) -> bool {
        let same = |one: &String, other: &String| one.eq_ignore_ascii_case(other);
        let has = |list: &[String], wanted: &String| list.iter().any(|one| same(one, wanted));
        self.words.iter().all(|word| match word {
            // The lists looked for text in all that there is.
            Word::Online | Word::Text(_) => true,
            Word::Offline => false,
            Word::Address(address) => address.is_some() && known.address == *address,
            Word::Id(id) => known.unique_id.as_ref() == Some(id),
            Word::Tag(tag) => has(&known.tags, tag),
            Word::Integration(id) => known.integrations.iter().any(|known| known == id),
            Word::Email(email) => {
                has(&known.identities, email)
                    || known.unique_id.as_ref().is_some_and(|id| same(id, email))
            }
        })
    }
}

impl Word {
    fn read(word: &str) -> Self {
        let after = |prefix: &str| {
            word.strip_prefix(prefix).filter(|rest| !rest.is_empty()).map(str::to_owned)
        };
        if word.eq_ignore_ascii_case("online") {
            Self::Online
        } else if word.eq_ignore_ascii_case("-online") {
            Self::Offline
        } else if let Some(address) = after("ip:") {
            Self::Address(address.parse().ok().map(|address: IpAddr| address.to_canonical()))
        } else if let Some(id) = after("id:") {
            Self::Id(id)
        } else if let Some(id) = after("integration_id:") {
            Self::Integration(id)
        } else if after("#").is_some() {
            Self::Tag(word.to_owned())
        } else if is_email(word) {
            Self::Email(word.to_owned())
        } else {
            Self::Text(word.to_owned())
        }
    }
}

/// Whether a text is an e-mail address, as far as one can see.
#[must_use]
pub fn is_email(text: &str) -> bool {
    let Some((name, host)) = text.split_once('@') else { return false };
    let is_host = host.contains('.') && !host.starts_with('.') && !host.ends_with('.');
    !name.is_empty() && is_host && !text.contains(char::is_whitespace) && !host.contains('@')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Search, Problem> {
        Search::read("search", text)
    }

    fn ada() -> Known {
        let texts = |list: &[&str]| list.iter().map(|&text| text.to_owned()).collect();
        Known {
            unique_id: Some("customer-7".to_owned()),
            identities: texts(&["Ada Lovelace", "Ada@Example.com"]),
            tags: texts(&["#VIP", "#beta"]),
            integrations: texts(&["crm:42"]),
            address: "10.0.0.7".parse().ok(),
        }
    }

    #[test]
    fn each_word_has_its_meaning() {
        let fits = |text: &str| read(text).unwrap().fits(&ada());
        for good in [
            "",
            "online",
            "id:customer-7",
            "#vip",
            "#VIP #beta",
            "integration_id:crm:42",
            "ada@example.com",
            "anything else",
            "ONLINE #vip id:customer-7",
            "ip:10.0.0.7",
            "ip:::ffff:10.0.0.7 #vip",
        ] {
            assert!(fits(good), "{good}");
        }
        for bad in [
            "-online",
            "ip:10.0.0.8",
            "ip:nonsense",
            "id:customer-8",
            "id:Customer-7",
            "#vi",
            "#other",
            "integration_id:crm:43",
            "eve@example.com",
            "#vip -online",
        ] {
            assert!(!fits(bad), "{bad}");
        }
        assert!(read("-online").unwrap().is_hopeless());
        assert!(!read("online").unwrap().is_hopeless());
    }

    #[test]
    fn four_digits_are_a_code_and_other_numbers_are_text() {
        let code = |text: &str| read(text).unwrap().code.map(|code| code.to_string());
        assert_eq!(code("0417").as_deref(), Some("0417"));
        assert_eq!(code("online 0417").as_deref(), Some("0417"));
        assert_eq!(code("417"), None);
        assert_eq!(code("12345"), None);
        assert_eq!(read("1234 5678").unwrap().words, [Word::Text("5678".to_owned())]);
    }

    #[test]
    fn searches_are_bounded() {
        let field = |text: &str| read(text).unwrap_err().field.unwrap();
        assert_eq!(field(&"x".repeat(257)), "search");
        assert_eq!(field(&"x ".repeat(17)), "search");
        assert_eq!(field(&format!("1234 {}", "x ".repeat(16))), "search");
        assert_eq!(Search::read("q", &"x".repeat(257)).unwrap_err().field.unwrap(), "q");
        assert!(read(&"é ".repeat(16)).unwrap().filter().is_ok());
    }

    #[test]
    fn words_without_a_value_are_text() {
        for text in ["id:", "#", "ip:", "integration_id:", "@", "a@b", "a@.b", "@b.c"] {
            assert_eq!(read(text).unwrap().words, [Word::Text(text.to_owned())], "{text}");
        }
    }
}
