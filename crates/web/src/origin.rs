use std::{convert::Infallible, net::IpAddr};

use axum::extract::FromRequestParts;
use http::{HeaderMap, Uri, header::HOST, request::Parts, uri::Authority};

use crate::state::{Site, WebState};

/// Scheme, host and port under which whoever asks knows the service: the public address, or where the
/// operator gave none, whatever the request was sent to.
pub(crate) struct Origin(pub(crate) String);

impl FromRequestParts<WebState> for Origin {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, state: &WebState) -> Result<Self, Infallible> {
        Ok(Self(seen(state.site(), &parts.uri, &parts.headers)))
    }
}

/// The origin by which a request reached us, as far as that can be believed. Names cannot: whoever owns
/// one can let it point here, and would be sent our links.
pub(crate) fn seen(site: &Site, uri: &Uri, headers: &HeaderMap) -> String {
    let host = host(uri, headers).filter(|host| !site.is_configured && is_plain(host));
    let seen = host.and_then(|host| origin_of(&host));
    seen.unwrap_or_else(|| site.origin.clone())
}

/// The origin of the pages that are found under a host, without TLS.
pub(crate) fn origin_of(host: &Authority) -> Option<String> {
    as_browsers_write(&format!("http://{host}"))
}

/// An origin in the words of browsers: in lower case, and without the usual port.
pub(crate) fn as_browsers_write(origin: &str) -> Option<String> {
    let origin = origin.to_ascii_lowercase();
    let usual_port = match origin.split_once("://")?.0 {
        "http" => ":80",
        "https" => ":443",
        _ => return Some(origin),
    };
    let bare = origin.strip_suffix(usual_port).map(str::to_owned);
    Some(bare.unwrap_or(origin))
}

/// The host, and the port if it is not the usual one, that a request was sent to.
pub(crate) fn host(uri: &Uri, headers: &HeaderMap) -> Option<Authority> {
    let host = || Authority::try_from(headers.get(HOST)?.as_bytes()).ok();
    uri.authority().cloned().or_else(host)
}

/// Whether it is an address or this machine, which nobody else can claim to be.
pub(crate) fn is_plain(authority: &Authority) -> bool {
    let host = authority.host();
    let address = host.trim_start_matches('[').trim_end_matches(']');
    let is_known = host.eq_ignore_ascii_case("localhost") || address.parse::<IpAddr>().is_ok();
    is_known && !authority.as_str().contains('@')
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[test]
    fn an_origin_is_the_same_however_it_is_written() {
        for (said, expected) in [
            ("https://keys.example.com", "https://keys.example.com"),
            ("https://keys.example.com:443", "https://keys.example.com"),
            ("HTTPS://KEYS.example.com", "https://keys.example.com"),
            ("http://keys.example.com:80", "http://keys.example.com"),
            ("http://keys.example.com:443", "http://keys.example.com:443"),
            ("http://[::1]:80", "http://[::1]"),
        ] {
            assert_eq!(as_browsers_write(said).as_deref(), Some(expected));
        }
        assert_eq!(as_browsers_write("null"), None);
    }

    #[test]
    fn addresses_are_believed_and_names_are_not() {
        let site = Site {
            origin: "http://127.0.0.1:8080".into(),
            is_configured: false,
            brand: Arc::default(),
        };
        for (host, expected) in [
            ("192.0.2.1:8080", "http://192.0.2.1:8080"),
            ("[2001:db8::1]:8080", "http://[2001:db8::1]:8080"),
            ("localhost", "http://localhost"),
            ("LOCALHOST:80", "http://localhost"),
            ("127.0.0.1:80", "http://127.0.0.1"),
            ("[::1]:8080", "http://[::1]:8080"),
            ("evil.example", "http://127.0.0.1:8080"),
            ("evil.example:8080", "http://127.0.0.1:8080"),
            ("u@127.0.0.1", "http://127.0.0.1:8080"),
            ("$(touch x)", "http://127.0.0.1:8080"),
            ("evil.example/x?", "http://127.0.0.1:8080"),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(HOST, host.parse().expect("a value"));
            assert_eq!(
                seen(&site, &Uri::from_static("/"), &headers),
                expected,
                "{host}"
            );
        }
    }
}
