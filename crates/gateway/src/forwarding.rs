//! The headers that say over which way a request came.

use std::{
    fmt::Write,
    net::{IpAddr, Ipv6Addr},
};

use http::{
    HeaderName, Version,
    header::{FORWARDED, VIA},
};
use keygate_http::{Headers, Peer, has_spelling_of, is_spelling_of};

const X_FORWARDED_FOR: &str = "x-forwarded-for";
const X_FORWARDED_FOR_NAME: HeaderName = HeaderName::from_static(X_FORWARDED_FOR);

/// What a header says of the way over which a request came.
enum Way {
    /// Each hop adds to it.
    List,
    /// It is said once.
    Single,
}

fn way(name: &[u8]) -> Option<Way> {
    let is_list = is_spelling_of(name, X_FORWARDED_FOR)
        || is_spelling_of(name, FORWARDED.as_str())
        || name.eq_ignore_ascii_case(VIA.as_str().as_bytes());
    if is_list {
        return Some(Way::List);
    }
    let is_single = has_spelling_of(name, "x-forwarded-")
        || is_spelling_of(name, "x-real-ip")
        || is_spelling_of(name, "true-client-ip");
    is_single.then_some(Way::Single)
}

/// Whether a header says over which way a request came. Such a header is passed on only if it comes
/// from a trusted proxy, and [`write`] writes what is true.
pub(crate) fn is_forwarding(name: &[u8]) -> bool {
    way(name).is_some()
}

/// The way of a request for the upstream: what a trusted proxy said of it, and then its peer's address.
pub(crate) fn write(
    headers: &impl Headers,
    peer: Peer<'_>,
    received: Version,
    mut header: impl FnMut(&[u8], &[u8]),
) {
    let is_trusted = peer.is_trusted();
    if is_trusted {
        for (name, value) in headers.all() {
            if matches!(way(name), Some(Way::Single)) {
                header(name, value);
            }
        }
    }
    let hop = Hop::of(peer.address.to_canonical());
    let mut list = |name: &HeaderName, is_believed: bool, own: &str| {
        let mut said = headers.values(name).filter(|_| is_believed).peekable();
        if said.peek().is_none() {
            return header(name.as_str().as_bytes(), own.as_bytes());
        }
        let mut hops = Vec::new();
        for part in said {
            hops.extend_from_slice(part);
            hops.extend_from_slice(b", ");
        }
        hops.extend_from_slice(own.as_bytes());
        header(name.as_str().as_bytes(), &hops);
    };
    list(&X_FORWARDED_FOR_NAME, is_trusted, hop.address());
    list(&FORWARDED, is_trusted, &hop.forwarded);
    // It says nothing of who the client is, and lets loops be found.
    list(&VIA, true, own_via(received));
}

/// What this hop calls itself, and how it was spoken to (RFC 9110 section 7.6.3).
fn own_via(received: Version) -> &'static str {
    match received {
        Version::HTTP_2 => "2.0 keygate",
        Version::HTTP_10 => "1.0 keygate",
        _ => "1.1 keygate",
    }
}

/// A hop as RFC 7239 section 4 writes it; section 6 has IPv6 addresses in brackets and quotes.
struct Hop {
    forwarded: String,
    is_v6: bool,
}

impl Hop {
    fn of(address: IpAddr) -> Self {
        let mut forwarded = String::with_capacity("for=\"[]\"".len() + MAX_ADDRESS);
        let is_v6 = address.is_ipv6();
        let (before, after) = if is_v6 {
            ("for=\"[", "]\"")
        } else {
            ("for=", "")
        };
        write!(forwarded, "{before}{address}{after}").expect("memory is there");
        Self { forwarded, is_v6 }
    }

    fn address(&self) -> &str {
        let forwarded = &self.forwarded;
        if self.is_v6 {
            &forwarded["for=\"[".len()..forwarded.len() - "]\"".len()]
        } else {
            &forwarded["for=".len()..]
        }
    }
}

/// How many bytes an address may have.
const MAX_ADDRESS: usize = size_of::<Ipv6Addr>() * 5 / 2;

#[cfg(test)]
mod tests {
    use http::{HeaderMap, HeaderValue};
    use keygate_http::TrustedProxies;

    use super::*;

    fn written(peer: &str, sent: &[(&'static str, &'static str)]) -> Vec<String> {
        let trusted = TrustedProxies::new(vec!["10.0.0.0/8".parse().expect("a network")]);
        let mut headers = HeaderMap::new();
        for (name, value) in sent {
            headers.append(*name, HeaderValue::from_static(value));
        }
        let peer = Peer {
            address: peer.parse().expect("an address"),
            trusted_proxies: &trusted,
        };
        let mut lines = Vec::new();
        write(&headers, peer, Version::HTTP_11, |name, value| {
            let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
            lines.push(format!("{}: {}", text(name), text(value)));
        });
        lines
    }

    const CLAIMS: [(&str, &str); 6] = [
        ("x-forwarded-for", "203.0.113.66"),
        ("forwarded", "for=203.0.113.66;proto=https"),
        ("x-forwarded-proto", "https"),
        ("x-real-ip", "203.0.113.66"),
        ("true-client-ip", "203.0.113.66"),
        ("accept", "*/*"),
    ];

    #[test]
    fn claims_of_strangers_are_replaced_by_what_is_true() {
        assert_eq!(
            written("192.0.2.7", &CLAIMS),
            [
                "x-forwarded-for: 192.0.2.7",
                "forwarded: for=192.0.2.7",
                "via: 1.1 keygate"
            ]
        );
        assert_eq!(
            written("::ffff:192.0.2.7", &[])[0],
            "x-forwarded-for: 192.0.2.7"
        );
        assert_eq!(
            written("2001:db8::7", &[])[1],
            "forwarded: for=\"[2001:db8::7]\""
        );
    }

    #[test]
    fn trusted_proxies_are_believed_and_added_to_the_way() {
        assert_eq!(
            written("10.1.1.1", &CLAIMS),
            [
                "x-forwarded-proto: https",
                "x-real-ip: 203.0.113.66",
                "true-client-ip: 203.0.113.66",
                "x-forwarded-for: 203.0.113.66, 10.1.1.1",
                "forwarded: for=203.0.113.66;proto=https, for=10.1.1.1",
                "via: 1.1 keygate"
            ]
        );
    }

    #[test]
    fn no_spelling_of_a_forwarding_header_passes() {
        for name in [
            "X_Forwarded_For",
            "x-forwarded-host",
            "X-Real_IP",
            "FORWARDED",
            "Via",
        ] {
            assert!(is_forwarding(name.as_bytes()), "{name}");
        }
        assert!(!is_forwarding(b"x-forward"));
    }
}
