//! Whose request it is: the client's address, through proxies that are trusted and through no others.
//!
//! Each proxy adds the peer that it saw at the right end of a header, behind whatever the client wrote there itself. So
//! the list is read from the right: as long as the hop that wrote an entry is trusted, the entry is believed; the first
//! address that belongs to no trusted proxy is the client's. What is left of it is the client's own words.

use std::{
    net::{IpAddr, Ipv6Addr},
    str::FromStr,
};

use ipnet::IpNet;

/// Most hops that are followed; a chain of trusted proxies is much shorter.
const MOST_HOPS: usize = 16;
/// Longest header line that is read; a longer one counts as unreadable.
const LONGEST_LINE: usize = 4 * 1024;

/// A text that is neither an address nor a network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be an address or a network, as in 10.0.0.1, 10.0.0.0/8 or fd00::/8")]
pub struct InvalidNetwork;

/// The header that the trusted proxies write.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum ForwardedHeader {
    /// `X-Forwarded-For: client, proxy`
    #[default]
    #[serde(rename = "x-forwarded-for")]
    XForwardedFor,
    /// `Forwarded: for=client, for=proxy` (RFC 7239)
    #[serde(rename = "forwarded")]
    Forwarded,
}

impl ForwardedHeader {
    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::XForwardedFor => "x-forwarded-for",
            Self::Forwarded => "forwarded",
        }
    }
}

/// Which peers may say for whom they ask. By default none.
#[derive(Clone, Debug, Default)]
pub struct Proxies {
    networks: Vec<IpNet>,
    header: ForwardedHeader,
}

/// The lines of a request's header in their order, as bytes.
pub type ForwardedBy<'a> = &'a mut dyn DoubleEndedIterator<Item = &'a [u8]>;

impl Proxies {
    /// Proxies by address or network, which write `header`.
    ///
    /// # Errors
    /// The place of the first text that is neither.
    pub fn new(
        networks: &[String],
        header: ForwardedHeader,
    ) -> Result<Self, (usize, InvalidNetwork)> {
        let networks = networks.iter().enumerate();
        let networks = networks.map(|(at, text)| network(text).map_err(|error| (at, error)));
        Ok(Self { networks: networks.collect::<Result<_, _>>()?, header })
    }

    /// The header to read.
    #[must_use]
    pub fn header(&self) -> ForwardedHeader {
        self.header
    }

    /// Whether `address` is one of them.
    #[must_use]
    pub fn trusts(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.networks.iter().any(|network| network.contains(&address))
    }

    /// The client's address: the peer's own, unless the peer is trusted; then what `lines` of the header say. Where they
    /// become unreadable, it is the address of the last hop that could be read.
    #[must_use]
    pub fn client<'a>(&self, peer: IpAddr, lines: ForwardedBy<'a>) -> IpAddr {
        let mut client = peer.to_canonical();
        let mut hops = 0;
        // The last line was added last.
        while self.trusts(client) && hops < MOST_HOPS {
            let Some(line) = lines.next_back() else { return client };
            let Some(nodes) = self.nodes(line) else { return client };
            for node in nodes.iter().rev() {
                if !self.trusts(client) || hops == MOST_HOPS {
                    return client;
                }
                let Some(address) = node.as_deref().and_then(address) else { return client };
                client = address;
                hops += 1;
            }
        }
        client
    }

    /// The hops of a line, nearest last; `None` for one that says nothing. At most those that can matter.
    fn nodes(&self, line: &[u8]) -> Option<Vec<Option<String>>> {
        if line.len() > LONGEST_LINE {
            return None;
        }
        let line = str::from_utf8(line).ok()?;
        match self.header {
            ForwardedHeader::XForwardedFor => {
                let last = line.rsplit(',').take(MOST_HOPS);
                let mut nodes: Vec<_> = last.map(|node| Some(node.trim().to_owned())).collect();
                nodes.reverse();
                Some(nodes)
            }
            ForwardedHeader::Forwarded => elements(line),
        }
    }
}

/// What counts as one client: an IPv4 address, or a /64 of IPv6, which one subscriber has all of.
#[must_use]
pub fn client_key(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => {
            Ipv6Addr::from_bits(address.to_bits() & !u128::from(u64::MAX)).into()
        }
        v4 @ IpAddr::V4(_) => v4,
    }
}

fn network(text: &str) -> Result<IpNet, InvalidNetwork> {
    let network = match text.parse::<IpAddr>() {
        Ok(address) => address.to_canonical().into(),
        Err(_) => text.parse::<IpNet>().map_err(|_| InvalidNetwork)?,
    };
    Ok(network)
}

/// An address as proxies write it: alone, with a port, or in brackets.
fn address(node: &str) -> Option<IpAddr> {
    let alone = || IpAddr::from_str(node).ok();
    let bracketed = || {
        let (address, port) = node.strip_prefix('[')?.split_once(']')?;
        let is_port = port.is_empty() || port.strip_prefix(':')?.parse::<u16>().is_ok();
        is_port.then(|| address.parse::<Ipv6Addr>().ok().map(IpAddr::V6))?
    };
    let with_port = || {
        let (address, port) = node.split_once(':')?;
        port.parse::<u16>().ok()?;
        address.parse().ok().map(IpAddr::V4)
    };
    alone().or_else(bracketed).or_else(with_port).map(|address| address.to_canonical())
}

/// The `for` of each element of a `Forwarded` line (RFC 7239, section 4); `None` in the place of an element that has
/// none, and for the whole when a quotation does not end.
fn elements(line: &str) -> Option<Vec<Option<String>>> {
    let (mut nodes, mut node, mut pair) = (Vec::new(), None, String::new());
    let (mut quoted, mut escaped) = (false, false);
    let finish = |pair: &mut String, node: &mut Option<String>| {
        if let Some((name, value)) = pair.split_once('=')
            && name.trim().eq_ignore_ascii_case("for")
        {
            // Said twice, it says nothing.
            *node =
                if node.is_some() { Some(String::new()) } else { Some(value.trim().to_owned()) };
        }
        pair.clear();
    };
    for character in line.chars() {
        match character {
            _ if std::mem::take(&mut escaped) => pair.push(character),
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            ';' if !quoted => finish(&mut pair, &mut node),
            ',' if !quoted => {
                finish(&mut pair, &mut node);
                nodes.push(node.take());
            }
            _ => pair.push(character),
        }
    }
    finish(&mut pair, &mut node);
    nodes.push(node);
    (!quoted).then_some(nodes)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn proxies(header: ForwardedHeader) -> Proxies {
        let networks = ["10.0.0.0/8", "192.0.2.7", "fd00::/8"].map(str::to_owned);
        Proxies::new(&networks, header).unwrap()
    }

    fn client(header: ForwardedHeader, peer: &str, lines: &[&[u8]]) -> String {
        let mut lines = lines.iter().copied();
        proxies(header).client(peer.parse().unwrap(), &mut lines).to_string()
    }

    #[test]
    fn the_rightmost_hop_that_is_not_trusted_is_the_client() {
        let hops = (0..1_000).map(|_| "10.0.0.1").collect::<Vec<_>>().join(", ");
        let long = "1.1.1.1, ".repeat(1_000) + "203.0.113.9";
        for (peer, lines, expected) in [
            // Nobody's word counts but that of trusted peers.
            ("203.0.113.5", vec!["198.51.100.1"], "203.0.113.5"),
            ("192.0.2.8", vec!["198.51.100.1"], "192.0.2.8"),
            ("10.1.2.3", vec!["198.51.100.1"], "198.51.100.1"),
            ("::ffff:10.1.2.3", vec!["198.51.100.1"], "198.51.100.1"),
            ("192.0.2.7", vec!["198.51.100.1:4711"], "198.51.100.1"),
            ("fd00::1", vec!["[2001:db8::1]:443"], "2001:db8::1"),
            ("fd00::1", vec!["2001:db8::1"], "2001:db8::1"),
            ("10.0.0.1", vec!["[2001:db8::1]"], "2001:db8::1"),
            ("10.0.0.1", vec!["::ffff:198.51.100.1"], "198.51.100.1"),
            // What the client forged stands to the left of what the proxies saw.
            ("10.0.0.1", vec!["127.0.0.1, 203.0.113.9"], "203.0.113.9"),
            ("10.0.0.1", vec!["10.0.0.9, 203.0.113.9, 10.0.0.2"], "203.0.113.9"),
            ("10.0.0.1", vec!["1.1.1.1", "203.0.113.9, 10.0.0.2", "10.0.0.3"], "203.0.113.9"),
            // All are ours: the first of them asks for itself.
            ("10.0.0.1", vec!["10.0.0.3, 10.0.0.2"], "10.0.0.3"),
            // Nothing, or nothing that can be read: the last hop that could.
            ("10.0.0.1", vec![], "10.0.0.1"),
            ("10.0.0.1", vec![""], "10.0.0.1"),
            ("10.0.0.1", vec!["unknown"], "10.0.0.1"),
            ("10.0.0.1", vec!["203.0.113.9, x, 10.0.0.2"], "10.0.0.2"),
            ("10.0.0.1", vec!["203.0.113.9,"], "10.0.0.1"),
            ("10.0.0.1", vec!["203.0.113.9:x"], "10.0.0.1"),
            ("10.0.0.1", vec!["203.0.113.9:70000"], "10.0.0.1"),
            ("10.0.0.1", vec!["[2001:db8::1"], "10.0.0.1"),
            ("10.0.0.1", vec!["[2001:db8::1]x"], "10.0.0.1"),
            ("10.0.0.1", vec!["203.0.113.9 198.51.100.1"], "10.0.0.1"),
            ("10.0.0.1", vec![&hops], "10.0.0.1"),
            ("10.0.0.1", vec![&long], "10.0.0.1"),
        ] {
            let lines: Vec<_> = lines.into_iter().map(str::as_bytes).collect();
            let found = client(ForwardedHeader::XForwardedFor, peer, &lines);
            assert_eq!(found, expected, "{peer}");
        }
        let garbage: &[u8] = &[0xff, b',', b'1'];
        assert_eq!(client(ForwardedHeader::XForwardedFor, "10.0.0.1", &[garbage]), "10.0.0.1");
    }

    #[test]
    fn the_standard_header_is_read_by_its_grammar() {
        for (line, expected) in [
            ("for=198.51.100.1", "198.51.100.1"),
            ("For=\"198.51.100.1:80\";proto=https;by=10.0.0.1", "198.51.100.1"),
            ("proto=https; for=\"[2001:db8::1]:4711\"", "2001:db8::1"),
            ("for=1.1.1.1, for=203.0.113.9;by=10.0.0.2, for=10.0.0.3", "203.0.113.9"),
            // A comma in quotes separates nothing.
            ("for=203.0.113.9;x=\"a, for=1.1.1.1\"", "203.0.113.9"),
            ("for=203.0.113.9;x=\"a\\\", for=1.1.1.1\"", "203.0.113.9"),
            ("for=1.1.1.1;x=\"a, for=203.0.113.9", "10.0.0.1"),
            ("for=unknown", "10.0.0.1"),
            ("for=_hidden", "10.0.0.1"),
            ("by=203.0.113.9", "10.0.0.1"),
            ("for=1.1.1.1;for=203.0.113.9", "10.0.0.1"),
            ("203.0.113.9", "10.0.0.1"),
            ("", "10.0.0.1"),
        ] {
            let found = client(ForwardedHeader::Forwarded, "10.0.0.1", &[line.as_bytes()]);
            assert_eq!(found, expected, "{line}");
        }
    }

    #[test]
    fn networks_are_exact() {
        for bad in ["", "10.0.0.0/33", "localhost", "10.0.0", "*", "fd00::/129", "10.0.0.1:80"] {
            let refused = Proxies::new(&["10.0.0.1".into(), bad.into()], Default::default());
            assert_eq!(refused.unwrap_err(), (1, InvalidNetwork), "{bad}");
        }
        let proxies = proxies(ForwardedHeader::default());
        for (address, trusted) in
            [("10.255.0.1", true), ("11.0.0.1", false), ("192.0.2.6", false), ("fdff::1", true)]
        {
            assert_eq!(proxies.trusts(address.parse().unwrap()), trusted, "{address}");
        }
        assert!(!Proxies::default().trusts("127.0.0.1".parse().unwrap()));
    }

    #[test]
    fn a_subscriber_of_ipv6_is_one_client() {
        let key = |text: &str| client_key(text.parse().unwrap()).to_string();
        assert_eq!(key("2001:db8:1:2:3:4:5:6"), "2001:db8:1:2::");
        assert_ne!(key("2001:db8:1:3::1"), key("2001:db8:1:2::1"));
        assert_eq!(key("::ffff:192.0.2.1"), "192.0.2.1");
    }

    proptest! {
        /// Whatever a client writes into the header, the proxy's word behind it counts.
        #[test]
        fn nothing_forged_is_believed(forged in "\\PC{0,80}", forwarded: bool) {
            let header = if forwarded { ForwardedHeader::Forwarded } else { ForwardedHeader::XForwardedFor };
            let seen = if forwarded { "for=203.0.113.9" } else { "203.0.113.9" };
            let both = format!("{forged}, {seen}");
            let found = client(header, "10.0.0.1", &[both.as_bytes()]);
            prop_assert!(found == "203.0.113.9" || (forwarded && found == "10.0.0.1"), "{}", found);
            let two = client(header, "10.0.0.1", &[forged.as_bytes(), seen.as_bytes()]);
            prop_assert_eq!(two, "203.0.113.9");
        }

        #[test]
        fn no_header_makes_it_panic(lines in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..60), 0..4)) {
            for header in [ForwardedHeader::XForwardedFor, ForwardedHeader::Forwarded] {
                let lines: Vec<_> = lines.iter().map(Vec::as_slice).collect();
                let _ = client(header, "10.0.0.1", &lines);
            }
        }
    }
}
