use std::{fmt, sync::Arc, time::Duration};

use http::{HeaderName, HeaderValue, StatusCode, uri::PathAndQuery};
use keygate_traces::RequestSpan;
use tokio::{net::TcpStream, sync::Semaphore};

use crate::{
    address::{Address, InvalidUpstream},
    connection::Connection,
    connector::Connector,
    is_data_plane,
    own_credential::{OwnCredential, Verdict},
    path::Pattern,
    pool::{Pool, PoolTimeouts},
};

/// An HTTP API behind the data plane.
pub struct Upstream {
    pattern: Pattern,
    pub(crate) address: Address,
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
pub struct UpstreamTimeouts {
    /// To be connected to: its name, the connection and TLS together.
    pub connect: Duration,
    /// To take anything more of a request.
    pub write: Duration,
    /// To send the whole head of its answer, once it has all of the request.
    pub response: Duration,
}

impl Upstream {
    /// The upstream at `url` for the requests to `path` and below it. A path in the URL goes
    /// before the request's own, which begins with `/v1`: a `/v1` at the URL's end is that one, and
    /// is not sent twice. `credential` is sent as `Authorization: Bearer`.
    pub fn new(
        path: &str,
        url: &str,
        credential: Option<&str>,
        timeouts: UpstreamTimeouts,
        keeping: PoolTimeouts,
    ) -> Result<Self, InvalidUpstream> {
        let path = path.trim_end_matches('/');
        let pattern = Pattern::parse(&format!("{path}/**"))
            .ok()
            .filter(|_| is_data_plane(path))
            .ok_or(InvalidUpstream::Path)?;
        let address = Address::parse(url)?;
        Ok(Self {
            pattern,
            connector: Connector::new(&address.scheme, &address.authority, timeouts.connect)?,
            connections: Arc::new(Pool::new(keeping)),
            sockets: Pool::new(keeping),
            host_header: HeaderValue::from_str(address.authority())
                .map_err(|_| InvalidUpstream::Url)?,
            address,
            own_credential: OwnCredential::new(credential.map(bearer).transpose()?),
            response_timeout: timeouts.response,
            write_timeout: timeouts.write,
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
    pub fn take_refused_credential(&self) -> bool {
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

    /// Begins the span of what this upstream is asked, and writes the headers that tell it.
    pub(crate) fn begin_span(&self, span: &RequestSpan, header: impl FnMut(&HeaderName, &[u8])) {
        let to = (self.connector.host(), self.connector.port());
        span.ask_upstream(&self.to_string(), to, header);
    }
}

impl fmt::Display for Upstream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.address.fmt(f)
    }
}

/// What every API in the shape of `OpenAI`'s has, or where the upstream begins.
fn default_probe_path(path: &str) -> Result<PathAndQuery, InvalidUpstream> {
    let path = if path == "/v1" { "/v1/models" } else { path };
    path.parse().map_err(|_| InvalidUpstream::Path)
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
        let timeouts = UpstreamTimeouts {
            connect: second,
            write: second,
            response: second,
        };
        let keeping = PoolTimeouts {
            idle: second,
            age: second,
        };
        Upstream::new(path, url, None, timeouts, keeping)
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
