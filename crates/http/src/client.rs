use std::net::IpAddr;

use http::{HeaderName, header::FORWARDED};
use ipnet::IpNet;

use crate::{
    Headers,
    hops::{forwarded_hops, listed_hops},
};

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// From where a request comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClientAddress(pub IpAddr);

/// The peers whose word on a request is believed: from where it comes (`X-Forwarded-For`), and what
/// it was (forward-auth).
#[derive(Debug, Clone, Default)]
pub struct TrustedProxies(Vec<IpNet>);

impl TrustedProxies {
    /// The proxies in these networks; a single address is a network of one.
    pub fn new(networks: Vec<IpNet>) -> Self {
        Self(networks)
    }

    /// The client behind `peer`: the last address in `X-Forwarded-For` that is not itself a
    /// trusted proxy; where there is none, in `Forwarded`. A proxy writes one of them, and what clients
    /// send of the other passes it. Where the peer is not trusted, or where a proxy does not say from
    /// where it was asked, whoever is known last.
    pub fn client(&self, peer: IpAddr, headers: &impl Headers) -> ClientAddress {
        let mut client = peer.to_canonical();
        if !self.trusts(client) {
            return ClientAddress(client);
        }
        let mut hops: Vec<_> = headers
            .values(&X_FORWARDED_FOR)
            .flat_map(listed_hops)
            .collect();
        if hops.is_empty() {
            hops = headers
                .values(&FORWARDED)
                .flat_map(forwarded_hops)
                .collect();
        }
        for hop in hops.into_iter().rev() {
            let Some(address) = hop.filter(|_| self.trusts(client)) else {
                break;
            };
            client = address.to_canonical();
        }
        ClientAddress(client)
    }

    /// Whether `address` is a trusted proxy's.
    pub fn trusts(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.0.iter().any(|network| network.contains(&address))
    }
}

/// From where a connection comes, and what its word is worth.
#[derive(Debug, Clone, Copy)]
pub struct Peer<'a> {
    /// The address at the other end.
    pub address: IpAddr,
    /// The proxies that are believed.
    pub trusted_proxies: &'a TrustedProxies,
}

impl Peer<'_> {
    /// Whether it is a trusted proxy.
    pub fn is_trusted(&self) -> bool {
        self.trusted_proxies.trusts(self.address)
    }

    /// The client that it speaks for, which may be itself.
    pub fn client(&self, headers: &impl Headers) -> IpAddr {
        let ClientAddress(client) = self.trusted_proxies.client(self.address, headers);
        client
    }
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, HeaderValue};

    use super::*;

    fn client(peer: &str, forwarded: &[&'static str]) -> String {
        let trusted = ["10.0.0.0/8", "::1/128"].map(|net| net.parse().expect("a network"));
        let mut headers = HeaderMap::new();
        for value in forwarded {
            headers.append(X_FORWARDED_FOR, HeaderValue::from_static(value));
        }
        let peer = peer.parse().expect("an address");
        let ClientAddress(address) = TrustedProxies::new(trusted.into()).client(peer, &headers);
        address.to_string()
    }

    #[test]
    fn a_stranger_is_not_believed() {
        assert_eq!(client("192.0.2.1", &["198.51.100.7"]), "192.0.2.1");
    }

    #[test]
    fn the_last_untrusted_hop_is_the_client() {
        for (forwarded, expected) in [
            (&["198.51.100.7"] as &[_], "198.51.100.7"),
            (&["203.0.113.9, 198.51.100.7, 10.2.2.2"], "198.51.100.7"),
            (&["203.0.113.9", "198.51.100.7"], "198.51.100.7"),
            (&["203.0.113.9, nonsense"], "10.1.1.1"),
            (&[], "10.1.1.1"),
            (&["10.9.9.9"], "10.9.9.9"),
        ] {
            assert_eq!(client("10.1.1.1", forwarded), expected, "{forwarded:?}");
        }
    }

    fn client_by(headers: &[(HeaderName, &'static str)]) -> String {
        let trusted = TrustedProxies::new(vec!["10.0.0.0/8".parse().expect("a network")]);
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(name, HeaderValue::from_static(value));
        }
        let ClientAddress(address) = trusted.client([10, 1, 1, 1].into(), &map);
        address.to_string()
    }

    #[test]
    fn forwarded_is_read_where_nothing_else_is_said() {
        for (value, expected) in [
            ("for=192.0.2.60;proto=http;by=203.0.113.43", "192.0.2.60"),
            ("for=192.0.2.43, for=198.51.100.17", "198.51.100.17"),
            ("For=\"[2001:db8:cafe::17]:4711\"", "2001:db8:cafe::17"),
            ("for=192.0.2.43, for=10.2.2.2;by=10.1.1.1", "192.0.2.43"),
            ("for=192.0.2.43, for=unknown", "10.1.1.1"),
            ("for=192.0.2.43, for=_hidden, for=10.2.2.2", "10.2.2.2"),
            ("for=192.0.2.43, proto=https", "10.1.1.1"),
            ("for=\"192.0.2.43, for=198.51.100.17\"", "10.1.1.1"),
        ] {
            assert_eq!(client_by(&[(FORWARDED, value)]), expected, "{value}");
        }
        let both = [
            (FORWARDED, "for=192.0.2.43"),
            (X_FORWARDED_FOR, "198.51.100.7"),
        ];
        assert_eq!(client_by(&both), "198.51.100.7");
    }

    #[test]
    fn mapped_addresses_are_the_same_address() {
        assert_eq!(
            client("::ffff:10.1.1.1", &["::ffff:192.0.2.5"]),
            "192.0.2.5"
        );
    }
}
