use std::net::IpAddr;

use sha2::{Digest, Sha256};

use crate::Token;

/// What is counted as one client: an IPv4 address, or an IPv6 network of 64 bits, which is what one
/// household has.
pub fn client_network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(address) => address.into(),
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            IpAddr::from([a, b, c, d, 0, 0, 0, 0])
        }
    }
}

/// What one provider's customer or one site can have: 256 IPv4 addresses, or an IPv6 network of 48 bits
/// with its 65,536 networks of 64.
pub fn client_site(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(address) => {
            let [a, b, c, _] = address.octets();
            IpAddr::from([a, b, c, 0])
        }
        IpAddr::V6(address) => {
            let [a, b, c, ..] = address.segments();
            IpAddr::from([a, b, c, 0, 0, 0, 0, 0])
        }
    }
}

/// Recognizes a client that has signed in before: a hash of its network, or of a token in its
/// browser's cookie.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ClientMark([u8; 32]);

impl ClientMark {
    /// The mark of the site that an address is at.
    pub fn of_site(address: IpAddr) -> Self {
        let site = client_site(address);
        Self(Sha256::digest(format!("site {site}")).into())
    }

    /// The mark of a browser that keeps this token.
    pub fn of_browser(token: &Token) -> Self {
        Self(*token.hash().as_bytes())
    }

    /// The mark as bytes.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> IpAddr {
        text.parse().expect("an address")
    }

    #[test]
    fn a_household_is_one_client() {
        for (client, network) in [
            ("192.0.2.1", "192.0.2.1"),
            ("::ffff:192.0.2.1", "192.0.2.1"),
            ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::"),
        ] {
            assert_eq!(client_network(address(client)).to_string(), network);
        }
    }

    #[test]
    fn a_site_has_many_addresses_and_one_mark() {
        for (client, site) in [
            ("192.0.2.1", "192.0.2.0"),
            ("::ffff:192.0.2.9", "192.0.2.0"),
            ("2001:db8:1:2:3:4:5:6", "2001:db8:1::"),
        ] {
            assert_eq!(client_site(address(client)).to_string(), site);
        }
        let mark = |client| ClientMark::of_site(address(client));
        assert_eq!(mark("192.0.2.1"), mark("192.0.2.250"));
        assert_ne!(mark("192.0.2.1"), mark("192.0.3.1"));
    }
}
