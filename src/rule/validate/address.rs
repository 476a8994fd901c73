//! Addresses on a network: which are the public Internet's, and which host a URL names.

use std::net::{Ipv4Addr, Ipv6Addr};

fn parse<T: std::str::FromStr>(candidate: &[u8]) -> Option<T> {
    std::str::from_utf8(candidate).ok()?.parse().ok()
}

/// An address of either version that the public Internet routes.
pub(super) fn ip_public(candidate: &[u8]) -> bool {
    ipv4_public(candidate) || ipv6_public(candidate)
}

/// Dotted decimal without leading zeros (RFC 6943, 3.1.1), outside the IANA IPv4 special-purpose registry
/// (RFC 6890), multicast (RFC 5771) and the reserved block (RFC 1112).
pub(super) fn ipv4_public(candidate: &[u8]) -> bool {
    parse(candidate).is_some_and(routed)
}

fn routed(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    let special = address.is_private()
        || address.is_loopback()
        || address.is_link_local()
        || address.is_documentation()
        || a == 0
        || a >= 224
        || (a == 100 && (64..128).contains(&b))
        || (a == 192 && b == 0 && c == 0)
        || (a == 192 && b == 88 && c == 99)
        || (a == 198 && (b == 18 || b == 19));
    !special
}

/// Global unicast (2000::/3, RFC 4291) outside the IANA IPv6 special-purpose registry: not the protocol
/// assignments of 2001::/23 (RFC 2928), not the documentation blocks 2001:db8::/32 (RFC 3849) and 3fff::/20
/// (RFC 9637). A 6to4 address (2002::/16, RFC 3056) counts as the IPv4 address inside it.
pub(super) fn ipv6_public(candidate: &[u8]) -> bool {
    parse(candidate).is_some_and(|address: Ipv6Addr| match address.segments() {
        [0x2001, second, ..] if second < 0x200 || second == 0xdb8 => false,
        [0x2002, high, low, ..] => routed(Ipv4Addr::from((u32::from(high) << 16) | u32::from(low))),
        [0x3fff, second, ..] if second < 0x1000 => false,
        [first, ..] => first & 0xe000 == 0x2000,
    })
}

/// Whether `url` certainly names one of `hosts`.
///
/// A browser's reading decides (WHATWG URL, 4.4): a backslash ends the host like a slash, and what stands
/// before the last `@` is not the host. A host with a character that a plain name or address does not have
/// could be decoded into another one, so it is none of `hosts`.
pub(super) fn url_host_in(url: &[u8], hosts: &[String]) -> bool {
    host(url).is_some_and(|host| hosts.iter().any(|pattern| host_fits(&host, pattern)))
}

fn host(url: &[u8]) -> Option<String> {
    let url = std::str::from_utf8(url).ok()?;
    let (scheme, rest) = url.split_once("//")?;
    if !scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.' | b':')) {
        return None;
    }
    let authority = rest.split(['/', '\\', '?', '#']).next()?;
    let host = authority.rsplit('@').next()?;
    let host = host.split_once(':').map_or(host, |(host, _port)| host);
    let plain = !host.is_empty() && host.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_'));
    plain.then(|| host.trim_end_matches('.').to_ascii_lowercase())
}

fn host_fits(host: &str, pattern: &str) -> bool {
    match pattern.strip_prefix("*.") {
        Some(parent) => host
            .len()
            .checked_sub(parent.len() + 1)
            .is_some_and(|dot| host.as_bytes()[dot] == b'.' && host[dot + 1..].eq_ignore_ascii_case(parent)),
        None => host.eq_ignore_ascii_case(pattern),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_routed_addresses_are_public() {
        for public in ["8.8.8.8", "172.15.0.1", "100.63.0.1", "198.20.0.1", "223.255.255.255", "2606:4700::1111"] {
            assert!(ip_public(public.as_bytes()), "{public}");
        }
        let special = [
            "10.0.0.1",
            "172.16.0.1",
            "192.168.1.1",
            "127.0.0.1",
            "169.254.1.1",
            "0.0.0.0",
            "100.64.0.1",
            "192.0.2.1",
            "198.51.100.7",
            "203.0.113.9",
            "198.18.0.1",
            "224.0.0.1",
            "255.255.255.255",
            "256.1.1.1",
            "08.8.8.8",
            "8.8.8",
            "::1",
            "fe80::1",
            "fd00::1",
            "2001:db8::1",
            "2001:0:1::1",
            "2002:a00:1::1",
            "3fff::1",
            "ff02::1",
            "",
        ];
        for special in special {
            assert!(!ip_public(special.as_bytes()), "{special}");
        }
        assert!(ipv6_public(b"2002:808:808::1"), "6to4 of 8.8.8.8");
    }

    #[test]
    fn a_url_names_the_host_that_a_browser_would_ask() {
        let hosts = ["docs.example.com".to_owned(), "*.usercontent.test".to_owned()];
        for harmless in [
            "https://docs.example.com/a.png?x=1",
            "//DOCS.example.com:8443?x=1",
            "http://user@docs.example.com./",
            "https://raw.usercontent.test/x",
        ] {
            assert!(url_host_in(harmless.as_bytes(), &hosts), "{harmless}");
        }
        for other in [
            "https://evil.example/docs.example.com",
            "https://docs.example.com@evil.example/",
            "https://evil.example\\@docs.example.com/",
            "https://docs.example.com.evil.example/",
            "https://usercontent.test/x",
            "https://evilusercontent.test/x",
            "https://docs%2eexample.com/",
            "https://[::1]/",
            "docs.example.com",
            "",
        ] {
            assert!(!url_host_in(other.as_bytes(), &hosts), "{other}");
        }
    }
}
