//! The address of an upstream.

use std::fmt;

use http::{
    Uri,
    uri::{Authority, InvalidUri, PathAndQuery, Scheme},
};

/// Why an upstream cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum InvalidUpstream {
    /// The path is not one of the data plane.
    #[error("must be /v1 or a path under it, like /v1/audio")]
    Path,
    /// The address is not an http or https URL, or has a user, a query or a fragment.
    #[error("must be an http:// or https:// URL without user, query or fragment")]
    Url,
    /// The credential has characters that a header cannot carry.
    #[error("must hold one line of visible ASCII")]
    Credential,
    /// The path for probes is not a path.
    #[error("must be a path, like /health")]
    ProbePath,
    /// The system's certificates could not be read.
    #[error("needs the system's CA certificates, which could not be read: {0}")]
    Certificates(std::io::Error),
}

/// The address of an upstream.
pub(crate) struct Address {
    pub(crate) scheme: Scheme,
    pub(crate) authority: Authority,
    base_path: String,
}

impl Address {
    /// A path in the URL goes before the request's own, which begins with `/v1`: a `/v1` at the URL's end is
    /// that one.
    pub(crate) fn parse(url: &str) -> Result<Self, InvalidUpstream> {
        let parts = url
            .parse::<Uri>()
            .map_err(|_| InvalidUpstream::Url)?
            .into_parts();
        let scheme = parts.scheme.ok_or(InvalidUpstream::Url)?;
        let authority = parts.authority.ok_or(InvalidUpstream::Url)?;
        let path = parts
            .path_and_query
            .map_or(String::new(), |path| path.to_string());
        let plain = (scheme == Scheme::HTTP || scheme == Scheme::HTTPS)
            && !authority.as_str().contains('@')
            && !url.contains(['?', '#']);
        let base_path = path.trim_end_matches('/');
        let base_path = base_path.strip_suffix("/v1").unwrap_or(base_path);
        plain
            .then(|| Self {
                scheme,
                authority,
                base_path: base_path.to_owned(),
            })
            .ok_or(InvalidUpstream::Url)
    }

    pub(crate) fn authority(&self) -> &str {
        self.authority.as_str()
    }

    /// The prefix for the path of each request.
    pub(crate) fn base_path(&self) -> &str {
        &self.base_path
    }

    /// The target of the upstream's request for this path and query of the client's.
    pub(crate) fn target(&self, path_and_query: &PathAndQuery) -> Result<PathAndQuery, InvalidUri> {
        if self.base_path.is_empty() {
            return Ok(path_and_query.clone());
        }
        PathAndQuery::try_from(format!("{}{path_and_query}", self.base_path))
    }

    /// A `Location` as the client can follow it: one that names this upstream, which the client may not
    /// even reach, leads to where it came from. `None` is one that leads elsewhere, or by a path alone.
    pub(crate) fn own_location(&self, location: &[u8]) -> Option<String> {
        let location = std::str::from_utf8(location).ok()?;
        let rest = if let Some(rest) = location.strip_prefix("//") {
            rest
        } else {
            let (scheme, rest) = location.split_once("://")?;
            let is_own = scheme.eq_ignore_ascii_case(self.scheme.as_str());
            is_own.then_some(rest)?
        };
        let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let (authority, path) = rest.split_at(end);
        let authority: Authority = authority.parse().ok()?;
        let port = |authority: &Authority| {
            let port = authority.port_u16();
            port.unwrap_or_else(|| default_port(&self.scheme))
        };
        let is_own = authority.host().eq_ignore_ascii_case(self.authority.host())
            && port(&authority) == port(&self.authority);
        let below = path.strip_prefix(&self.base_path);
        let below = below.filter(|rest| rest.is_empty() || rest.starts_with(['/', '?', '#']));
        let path = below.unwrap_or(path);
        is_own.then(|| {
            if path.starts_with("//") {
                // By itself it would name a host (RFC 3986 section 4.2).
                format!("/.{path}")
            } else if path.starts_with('/') {
                path.to_owned()
            } else {
                format!("/{path}")
            }
        })
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}{}", self.scheme, self.authority, self.base_path)
    }
}

/// The port where an address names none.
pub(crate) fn default_port(scheme: &Scheme) -> u16 {
    if *scheme == Scheme::HTTPS { 443 } else { 80 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_in_the_url_goes_before_the_requests_own() {
        let target = PathAndQuery::from_static("/v1/models?limit=1");
        for (url, expected) in [
            ("http://127.0.0.1:11434", "/v1/models?limit=1"),
            ("http://127.0.0.1:11434/", "/v1/models?limit=1"),
            ("http://host/openai/", "/openai/v1/models?limit=1"),
            ("http://host/v1", "/v1/models?limit=1"),
            ("http://host/openai/v1/", "/openai/v1/models?limit=1"),
        ] {
            let address = Address::parse(url).expect(url);
            assert_eq!(address.target(&target).expect(url), expected);
        }
    }

    #[test]
    fn an_upstream_that_sends_clients_to_itself_sends_them_here() {
        for (url, location, expected) in [
            ("http://host", "http://host/v1/x?a=b#c", Some("/v1/x?a=b#c")),
            ("http://host", "HTTP://HOST:80/v1/x", Some("/v1/x")),
            ("http://host:80", "http://host/v1/x", Some("/v1/x")),
            ("http://[::1]:8000", "http://[::1]:8000/v1", Some("/v1")),
            ("http://host", "//host/v1/x", Some("/v1/x")),
            ("http://host", "http://host", Some("/")),
            ("http://host", "http://host?x=1", Some("/?x=1")),
            (
                "http://host",
                "http://host//evil.example/x",
                Some("/.//evil.example/x"),
            ),
            (
                "http://host/a",
                "http://host/a//evil.example",
                Some("/.//evil.example"),
            ),
            (
                "http://host/open",
                "http://host/openai/x",
                Some("/openai/x"),
            ),
            (
                "http://host/openai",
                "http://host/openai/v1/x",
                Some("/v1/x"),
            ),
            ("http://host", "https://host/v1/x", None),
            ("http://host", "http://host:81/v1/x", None),
            ("http://host", "http://other/v1/x", None),
            ("http://host", "/v1/x", None),
            ("http://host", "x", None),
        ] {
            let address = Address::parse(url).expect(url);
            let own = address.own_location(location.as_bytes());
            assert_eq!(own.as_deref(), expected, "{url} {location}");
        }
    }
}
