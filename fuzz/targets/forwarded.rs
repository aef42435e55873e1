//! `X-Forwarded-For` and `Forwarded`, each line of the input a line of the header.

use std::net::IpAddr;

use vestibule::limits::{ForwardedHeader, Proxies, client_key};

const PROXY: &str = "10.0.0.1";
const CLIENT: &str = "203.0.113.9";

pub fn run(bytes: &[u8]) {
    let (proxy, client): (IpAddr, IpAddr) = (PROXY.parse().unwrap(), CLIENT.parse().unwrap());
    for header in [ForwardedHeader::XForwardedFor, ForwardedHeader::Forwarded] {
        let networks = ["10.0.0.0/8", "fd00::/8"].map(str::to_owned);
        let proxies = Proxies::new(&networks, header).expect("networks");
        let found = |peer: IpAddr, text: &[u8]| {
            let found = proxies.client(peer, &mut text.split(|byte| *byte == b'\n'));
            assert_eq!(found, found.to_canonical());
            assert_eq!(client_key(client_key(found)), client_key(found));
            found
        };
        // Who is trusted by nobody speaks for himself only.
        assert_eq!(found(client, bytes), client);
        let _ = found(proxy, bytes);
        // What the proxy adds cannot be talked away by what the client wrote before it: the proxy's word counts, or, where
        // the whole line became unreadable, the proxy itself.
        let said = match header {
            ForwardedHeader::XForwardedFor => format!(", {CLIENT}"),
            ForwardedHeader::Forwarded => format!(", for={CLIENT};proto=https"),
        };
        let added = [bytes, said.as_bytes()].concat();
        let believed = found(proxy, &added);
        assert!(believed == client || believed == proxy, "{believed}");
        let own_line = [bytes, b"\n", &said.as_bytes()[2..]].concat();
        assert_eq!(found(proxy, &own_line), client);
    }
}
