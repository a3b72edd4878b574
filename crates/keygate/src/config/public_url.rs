//! The public address.

use std::net::Ipv6Addr;

use super::value::{Rule, Value};

/// The public address as browsers write it in `Origin`: a name in ASCII and lower case, without a port
/// that goes without saying.
pub(crate) struct PublicUrl(pub(crate) String);

impl Value for PublicUrl {
    fn parse(text: &str) -> Result<Self, Rule> {
        let rule = "must be scheme, host and port, without a path";
        origin(text).map(Self).ok_or_else(|| rule.into())
    }
}

/// An origin as browsers write it.
pub(super) fn origin(text: &str) -> Option<String> {
    let (scheme, rest) = text.split_once("://")?;
    let scheme = scheme.to_ascii_lowercase();
    let default_port = match &*scheme {
        "http" => ":80",
        "https" => ":443",
        _ => return None,
    };
    let rest = rest.strip_suffix('/').unwrap_or(rest);
    let rest = rest.strip_suffix(default_port).unwrap_or(rest);
    let has_port = !rest.ends_with(']') && rest.contains(':');
    let (host, port) = rest
        .rsplit_once(':')
        .filter(|_| has_port)
        .map_or((rest, String::new()), |(host, port)| {
            (host, format!(":{port}"))
        });
    let host = if let Some(address) = host.strip_prefix('[') {
        let address: Ipv6Addr = address.strip_suffix(']')?.parse().ok()?;
        format!("[{address}]")
    } else {
        idna::domain_to_ascii(host).ok()?
    };
    let authority = format!("{host}{port}");
    let parsed: http::uri::Authority = authority.parse().ok()?;
    let is_plain = !authority.contains(['@', '*'])
        && !host.is_empty()
        && (port.is_empty() || parsed.port_u16().is_some());
    is_plain.then(|| format!("{scheme}://{authority}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn public_address_is_written_as_browsers_write_it() {
        for (text, expected) in [
            ("https://keys.example.com", Some("https://keys.example.com")),
            (
                "https://keys.example.com:443/",
                Some("https://keys.example.com"),
            ),
            (
                "http://Keys.Example.com:80",
                Some("http://keys.example.com"),
            ),
            (
                "HTTPS://keys.example.com:8443",
                Some("https://keys.example.com:8443"),
            ),
            (
                "https://schl\u{fc}ssel.example",
                Some("https://xn--schlssel-95a.example"),
            ),
            ("http://[2001:DB8::1]", Some("http://[2001:db8::1]")),
            ("http://[::1]:8080/", Some("http://[::1]:8080")),
            ("http://[0:0:0::0:1]:8080", Some("http://[::1]:8080")),
            ("http://gpubox:8080", Some("http://gpubox:8080")),
            ("keys.example.com", None),
            ("ftp://keys.example.com", None),
            ("https://", None),
            ("https://a@keys.example.com", None),
            ("https://*.example.com", None),
            ("https://keys.example.com/keygate", None),
            ("https://keys.example.com:x", None),
        ] {
            assert_eq!(origin(text).as_deref(), expected, "{text}");
        }
    }
}
