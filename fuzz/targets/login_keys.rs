//! Login keys: the first line is the partner's user, the second a login key, or a time for which one is made.

use vestibule::{
    auth::{AuthError, Partner},
    clock::Timestamp,
};

const NOW: u64 = 1_699_999_000;
const DAY: u64 = 24 * 60 * 60;

pub fn run(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let Some((user, key)) = text.split_once('\n') else { return };
    let partner = Partner { id: "98765".to_owned(), key: "RedactedApiKey".into() };
    let verify = |user: &str, key: &str| partner.verify(user, key, Timestamp(NOW * 1_000 + 999));
    if let Ok(expiry) = key.parse::<u64>() {
        let expiry = expiry % (1 << 40);
        let Ok(made) = partner.login_key(user, Timestamp(expiry * 1_000)) else {
            assert!(user.is_empty() || user.chars().count() > 255);
            return;
        };
        let expected = match expiry {
            // A number that begins with a nought has another reading.
            0 => Err(AuthError::Malformed),
            _ if expiry >= 1_000_000_000_000 => Err(AuthError::Malformed),
            _ if expiry <= NOW => Err(AuthError::Expired),
            _ if expiry - NOW > DAY => Err(AuthError::LivesTooLong),
            _ => Ok(()),
        };
        assert_eq!(verify(user, &made), expected);
        assert!(verify(&format!("{user}1"), &made).is_err());
        return;
    }
    if verify(user, key).is_ok() {
        let expiry = key.split('$').nth(2).and_then(|text| text.parse::<u64>().ok());
        let expiry = expiry.expect("a key that was believed says its end");
        assert!(expiry > NOW && expiry - NOW <= DAY);
        // The standard alphabet is read too.
        let made = partner.login_key(user, Timestamp(expiry * 1_000)).expect("of that user");
        assert_eq!(key.replace('+', "-").replace('/', "_"), made);
    }
}
