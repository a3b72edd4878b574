//! The address of an upstream.

use std::fmt;

use http::{
    HeaderValue, Request, Uri, Version,
    header::HOST,
    uri::{Authority, Parts, PathAndQuery, Scheme},
};

/// Why an upstream cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum InvalidUpstream {
    /// The path is none.
    #[error("must be a path, like /v1/audio")]
    Path,
    /// The address is not an http, https or h2c URL, or has a user, a query or a fragment.
    #[error("must be an http://, https:// or h2c:// URL without user, query or fragment")]
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

/// The scheme of addresses at which HTTP/2 is spoken without TLS, as RFC 7540 section 3.1 called it. No URL that a
/// client sees has it.
const H2C: &str = "h2c";

/// The address of an upstream.
pub(crate) struct Address {
    pub(crate) scheme: Scheme,
    /// The one that is spoken there.
    pub(crate) version: Version,
    pub(crate) authority: Authority,
    /// The same as a `Host`.
    pub(crate) host: HeaderValue,
    /// Without a slash at its end.
    pub(crate) path: String,
}

impl Address {
    pub(crate) fn parse(url: &str) -> Result<Self, InvalidUpstream> {
        let parts = url
            .parse::<Uri>()
            .map_err(|_| InvalidUpstream::Url)?
            .into_parts();
        let scheme = parts.scheme.ok_or(InvalidUpstream::Url)?;
        let (scheme, version) = match scheme.as_str() {
            H2C => (Scheme::HTTP, Version::HTTP_2),
            _ => (scheme, Version::HTTP_11),
        };
        let authority = parts.authority.ok_or(InvalidUpstream::Url)?;
        let path = parts
            .path_and_query
            .map_or(String::new(), |path| path.to_string());
        let host = HeaderValue::from_str(authority.as_str()).map_err(|_| InvalidUpstream::Url)?;
        let plain = (scheme == Scheme::HTTP || scheme == Scheme::HTTPS)
            && !authority.as_str().contains('@')
            && has_port_that_exists(&authority)
            && !url.contains(['?', '#']);
        plain
            .then(|| Self {
                scheme,
                version,
                authority,
                host,
                path: path.trim_end_matches('/').to_owned(),
            })
            .ok_or(InvalidUpstream::Url)
    }

    pub(crate) fn is_http2(&self) -> bool {
        self.version == Version::HTTP_2
    }

    /// Has a request ask for a path and query here, in the form of what is spoken here.
    pub(crate) fn put_into<B>(&self, request: &mut Request<B>, target: PathAndQuery) {
        *request.version_mut() = self.version;
        if self.is_http2() {
            let mut parts = Parts::from(Uri::from(target));
            parts.scheme = Some(self.scheme.clone());
            parts.authority = Some(self.authority.clone());
            *request.uri_mut() = Uri::from_parts(parts).expect("it is whole");
            request.headers_mut().remove(HOST);
        } else {
            *request.uri_mut() = Uri::from(target);
            request.headers_mut().insert(HOST, self.host.clone());
        }
    }

    /// What follows the host in a `Location` that leads to this upstream, by its address or by a path alone.
    pub(crate) fn own_path<'a>(&self, location: &'a str) -> Option<&'a str> {
        let rest = if let Some(rest) = location.strip_prefix("//") {
            rest
        } else if location.starts_with('/') {
            return Some(location);
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
        is_own.then_some(path)
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.is_http2() {
            H2C
        } else {
            self.scheme.as_str()
        };
        write!(f, "{scheme}://{}{}", self.authority, self.path)
    }
}

/// What follows the host may be digits of any number.
fn has_port_that_exists(authority: &Authority) -> bool {
    let port = authority.as_str().strip_prefix(authority.host());
    port.is_none_or(str::is_empty) || authority.port_u16().is_some()
}

/// The port where an address names none.
pub(crate) fn default_port(scheme: &Scheme) -> u16 {
    if *scheme == Scheme::HTTPS { 443 } else { 80 }
}
