//! The headers that say over which way a request came.

use std::net::IpAddr;

use http::{
    HeaderName,
    header::{FORWARDED, VIA},
};
use keygate_http::{Headers, Peer, has_spelling_of, is_spelling_of};

const X_FORWARDED_FOR: &str = "x-forwarded-for";
const X_FORWARDED_FOR_NAME: HeaderName = HeaderName::from_static(X_FORWARDED_FOR);

/// What this hop calls itself (RFC 9110 section 7.6.3).
const OWN_VIA: &str = "1.1 keygate";

/// Whether a header says over which way a request came. Such a header is passed on only if it comes
/// from a trusted proxy, and [`write`] writes what is true.
pub(crate) fn is_forwarding(name: &[u8]) -> bool {
    is_spelling_of(name, FORWARDED.as_str())
        || name.eq_ignore_ascii_case(VIA.as_str().as_bytes())
        || has_spelling_of(name, "x-forwarded-")
        || is_spelling_of(name, "x-real-ip")
        || is_spelling_of(name, "true-client-ip")
}

/// The way of a request for the upstream: what a trusted proxy said of it, and then its peer's address.
pub(crate) fn write(headers: &impl Headers, peer: Peer<'_>, mut header: impl FnMut(&[u8], &[u8])) {
    let is_trusted = peer.is_trusted();
    if is_trusted {
        let others = headers
            .all()
            .filter(|(name, _)| is_forwarding(name) && !is_list(name));
        for (name, value) in others {
            header(name, value);
        }
    }
    let address = peer.address.to_canonical();
    let mut list = |name: &HeaderName, is_believed: bool, own: &str| {
        let mut hops = Vec::new();
        let said = headers.values(name).filter(|_| is_believed);
        for part in said.chain([own.as_bytes()]) {
            if !hops.is_empty() {
                hops.extend_from_slice(b", ");
            }
            hops.extend_from_slice(part);
        }
        header(name.as_str().as_bytes(), &hops);
    };
    list(&X_FORWARDED_FOR_NAME, is_trusted, &address.to_string());
    list(&FORWARDED, is_trusted, &forwarded(address));
    // It says nothing of who the client is, and lets loops be found.
    list(&VIA, true, OWN_VIA);
}

/// Whether each hop adds to the header.
fn is_list(name: &[u8]) -> bool {
    is_spelling_of(name, X_FORWARDED_FOR)
        || is_spelling_of(name, FORWARDED.as_str())
        || name.eq_ignore_ascii_case(VIA.as_str().as_bytes())
}

/// A hop as RFC 7239 section 4 writes it; section 6 has IPv6 addresses in brackets and quotes.
fn forwarded(address: IpAddr) -> String {
    match address {
        IpAddr::V4(address) => format!("for={address}"),
        IpAddr::V6(address) => format!("for=\"[{address}]\""),
    }
}

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
        write(&headers, peer, |name, value| {
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
