//! The `Authorization` header (RFC 6750, section 2.1).

use super::AuthError;

/// The token in an `Authorization` header's text. The scheme's case does not matter.
///
/// # Errors
/// [`AuthError::Missing`] without a header, with another scheme, or without a token behind the scheme.
pub fn bearer(header: Option<&str>) -> Result<&str, AuthError> {
    let (scheme, token) =
        header.and_then(|text| text.trim().split_once(' ')).ok_or(AuthError::Missing)?;
    let token = token.trim_start();
    if !scheme.eq_ignore_ascii_case("bearer") || token.is_empty() {
        return Err(AuthError::Missing);
    }
    if token.contains(char::is_whitespace) {
        return Err(AuthError::Malformed);
    }
    Ok(token)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_bearer_token_counts() {
        assert_eq!(bearer(Some("Bearer abc")), Ok("abc"));
        assert_eq!(bearer(Some(" bearer   abc ")), Ok("abc"));
        for missing in [None, Some(""), Some("Bearer"), Some("Bearer "), Some("Basic abc")] {
            assert_eq!(bearer(missing), Err(AuthError::Missing), "{missing:?}");
        }
        assert_eq!(bearer(Some("Bearer a b")), Err(AuthError::Malformed));
    }
}
