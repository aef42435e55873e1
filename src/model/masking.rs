//! The second line of masking: what looks like a payment card's number, or matches a group's declared patterns, is blotted
//! out of every JSON string of a stream as it passes. The first line is in the visitor's browser (design section 7); this
//! one holds when that is switched off or mistaken. It does not find what was encoded on purpose.

use std::borrow::Cow;

use regex::{Regex, RegexBuilder};

/// Stands for each digit or character that was blotted out.
const BLOT: char = '•';
/// Digits of a card's number: ISO/IEC 7812-1 allows up to 19; shorter ones than 14 are in use nowhere any more.
const CARD_DIGITS: std::ops::RangeInclusive<usize> = 14..=19;
/// Digits of a group of a card's number at least: lists of small numbers are no cards.
const LEAST_GROUP: usize = 3;
/// Memory that one compiled pattern may take, in bytes.
const PATTERN_BYTES: usize = 1 << 18;

/// What is blotted out: card-like numbers, and what patterns match.
#[derive(Clone, Debug, Default)]
pub struct Masking {
    patterns: Vec<Regex>,
}

/// A pattern that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the pattern cannot be used: {0}")]
pub struct BadPattern(String);

impl Masking {
    /// Blots out what this pattern matches too.
    ///
    /// # Errors
    /// It is not a regular expression, too large, or matches the empty text.
    pub fn add(&mut self, pattern: &str) -> Result<(), BadPattern> {
        let regex = RegexBuilder::new(pattern).size_limit(PATTERN_BYTES).build();
        let regex = regex.map_err(|error| BadPattern(error.to_string()))?;
        if regex.is_match("") {
            return Err(BadPattern("it matches the empty text".to_owned()));
        }
        self.patterns.push(regex);
        Ok(())
    }

    /// Blots out what must not pass of the strings in a JSON text; the text itself where there is nothing. Numbers, names
    /// and structure stay as they are. What is not JSON goes through as far as its quotes can be told apart.
    #[must_use]
    pub fn json<'a>(&self, text: &'a str) -> Cow<'a, str> {
        let mut masked = String::new();
        let mut copied = 0;
        let mut rest = 0;
        while let Some(begin) =
            text.get(rest..).and_then(|text| text.find('"')).map(|at| rest + at + 1)
        {
            let Some(end) = end_of_string(text, begin) else { break };
            let raw = text.get(begin..end).unwrap_or_default();
            if let Some(safe) = self.raw_string(raw) {
                masked.push_str(text.get(copied..begin).unwrap_or_default());
                masked.push_str(&safe);
                copied = end;
            }
            rest = end + 1;
        }
        if copied == 0 {
            return Cow::Borrowed(text);
        }
        masked.push_str(text.get(copied..).unwrap_or_default());
        Cow::Owned(masked)
    }

    /// What is between the quotes, if something in it must not pass.
    fn raw_string(&self, raw: &str) -> Option<String> {
        if !raw.contains('\\') {
            return self.text(raw);
        }
        let text = serde_json::from_str::<String>(&format!("\"{raw}\"")).ok()?;
        let masked = serde_json::to_string(&self.text(&text)?).ok()?;
        masked.get(1..masked.len() - 1).map(ToOwned::to_owned)
    }

    /// A text without what must not pass; `None` when nothing of that is in it.
    #[must_use]
    pub fn text(&self, text: &str) -> Option<String> {
        let mut masked = blot_cards(text);
        for pattern in &self.patterns {
            let now = masked.as_deref().unwrap_or(text);
            let blotted = pattern.replace_all(now, |found: &regex::Captures<'_>| {
                let length = found.get(0).map_or(0, |found| found.as_str().chars().count());
                String::from(BLOT).repeat(length)
            });
            if let Cow::Owned(blotted) = blotted {
                masked = Some(blotted);
            }
        }
        masked
    }
}

/// Where the string that begins at `begin` has its closing quote.
fn end_of_string(text: &str, begin: usize) -> Option<usize> {
    let mut escaped = false;
    let bytes = text.as_bytes().iter().enumerate().skip(begin);
    for (at, byte) in bytes {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => return Some(at),
            _ => {}
        }
    }
    None
}

/// The text with the digits of card-like numbers blotted out: 14 to 19 digits, the first of them 2 to 6, in whole groups
/// of three and more between single spaces, hyphens or dots, with the right check digit (ISO/IEC 7812-1, annex B). Other groups of digits may
/// stand beside them, as the month of its expiry does behind a card's number.
fn blot_cards(text: &str) -> Option<String> {
    // Most strings are short names and classes.
    if text.len() < *CARD_DIGITS.start() {
        return None;
    }
    let mut masked = String::new();
    let (mut copied, mut from) = (0, 0);
    while let Some((groups, end)) = next_run(text, from) {
        let mut rest = groups.as_slice();
        while let Some((first, others)) = rest.split_first() {
            let card = card_at(text, rest);
            if let Some((last, behind)) = card {
                let card = text.get(first.start..last).unwrap_or_default();
                masked.push_str(text.get(copied..first.start).unwrap_or_default());
                masked.extend(card.chars().map(|c| if c.is_ascii_digit() { BLOT } else { c }));
                copied = last;
                rest = behind;
            } else {
                rest = others;
            }
        }
        from = end;
    }
    if copied == 0 {
        return None;
    }
    masked.push_str(text.get(copied..).unwrap_or_default());
    Some(masked)
}

type Group = std::ops::Range<usize>;

/// Where the longest card's number ends that begins with the first of these groups, and what is behind it.
fn card_at<'a>(text: &str, groups: &'a [Group]) -> Option<(usize, &'a [Group])> {
    let mut digits = Vec::new();
    let mut found = None;
    for (place, group) in groups.iter().enumerate() {
        let own = text.get(group.clone()).unwrap_or_default();
        if own.len() < LEAST_GROUP || digits.len() + own.len() > *CARD_DIGITS.end() {
            break;
        }
        digits.extend(own.bytes().map(|digit| digit - b'0'));
        if is_card(&digits) {
            found = Some((group.end, groups.get(place + 1..).unwrap_or_default()));
        }
    }
    found
}

/// The next groups of digits with single separators between them, and where they end.
fn next_run(text: &str, from: usize) -> Option<(Vec<Group>, usize)> {
    let begin = text.get(from..)?.find(|c: char| c.is_ascii_digit())? + from;
    let mut groups = Vec::<Group>::new();
    // As if one had just come: the first digit begins a group.
    let (mut end, mut separated) = (begin, true);
    for (at, character) in text.get(begin..)?.char_indices() {
        let at = begin + at;
        if character.is_ascii_digit() {
            end = at + 1;
            if std::mem::take(&mut separated) {
                groups.push(at..end);
            } else if let Some(group) = groups.last_mut() {
                group.end = end;
            }
        } else if !separated && matches!(character, ' ' | '-' | '.' | '\u{a0}') {
            separated = true;
        } else {
            break;
        }
    }
    Some((groups, end))
}

fn is_card(digits: &[u8]) -> bool {
    let first = digits.first().is_some_and(|first| (2..=6).contains(first));
    if !first || !CARD_DIGITS.contains(&digits.len()) {
        return false;
    }
    let sum: u32 = digits
        .iter()
        .rev()
        .enumerate()
        .map(|(place, digit)| {
            let digit = u32::from(*digit);
            if place % 2 == 0 { digit } else { digit * 2 - if digit > 4 { 9 } else { 0 } }
        })
        .sum();
    sum.is_multiple_of(10)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;

    fn masking() -> Masking {
        let mut masking = Masking::default();
        masking.add("(?i)secret-[a-z]+").unwrap();
        masking
    }

    #[test]
    fn cards_are_blotted_out_however_they_are_grouped() {
        let cards = [
            "4111111111111111",
            "4111 1111 1111 1111",
            "5500-0000-0000-0004",
            "3782 822463 10005",
            "6011.0000.0000.0004",
            "2223 0000 4841 0010",
            "30569309025904",
        ];
        for card in cards {
            let text = format!("pay with {card}, please");
            let masked = masking().text(&text).unwrap_or_else(|| panic!("{card}"));
            assert!(!masked.contains(|c: char| c.is_ascii_digit()), "{masked}");
            assert_eq!(masked.chars().count(), text.chars().count());
        }
        let two = masking().text("4111111111111111 und danach x 5500000000000004").unwrap();
        assert!(!two.contains(|c: char| c.is_ascii_digit()), "{two}");
    }

    #[test]
    fn other_numbers_stay() {
        for other in [
            "1700000000000",
            "1700000000000000",
            "4111111111111112",
            "41111111111111111111111",
            "order 12345 of 2026-11-21",
            "+49 30 1234567",
            "4111  1111  1111  1111",
        ] {
            assert_eq!(masking().text(other), None, "{other}");
        }
    }

    #[test]
    fn strings_of_json_are_masked_and_nothing_else() {
        let card = "4111111111111111";
        let text = json!([{"text": format!("say \"{card}\"\n"), "n": 4111111111111111_u64, card: "SECRET-word"}]);
        let masked = masking().json(&text.to_string()).into_owned();
        let blots = "•".repeat(16);
        let word = "•".repeat(11);
        let expected =
            json!([{"text": format!("say \"{blots}\"\n"), "n": 4111111111111111_u64, blots: word}]);
        assert_eq!(serde_json::from_str::<Value>(&masked).unwrap(), expected);
        let plain = r#"[{"type":3,"data":{"source":2,"x":1}}]"#;
        assert!(matches!(masking().json(plain), Cow::Borrowed(_)), "copied for nothing");
    }

    #[test]
    fn bad_patterns_are_refused() {
        for bad in ["(", "a*", "x{1000}{1000}"] {
            assert!(Masking::default().add(bad).is_err(), "{bad}");
        }
    }

    fn masked_tree(masking: &Masking, value: &Value) -> Value {
        let text = |text: &String| masking.text(text).unwrap_or_else(|| text.clone());
        match value {
            Value::String(of) => Value::String(text(of)),
            Value::Array(items) => items.iter().map(|item| masked_tree(masking, item)).collect(),
            Value::Object(fields) => {
                fields.iter().map(|(key, value)| (text(key), masked_tree(masking, value))).collect()
            }
            other => other.clone(),
        }
    }

    fn tree() -> impl Strategy<Value = Value> {
        let text = prop_oneof![
            ".{0,20}",
            Just("4111 1111 1111 1111".to_owned()),
            Just("\\\"secret-x\u{0}".to_owned()),
            "[0-9 .-]{0,40}",
        ];
        let leaf =
            prop_oneof![any::<i32>().prop_map(Value::from), text.clone().prop_map(Value::from)];
        leaf.prop_recursive(3, 20, 4, move |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::btree_map(text.clone(), inner, 0..4)
                    .prop_map(|fields| Value::Object(fields.into_iter().collect())),
            ]
        })
    }

    #[test]
    fn what_stands_beside_a_card_does_not_hide_it() {
        for (text, masked) in [
            ("4111 1111 1111 1111 12/27", "•••• •••• •••• •••• 12/27"),
            ("No. 7 4111111111111111 123", "No. 7 •••••••••••••••• 123"),
            ("4111-1111-1111-1111 5500 0000 0000 0004", "••••-••••-••••-•••• •••• •••• •••• ••••"),
        ] {
            assert_eq!(Masking::default().text(text).as_deref(), Some(masked));
        }
        // Small numbers in a row are none.
        assert_eq!(Masking::default().text("4 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1"), None);
        // A longer number is no card, and neither is a part of a group.
        assert_eq!(Masking::default().text("41111111111111111227"), None);
    }

    proptest! {
        /// Passing over the text gives what walking the tree gives.
        #[test]
        fn no_tree_is_needed(value in tree()) {
            let masking = masking();
            let masked = masking.json(&value.to_string()).into_owned();
            let masked: Value = serde_json::from_str(&masked).unwrap();
            prop_assert_eq!(masked, masked_tree(&masking, &value));
        }

        #[test]
        fn nothing_makes_it_panic(text in ".{0,200}") {
            let _ = masking().json(&text);
        }
    }
}
