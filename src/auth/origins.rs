//! Origins (RFC 6454): which pages may talk to us.

use std::{
    borrow::Borrow,
    collections::HashSet,
    fmt,
    net::{Ipv4Addr, Ipv6Addr},
    str::FromStr,
    sync::Arc,
};

/// How the server was started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Without settings, to try things: loopback only, where any loopback page may connect.
    Development,
    /// With settings: only what they list.
    Production,
}

/// An exact origin in its one form: lower-case scheme and host, the scheme's default port left out.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Origin(Arc<str>);

/// Why a text is not an exact origin.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{origin:?} is not an exact origin: {rule}")]
pub struct InvalidOrigin {
    /// The text without a name and password in it, cut at 100 characters.
    pub origin: String,
    /// What is wrong with it.
    pub rule: &'static str,
}

impl Origin {
    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it is a page of this machine: HTTP(S), any port.
    #[must_use]
    pub fn is_loopback(&self) -> bool {
        self.0.split_once("://").is_some_and(|(scheme, rest)| {
            matches!(scheme, "http" | "https") && is_loopback_host(rest)
        })
    }
}

/// Whether a `Host` header (or the part of an origin behind `://`) names this machine: `localhost`, 127.0.0.0/8
/// or `[::1]`, with any port. In development mode other hosts are refused, so that a hostile page cannot reach us
/// by binding its own name to 127.0.0.1.
#[must_use]
pub fn is_loopback_host(host: &str) -> bool {
    let Ok((host, _)) = split_port(host) else { return false };
    if let Some(inner) = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        return inner.parse::<Ipv6Addr>().is_ok_and(|address| address.is_loopback());
    }
    host.eq_ignore_ascii_case("localhost")
        || host.parse::<Ipv4Addr>().is_ok_and(|address| address.is_loopback())
}

/// Whether a page of `origin` was served by this very server, to a request that names it `host`. Where `public_url` is set,
/// that says it. Else the host must be an address or `localhost`: any other name can be bound to our address by whoever
/// owns it, and then his pages would pass for ours.
#[must_use]
pub fn is_own_origin(origin: &str, host: Option<&str>, public_url: Option<&str>) -> bool {
    let Some((scheme, authority)) = origin.split_once("://") else { return false };
    if let Some((public_scheme, rest)) = public_url.and_then(|url| url.split_once("://")) {
        let public = rest.split('/').next().unwrap_or_default();
        return scheme == public_scheme && authority.eq_ignore_ascii_case(public);
    }
    let is_ours = |host: &str| {
        let name = split_port(host).map_or("", |(name, _)| name);
        let address = name.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
        address
            .map_or_else(|| name.parse::<Ipv4Addr>().is_ok(), |it| it.parse::<Ipv6Addr>().is_ok())
            || name.eq_ignore_ascii_case("localhost")
    };
    matches!(scheme, "http" | "https")
        && host.is_some_and(|host| authority.eq_ignore_ascii_case(host) && is_ours(host))
}

/// What an error may show of a text: an address can carry a password before its `@`.
fn quotable(text: &str) -> String {
    match text.rsplit_once('@') {
        Some((_, host)) => format!("…@{}", host.chars().take(98).collect::<String>()),
        None => text.chars().take(100).collect(),
    }
}

const PORT_RULE: &str = "the port must be a number from 1 to 65535";

/// The host of an authority, and its port.
pub(super) fn split_port(authority: &str) -> Result<(&str, Option<u16>), &'static str> {
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, port),
        _ => return Ok((authority, None)),
    };
    if !(1..=5).contains(&port.len()) || !port.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(PORT_RULE);
    }
    match port.parse() {
        Ok(0) | Err(_) => Err(PORT_RULE),
        Ok(port) => Ok((host, Some(port))),
    }
}

fn normal_host(host: &str) -> Result<String, &'static str> {
    const RULE: &str =
        "the host must be a name of letters, digits, `-`, `_` and `.`, or an address";
    if let Some(inner) = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        let address: Ipv6Addr = inner.parse().map_err(|_| RULE)?;
        return Ok(format!("[{address}]"));
    }
    if !host.is_ascii() {
        return Err("write the host as browsers send it, in Punycode (xn--…)");
    }
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    let empty_label = host.starts_with('.') || host.contains("..");
    if host.is_empty() || host.len() > 253 || empty_label || !host.bytes().all(allowed) {
        return Err(RULE);
    }
    Ok(host.to_ascii_lowercase())
}

fn normal(text: &str) -> Result<String, &'static str> {
    if text.len() > 300 {
        return Err("it is too long");
    }
    if text.contains('*') {
        return Err("`*` is not accepted, list each origin");
    }
    let (scheme, authority) =
        text.split_once("://").ok_or("it must begin with a scheme, as in https://example.com")?;
    let scheme_byte = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.');
    if !scheme.starts_with(|first: char| first.is_ascii_alphabetic())
        || !scheme.bytes().all(scheme_byte)
    {
        return Err("it must begin with a scheme, as in https://example.com");
    }
    if authority.contains(['/', '?', '#', '@', '\\']) {
        return Err("it must end with the host or port, without a path or user");
    }
    let scheme = scheme.to_ascii_lowercase();
    let (host, port) = split_port(authority)?;
    let host = normal_host(host)?;
    Ok(match (scheme.as_str(), port) {
        (_, None) | ("http", Some(80)) | ("https", Some(443)) => format!("{scheme}://{host}"),
        (_, Some(port)) => format!("{scheme}://{host}:{port}"),
    })
}

impl FromStr for Origin {
    type Err = InvalidOrigin;
    fn from_str(text: &str) -> Result<Self, InvalidOrigin> {
        normal(text)
            .map(|text| Self(text.into()))
            .map_err(|rule| InvalidOrigin { origin: quotable(text), rule })
    }
}

impl Borrow<str> for Origin {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

/// The origins of one group; nothing else gets in.
#[derive(Clone, Debug, Default)]
pub struct OriginList(HashSet<Origin>);

impl OriginList {
    /// Whether a page with this `Origin` header may come in. A missing header may not; where requests without one
    /// are welcome (servers with a token), the caller asks only when there is one.
    #[must_use]
    pub fn allows(&self, origin: Option<&str>, mode: Mode) -> bool {
        let Some(text) = origin else { return false };
        // Browsers send the one form already, so the usual case costs no allocation.
        if self.0.contains(text) {
            return true;
        }
        text.parse::<Origin>().is_ok_and(|origin| {
            self.0.contains(&origin) || (mode == Mode::Development && origin.is_loopback())
        })
    }

    /// The origins, in no order.
    pub fn iter(&self) -> impl Iterator<Item = &Origin> {
        self.0.iter()
    }

    /// How many origins there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether the list is empty.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl FromIterator<Origin> for OriginList {
    fn from_iter<I: IntoIterator<Item = Origin>>(origins: I) -> Self {
        Self(origins.into_iter().collect())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn list(origins: &[&str]) -> OriginList {
        origins.iter().map(|origin| origin.parse().unwrap()).collect()
    }

    #[test]
    fn one_origin_has_one_form() {
        for (given, form) in [
            ("https://Shop.Example.COM", "https://shop.example.com"),
            ("HTTPS://shop.example.com:443", "https://shop.example.com"),
            ("http://shop.example.com:80", "http://shop.example.com"),
            ("http://shop.example.com:443", "http://shop.example.com:443"),
            ("http://[0:0::1]:8080", "http://[::1]:8080"),
            ("capacitor://localhost", "capacitor://localhost"),
        ] {
            assert_eq!(given.parse::<Origin>().unwrap().as_str(), form);
        }
    }

    #[test]
    fn only_exact_origins_are_origins() {
        for bad in "* null example.com https:// https://*.example.com https://a/ https://a/b \
             https://a?b https://u@a https://a: https://a:0 https://a:65536 https://a:+1 \
             https://a:000443 https://ä.example https://.a https://a..b https://[::1 https://::1 1http://a \
             ://a"
            .split_whitespace()
        {
            assert!(bad.parse::<Origin>().is_err(), "{bad}");
        }
    }

    #[test]
    fn a_list_allows_what_it_lists() {
        let list = list(&["https://shop.example.com"]);
        let allows = |origin| list.allows(Some(origin), Mode::Production);
        assert!(allows("https://shop.example.com") && allows("https://SHOP.example.com:443"));
        for other in "http://shop.example.com https://shop.example.com:8443 https://example.com \
             https://shop.example.com.evil.test https://evil-shop.example.com null \
             http://localhost"
            .split_whitespace()
        {
            assert!(!allows(other), "{other}");
        }
        assert!(!list.allows(None, Mode::Production) && !list.allows(None, Mode::Development));
    }

    #[test]
    fn own_pages_are_those_of_the_public_url_or_of_an_address() {
        let by_url = |origin| is_own_origin(origin, Some("10.0.0.1"), Some("https://a.example/v"));
        assert!(by_url("https://a.example"));
        for other in
            "http://a.example https://a.example:8443 https://b.example http://10.0.0.1".split(' ')
        {
            assert!(!by_url(other), "{other}");
        }
        for host in "127.0.0.1:8080 192.0.2.7 [::1]:8080 localhost:8080 localhost".split(' ') {
            let own = |origin: &str| is_own_origin(origin, Some(host), None);
            assert!(own(&format!("http://{host}")) && own(&format!("https://{host}")), "{host}");
            assert!(!own(&format!("ftp://{host}")) && !own(&format!("http://{host}1")), "{host}");
            assert!(!own("null") && !own("http://example.com"), "{host}");
        }
        for name in "evil.test evil.test:8080 127.0.0.1.evil.test localhost.evil.test".split(' ') {
            assert!(!is_own_origin(&format!("http://{name}"), Some(name), None), "{name}");
        }
        assert!(!is_own_origin("http://127.0.0.1", None, None));
    }

    #[test]
    fn development_allows_loopback_pages_only() {
        let allows = |origin| OriginList::default().allows(Some(origin), Mode::Development);
        for loopback in
            "http://localhost https://localhost:8443 http://127.0.0.1:3000 http://127.9.9.9 \
             http://[::1]:8080 http://LOCALHOST:1"
                .split_whitespace()
        {
            assert!(allows(loopback), "{loopback}");
        }
        for other in "http://example.com http://localhost.example.com http://127.0.0.1.example.com \
             http://128.0.0.1 ftp://localhost null http://0.0.0.0 http://[::2]"
            .split_whitespace()
        {
            assert!(!allows(other), "{other}");
        }
    }

    #[test]
    fn host_headers_of_this_machine() {
        for good in ["localhost", "localhost:8080", "127.0.0.1:8080", "[::1]", "[::1]:8080"] {
            assert!(is_loopback_host(good), "{good}");
        }
        for bad in ["", "example.com", "localhost:", "localhost:x", "::1", "[::1", "localhost.evil"]
        {
            assert!(!is_loopback_host(bad), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn the_form_is_stable(text in "[a-zA-Z]{1,8}://[a-zA-Z0-9.:_\\[\\]-]{0,24}") {
            if let Ok(origin) = text.parse::<Origin>() {
                prop_assert_eq!(origin.as_str().parse::<Origin>(), Ok(origin.clone()));
                prop_assert!(list(&[&text]).allows(Some(&text), Mode::Production));
            }
        }

        #[test]
        fn no_text_makes_it_panic(text in "\\PC{0,60}") {
            let _ = text.parse::<Origin>();
            let _ = is_loopback_host(&text);
        }
    }
}
