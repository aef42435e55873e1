//! Addresses that this server itself may ask.

use std::{fmt, str::FromStr};

use actix_web::http::Uri;

use super::{is_loopback_host, origins::split_port};

/// An address to ask: https, or plain http on this machine, where nobody can listen in or change the answer. What is
/// printed of it leaves the query out, which may hold what only its owner should know.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct OutsideAddress(Uri);

/// Why a text is no such address. Does not repeat it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidAddress {
    /// It is no address, or of another kind.
    #[error("must be an https address, as in https://backend.example.com/presence")]
    Form,
    /// It says who asks, or names a part of the answer.
    #[error("must hold no user and no fragment")]
    Surplus,
    /// It is plain http to another machine.
    #[error("must be https, unless it is an address of this machine")]
    Plain,
}

impl OutsideAddress {
    /// Reads an address that may be plain http of any machine, for those who asked for that.
    ///
    /// # Errors
    /// See [`InvalidAddress`]; never `Plain`.
    pub fn even_plain(text: &str) -> Result<Self, InvalidAddress> {
        let uri: Uri = text.parse().map_err(|_| InvalidAddress::Form)?;
        let authority = uri.authority().ok_or(InvalidAddress::Form)?.as_str();
        if authority.contains('@') || text.contains('#') {
            return Err(InvalidAddress::Surplus);
        }
        let (host, _) = split_port(authority).map_err(|_| InvalidAddress::Form)?;
        match uri.scheme_str() {
            Some("http" | "https") if !host.is_empty() => Ok(Self(uri)),
            _ => Err(InvalidAddress::Form),
        }
    }

    /// The whole address, for the one who asks.
    #[must_use]
    pub fn uri(&self) -> &Uri {
        &self.0
    }

    fn authority(&self) -> &str {
        self.0.authority().map_or("", |authority| authority.as_str())
    }
}

impl FromStr for OutsideAddress {
    type Err = InvalidAddress;

    fn from_str(text: &str) -> Result<Self, InvalidAddress> {
        let address = Self::even_plain(text)?;
        let is_safe =
            address.0.scheme_str() == Some("https") || is_loopback_host(address.authority());
        if is_safe { Ok(address) } else { Err(InvalidAddress::Plain) }
    }
}

impl fmt::Display for OutsideAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = self.0.scheme_str().unwrap_or_default();
        write!(f, "{scheme}://{}{}", self.authority(), self.0.path())
    }
}

impl fmt::Debug for OutsideAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_https_leaves_this_machine() {
        for good in [
            "https://id.example/jwks.json",
            "https://id.example:8443/a?b=c",
            "https://10.0.0.1/",
            "http://localhost:9000/jwks",
            "http://127.0.0.1/jwks",
            "http://[::1]:80/",
        ] {
            assert!(good.parse::<OutsideAddress>().is_ok(), "{good}");
        }
        for (bad, why) in [
            ("", InvalidAddress::Form),
            ("id.example", InvalidAddress::Form),
            ("/etc/keys", InvalidAddress::Form),
            ("ftp://id.example", InvalidAddress::Form),
            ("https://", InvalidAddress::Form),
            ("https:///a", InvalidAddress::Form),
            ("https://:8443/a", InvalidAddress::Form),
            ("https://id.example:x/", InvalidAddress::Form),
            ("https://id.example:70000/", InvalidAddress::Form),
            ("https://id .example/", InvalidAddress::Form),
            ("https://id.example\\@evil", InvalidAddress::Form),
            ("https://user:word@id.example/", InvalidAddress::Surplus),
            ("http://127.0.0.1@evil.example/", InvalidAddress::Surplus),
            ("https://id.example/#a", InvalidAddress::Surplus),
            ("http://id.example/jwks", InvalidAddress::Plain),
            ("http://127.0.0.1.example/", InvalidAddress::Plain),
            ("http://[::2]/", InvalidAddress::Plain),
        ] {
            assert_eq!(bad.parse::<OutsideAddress>(), Err(why), "{bad}");
        }
        assert!(OutsideAddress::even_plain("http://id.example/jwks").is_ok());
    }

    #[test]
    fn what_is_printed_leaves_the_query_out() {
        let address: OutsideAddress = "https://id.example:8443/a?key=planted".parse().unwrap();
        assert_eq!(address.to_string(), "https://id.example:8443/a");
        assert_eq!(format!("{address:?}"), "https://id.example:8443/a");
        assert_eq!(address.uri().query(), Some("key=planted"));
    }
}
