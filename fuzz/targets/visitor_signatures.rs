//! Signed visitor ids. What has a line end in it is a header and claims, and is signed as the site would; all else is a
//! signature as it stands.

use std::collections::BTreeMap;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Value, value::RawValue};
use vestibule::{
    auth::{SignatureError, VisitorSignatures},
    clock::Timestamp,
    model::ids::{GroupId, VisitorId},
};

use super::tokens::sign;

const KEY: &str = "a visitor key that only the site knows";
const FORMER: &str = "the key that the site had before that";
const NOW: Timestamp = Timestamp(1_700_000_000_000);

pub fn run(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let (group, visitor): (GroupId, VisitorId) = ("12345".parse().unwrap(), "ada".parse().unwrap());
    let signatures = VisitorSignatures::new(vec![KEY.into(), FORMER.into()], true);
    let check = |text: &str| signatures.check(&group, &visitor, Some(text), NOW);
    if let Some((header, claims)) = text.split_once('\n') {
        let token = sign(header, claims, KEY.as_bytes());
        if check(&token).is_ok() {
            let (header, claims) = (fields(header), fields(claims));
            let claim =
                |name: &str| claims.get(name).and_then(|value| value.get().parse::<Value>().ok());
            assert_eq!(header.get("alg").map(|value| value.get()), Some("\"HS256\""));
            assert!(header.get("crit").is_none_or(|value| value.get() == "null"));
            assert_eq!(claim("sub"), Some(visitor.as_str().into()));
            assert!([Some(group.as_str().into()), Some(12345.into())].contains(&claim("group")));
            let ends = claim("exp").and_then(|ends| ends.as_u64());
            assert!(ends.is_some_and(|ends| ends > NOW.0 / 1_000));
            let other = "bob".parse().unwrap();
            assert!(signatures.check(&group, &other, Some(&token), NOW).is_err());
        }
        return;
    }
    // Which of the two keys it was is not told, so both may have made it.
    let is_right = [KEY, FORMER].into_iter().any(|key| {
        let signatures = VisitorSignatures::new(vec![key.into()], false);
        let signature = signatures.sign(&group, &visitor).expect("there is a key");
        let mac: Vec<u8> = signature.as_bytes().chunks(2).map(byte).collect();
        let base64 = URL_SAFE_NO_PAD.encode(mac);
        text.eq_ignore_ascii_case(&signature) || text.strip_suffix('=').unwrap_or(text) == base64
    });
    assert_eq!(check(text).is_ok(), is_right, "{:?}", check(text));
    let none = VisitorSignatures::default().check(&group, &visitor, Some(text), NOW);
    assert_eq!(none, Err(SignatureError::NoKeys));
}

/// What is not read may be a number that no type holds.
fn fields(text: &str) -> BTreeMap<String, Box<RawValue>> {
    serde_json::from_str(text).expect("an object of JSON")
}

fn byte(digits: &[u8]) -> u8 {
    let digits = std::str::from_utf8(digits).expect("hexadecimal");
    u8::from_str_radix(digits, 16).expect("hexadecimal")
}
