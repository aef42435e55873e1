//! Addresses that this server itself may ask.

use std::{fmt, net::IpAddr, str::FromStr};

/// An address to ask: https, or plain http on this machine only, where nobody can listen in or change the answer.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct OutsideAddress(String);

/// Why a text is no such address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be an https address without user and fragment, or an http address of this machine")]
pub struct InvalidAddress;

impl OutsideAddress {
    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for OutsideAddress {
    type Err = InvalidAddress;

    fn from_str(text: &str) -> Result<Self, InvalidAddress> {
        let (scheme, rest) = text.split_once("://").ok_or(InvalidAddress)?;
        let plain = text.bytes().all(|byte| byte.is_ascii_graphic()) && !text.contains(['#', '\\']);
        let authority = rest.split(['/', '?']).next().unwrap_or_default();
        let host = host(authority).filter(|host| !host.is_empty()).ok_or(InvalidAddress)?;
        let allowed = match scheme {
            "https" => true,
            "http" => {
                let address = host.trim_matches(['[', ']']).parse::<IpAddr>();
                host == "localhost" || address.is_ok_and(|address| address.is_loopback())
            }
            _ => false,
        };
        if plain && allowed { Ok(Self(text.to_owned())) } else { Err(InvalidAddress) }
    }
}

/// The host of an authority without user; `None` when the port is none.
fn host(authority: &str) -> Option<&str> {
    if authority.contains('@') {
        return None;
    }
    let ends = authority.rfind(']').map_or(0, |bracket| bracket + 1);
    let (host, port) = match authority.get(ends..)?.split_once(':') {
        Some((name, port)) => (authority.get(..ends + name.len())?, port),
        None => return Some(authority),
    };
    port.parse::<u16>().is_ok().then_some(host)
}

impl fmt::Display for OutsideAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
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
        for bad in [
            "",
            "id.example",
            "/etc/keys",
            "ftp://id.example",
            "https://",
            "https:///a",
            "http://id.example/jwks",
            "http://127.0.0.1.example/",
            "http://127.0.0.1@evil.example/",
            "https://user:word@id.example/",
            "https://id.example/#a",
            "https://id.example:x/",
            "https://id .example/",
            "https://id.example\\@evil",
            "http://[::2]/",
        ] {
            assert!(bad.parse::<OutsideAddress>().is_err(), "{bad}");
        }
    }
}
