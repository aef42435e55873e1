//! Signed visitor ids. What has a line end in it is a header and claims, and is signed as the site would; all else is a
//! signature as it stands.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::Value;
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
            let header: Value = serde_json::from_str(header).expect("a header is JSON");
            let claims: Value = serde_json::from_str(claims).expect("claims are JSON");
            assert_eq!((&header["alg"], &header["crit"]), (&"HS256".into(), &Value::Null));
            assert_eq!(claims["sub"], visitor.as_str());
            assert!(claims["group"] == group.as_str() || claims["group"] == 12345);
            assert!(claims["exp"].as_u64().is_some_and(|ends| ends > NOW.0 / 1_000));
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

fn byte(digits: &[u8]) -> u8 {
    let digits = std::str::from_utf8(digits).expect("hexadecimal");
    u8::from_str_radix(digits, 16).expect("hexadecimal")
}
