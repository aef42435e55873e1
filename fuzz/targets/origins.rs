//! Origins and hosts as headers bring them: the first line is an origin, the second a host.

use vestibule::auth::{Mode, Origin, OriginList, is_loopback_host, is_own_origin};

const LISTED: &str = "https://shop.example";

pub fn run(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let (origin, host) = text.split_once('\n').unwrap_or((text, ""));
    let list: OriginList = [LISTED.parse::<Origin>().expect("an origin")].into_iter().collect();
    match origin.parse::<Origin>() {
        Ok(read) => {
            // One form, which is stable, and which a list knows in every spelling.
            assert_eq!(read.as_str().parse().as_ref(), Ok(&read));
            assert!(
                !read.as_str().contains(['/', '*', '@', '?', '#', '\\', ' '])
                    || read.as_str().matches('/').count() == 2
            );
            let own: OriginList = [read.clone()].into_iter().collect();
            assert!(own.allows(Some(origin), Mode::Production));
            assert_eq!(list.allows(Some(origin), Mode::Production), read.as_str() == LISTED);
            let development = OriginList::default().allows(Some(origin), Mode::Development);
            assert_eq!(development, read.is_loopback());
        }
        Err(invalid) => {
            assert!(invalid.origin.chars().count() <= 100 && !invalid.rule.is_empty());
            assert!(!list.allows(Some(origin), Mode::Production));
            assert!(!list.allows(Some(origin), Mode::Development));
        }
    }
    // No name that somebody can own passes for this server.
    if is_own_origin(origin, Some(host), None) {
        let authority = origin.split_once("://").expect("a scheme").1;
        assert!(authority.eq_ignore_ascii_case(host));
        let name = host.rsplit_once(':').filter(|(_, port)| !port.ends_with(']'));
        let name = name.map_or(host, |(name, _)| name);
        let is_address = name.trim_matches(['[', ']']).parse::<std::net::IpAddr>().is_ok();
        assert!(is_address || name.eq_ignore_ascii_case("localhost"), "{host}");
    }
    if is_loopback_host(host) {
        assert!(host.is_ascii() && host.len() <= 80, "{host}");
    }
    let _ = is_own_origin(origin, Some(host), Some(LISTED));
}
