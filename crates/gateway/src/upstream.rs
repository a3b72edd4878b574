use std::{fmt, sync::Arc, time::Duration};

use http::{
    HeaderName, HeaderValue, StatusCode,
    uri::{Authority, InvalidUri, PathAndQuery, Scheme, Uri},
};
use keygate_traces::RequestSpan;
use tokio::{net::TcpStream, sync::Semaphore};

use crate::{
    connection::Connection,
    connector::Connector,
    is_data_plane,
    own_credential::{OwnCredential, Verdict},
    path::Pattern,
    pool::{Keeping, Pool},
};

/// An HTTP API behind the data plane.
pub struct Upstream {
    pattern: Pattern,
    scheme: Scheme,
    authority: Authority,
    base_path: String,
    pub(crate) host_header: HeaderValue,
    pub(crate) own_credential: OwnCredential,
    pub(crate) connector: Connector,
    pub(crate) response_timeout: Duration,
    pub(crate) write_timeout: Duration,
    /// The idle connections of the HTTP library.
    pub(crate) connections: Arc<Pool<Connection>>,
    /// Those of the express lane.
    pub(crate) sockets: Pool<TcpStream>,
    /// What probes ask for.
    pub(crate) probe_path: PathAndQuery,
}

/// How long an upstream may take.
#[derive(Debug, Clone, Copy)]
pub struct Patience {
    /// To be connected to: its name, the connection and TLS together.
    pub connect: Duration,
    /// To take anything more of a request.
    pub write: Duration,
    /// To send the whole head of its answer, once it has all of the request.
    pub response: Duration,
}

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
    /// What probes are to ask for is no path.
    #[error("must be a path, like /health")]
    ProbePath,
    /// The system's certificates could not be read.
    #[error("needs the system's CA certificates, which could not be read: {0}")]
    Certificates(std::io::Error),
}

impl Upstream {
    /// The upstream at `url` for the requests to `path` and below it. A path in the URL goes
    /// before the request's own, which begins with `/v1`: a `/v1` at the URL's end is that one, and
    /// is not sent twice. `credential` is sent as `Authorization: Bearer`.
    pub fn new(
        path: &str,
        url: &str,
        credential: Option<&str>,
        patience: Patience,
        keeping: Keeping,
    ) -> Result<Self, InvalidUpstream> {
        let path = path.trim_end_matches('/');
        let pattern = Pattern::parse(&format!("{path}/**"))
            .ok()
            .filter(|_| is_data_plane(path))
            .ok_or(InvalidUpstream::Path)?;
        let (scheme, authority, base_path) = split(url)?;
        Ok(Self {
            pattern,
            connector: Connector::new(&scheme, &authority, patience.connect)?,
            connections: Arc::new(Pool::new(keeping)),
            sockets: Pool::new(keeping),
            host_header: HeaderValue::from_str(authority.as_str())
                .map_err(|_| InvalidUpstream::Url)?,
            scheme,
            authority,
            base_path,
            own_credential: OwnCredential::new(credential.map(bearer).transpose()?),
            response_timeout: patience.response,
            write_timeout: patience.write,
            probe_path: default_probe_path(path)?,
        })
    }

    /// Has probes ask for this path, with whatever goes before the path of a request.
    pub fn with_probe_path(mut self, path: &str) -> Result<Self, InvalidUpstream> {
        let parsed = path.parse().ok().filter(|_| path.starts_with('/'));
        self.probe_path = parsed.ok_or(InvalidUpstream::ProbePath)?;
        Ok(self)
    }

    /// Whether there is a credential for it, and it has refused that to a client's request since this was asked
    /// last.
    pub fn has_refused_credential(&self) -> bool {
        self.own_credential.take_refused()
    }

    /// Whether an answer with this status refuses the credential that there is for it.
    pub fn refuses_credential(&self, status: StatusCode) -> bool {
        self.own_credential.judge(status) == Verdict::Refused
    }

    /// Whether it has to be asked over TLS.
    pub(crate) fn is_encrypted(&self) -> bool {
        self.connector.is_encrypted()
    }

    /// The path under which its requests are, like `/v1`.
    pub fn path(&self) -> &str {
        self.pattern.prefix()
    }

    pub(crate) fn authority(&self) -> &str {
        self.authority.as_str()
    }

    /// What goes before the path of a request.
    pub(crate) fn base_path(&self) -> &str {
        &self.base_path
    }

    /// Begins the span of what this upstream is asked, and writes the headers that tell it.
    pub(crate) fn begin_span(&self, span: &RequestSpan, header: impl FnMut(&HeaderName, &[u8])) {
        let to = (self.connector.host(), self.connector.port());
        span.ask_upstream(&self.to_string(), to, header);
    }

    /// What it is asked for where a client asks for this path and query.
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

impl fmt::Display for Upstream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}{}", self.scheme, self.authority, self.base_path)
    }
}

/// What every API in the shape of `OpenAI`'s has, or where the upstream begins.
fn default_probe_path(path: &str) -> Result<PathAndQuery, InvalidUpstream> {
    let path = if path == "/v1" { "/v1/models" } else { path };
    path.parse().map_err(|_| InvalidUpstream::Path)
}

fn split(url: &str) -> Result<(Scheme, Authority, String), InvalidUpstream> {
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
        .then(|| (scheme, authority, base_path.to_owned()))
        .ok_or(InvalidUpstream::Url)
}

/// The port where an address names none.
pub(crate) fn default_port(scheme: &Scheme) -> u16 {
    if *scheme == Scheme::HTTPS { 443 } else { 80 }
}

fn bearer(credential: &str) -> Result<HeaderValue, InvalidUpstream> {
    let credential = credential.trim();
    if credential.is_empty() || !credential.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(InvalidUpstream::Credential);
    }
    let mut value = HeaderValue::try_from(format!("Bearer {credential}"))
        .map_err(|_| InvalidUpstream::Credential)?;
    value.set_sensitive(true);
    Ok(value)
}

/// The upstreams by path; the longest path that covers a request wins.
pub struct Upstreams {
    by_path: Vec<Arc<Upstream>>,
    /// For connections to all of them.
    places: Arc<Semaphore>,
}

impl Upstreams {
    /// Sorts the upstreams.
    pub fn new(mut upstreams: Vec<Upstream>) -> Self {
        let places = Arc::new(Semaphore::new(Semaphore::MAX_PERMITS));
        for upstream in &mut upstreams {
            upstream.connector.places = places.clone();
        }
        upstreams.sort_by_key(|upstream| std::cmp::Reverse(upstream.pattern.len()));
        let by_path = upstreams.into_iter().map(Arc::new).collect();
        Self { by_path, places }
    }

    /// Has no more connections to all of them together than so many.
    pub fn limit_connections(&self, limit: usize) {
        let surplus = Semaphore::MAX_PERMITS.saturating_sub(limit);
        self.places.forget_permits(surplus);
    }

    /// The place in the list of the upstream for a path.
    pub(crate) fn position(&self, path: &str) -> Option<usize> {
        self.by_path
            .iter()
            .position(|upstream| upstream.pattern.matches(path))
    }

    /// All of them, the longest path first.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Upstream>> {
        self.by_path.iter()
    }

    /// Closes connections that have waited too long for a request.
    pub(crate) fn sweep(&self) {
        for upstream in self.iter() {
            upstream.connections.sweep();
            upstream.sockets.sweep();
        }
    }

    pub(crate) fn at(&self, position: usize) -> &Upstream {
        &self.by_path[position]
    }
}

/// Their addresses, the longest path first.
impl fmt::Display for Upstreams {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, upstream) in self.by_path.iter().enumerate() {
            let gap = if index > 0 { ", " } else { "" };
            write!(f, "{gap}{upstream}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn upstream(path: &str, url: &str) -> Result<Upstream, InvalidUpstream> {
        let second = Duration::from_secs(1);
        let patience = Patience {
            connect: second,
            write: second,
            response: second,
        };
        let keeping = Keeping {
            idle: second,
            age: second,
        };
        Upstream::new(path, url, None, patience, keeping)
    }

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
            let upstream = upstream("/v1", url).expect(url);
            assert_eq!(upstream.target(&target).expect(url), expected);
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
            let upstream = upstream("/v1", url).expect(url);
            let own = upstream.own_location(location.as_bytes());
            assert_eq!(own.as_deref(), expected, "{url} {location}");
        }
    }

    #[test]
    fn the_longest_path_wins() {
        let upstreams = Upstreams::new(vec![
            upstream("/v1", "http://general").expect("valid"),
            upstream("/v1/audio/", "http://audio").expect("valid"),
        ]);
        for (path, expected) in [
            ("/v1/models", "http://general"),
            ("/v1/audio/speech", "http://audio"),
            ("/v1/audiobooks", "http://general"),
        ] {
            let position = upstreams.position(path).expect(path);
            assert_eq!(upstreams.at(position).to_string(), expected, "{path}");
        }
        assert_eq!(upstreams.position("/v2"), None);
    }

    #[test]
    fn what_cannot_be_an_upstream_is_refused() {
        for url in [
            "",
            "127.0.0.1:80",
            "/v1",
            "ftp://host",
            "http://a@host",
            "http://h/?q",
            "http://h/#f",
        ] {
            assert!(
                matches!(upstream("/v1", url), Err(InvalidUpstream::Url)),
                "{url}"
            );
        }
        for path in ["", "/", "/api", "v1", "/v1/*"] {
            let refused = upstream(path, "http://host");
            assert!(matches!(refused, Err(InvalidUpstream::Path)), "{path}");
        }
        for credential in ["", "a b", "a\nb", "ü"] {
            assert!(bearer(credential).is_err(), "{credential:?}");
        }
    }
}
