use std::{fmt, sync::Arc, time::Duration};

use http::{
    HeaderName, HeaderValue, Uri,
    uri::{Authority, PathAndQuery, Scheme},
};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::{TokioExecutor, TokioTimer},
};
use keygate_traces::RequestSpan;

use crate::{body::RequestBody, express::Pool, is_data_plane, path::Pattern};

/// How long an idle connection to an upstream is kept.
const IDLE_TIMEOUT: Duration = Duration::from_mins(1);

pub(crate) type UpstreamClient = Client<HttpsConnector<HttpConnector>, RequestBody>;

/// An HTTP API behind the data plane.
pub struct Upstream {
    pattern: Pattern,
    scheme: Scheme,
    authority: Authority,
    base_path: String,
    pub(crate) authorization: Option<HeaderValue>,
    pub(crate) connect_timeout: Duration,
    response_timeout: Duration,
    pub(crate) client: UpstreamClient,
    /// Where the express lane connects to, unless it is to be encrypted.
    socket: Option<Socket>,
    pub(crate) pool: Pool,
    /// What probes ask for.
    pub(crate) probe_path: PathAndQuery,
}

/// A host, by name or address, and a port.
pub(crate) struct Socket {
    pub(crate) host: String,
    pub(crate) port: u16,
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
        connect_timeout: Duration,
        response_timeout: Duration,
    ) -> Result<Self, InvalidUpstream> {
        let path = path.trim_end_matches('/');
        let pattern = Pattern::parse(&format!("{path}/**"))
            .ok()
            .filter(|_| is_data_plane(path))
            .ok_or(InvalidUpstream::Path)?;
        let (scheme, authority, base_path) = split(url)?;
        Ok(Self {
            pattern,
            client: client(&scheme, connect_timeout)?,
            socket: socket(&scheme, &authority),
            pool: Pool::default(),
            scheme,
            authority,
            base_path,
            authorization: credential.map(bearer).transpose()?,
            connect_timeout,
            response_timeout,
            probe_path: default_probe_path(path)?,
        })
    }

    /// Has probes ask for this path, with whatever goes before the path of a request.
    pub fn with_probe_path(mut self, path: &str) -> Result<Self, InvalidUpstream> {
        let parsed = path.parse().ok().filter(|_| path.starts_with('/'));
        self.probe_path = parsed.ok_or(InvalidUpstream::ProbePath)?;
        Ok(self)
    }

    /// Where to connect for HTTP without encryption.
    pub(crate) fn socket(&self) -> Option<&Socket> {
        self.socket.as_ref()
    }

    pub(crate) fn scheme(&self) -> &Scheme {
        &self.scheme
    }

    /// Where a connection leads, whether or not it is to be encrypted.
    pub(crate) fn host_and_port(&self) -> (&str, u16) {
        let default = if self.scheme == Scheme::HTTPS {
            443
        } else {
            80
        };
        let port = self.authority.port_u16().unwrap_or(default);
        (host(&self.authority), port)
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
        span.ask_upstream(&self.to_string(), self.host_and_port(), header);
    }

    /// How long the upstream may be silent once the request has begun. It leaves room for
    /// connecting, whose own timeout comes first.
    pub(crate) fn silence_timeout(&self) -> Duration {
        self.connect_timeout + self.response_timeout
    }

    /// Where a request for this path and query goes.
    pub(crate) fn uri(&self, path_and_query: &PathAndQuery) -> Result<Uri, http::Error> {
        let target = if self.base_path.is_empty() {
            path_and_query.clone()
        } else {
            PathAndQuery::try_from(format!("{}{path_and_query}", self.base_path))?
        };
        Uri::builder()
            .scheme(self.scheme.clone())
            .authority(self.authority.clone())
            .path_and_query(target)
            .build()
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

fn socket(scheme: &Scheme, authority: &Authority) -> Option<Socket> {
    (*scheme == Scheme::HTTP).then(|| Socket {
        host: host(authority).to_owned(),
        port: authority.port_u16().unwrap_or(80),
    })
}

/// The host of an authority; an IPv6 address without the brackets in which it stands.
fn host(authority: &Authority) -> &str {
    let host = authority.host();
    let address = host
        .strip_prefix('[')
        .and_then(|host| host.strip_suffix(']'));
    address.unwrap_or(host)
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

fn client(scheme: &Scheme, connect_timeout: Duration) -> Result<UpstreamClient, InvalidUpstream> {
    let connector = connector(scheme, connect_timeout)?;
    Ok(Client::builder(TokioExecutor::new())
        .pool_idle_timeout(IDLE_TIMEOUT)
        .pool_timer(TokioTimer::new())
        .build(connector))
}

/// What makes connections to an upstream, with or without TLS.
pub(crate) fn connector(
    scheme: &Scheme,
    connect_timeout: Duration,
) -> Result<HttpsConnector<HttpConnector>, InvalidUpstream> {
    let mut tcp = HttpConnector::new();
    tcp.set_connect_timeout(Some(connect_timeout));
    tcp.set_nodelay(true);
    tcp.enforce_http(false);
    let builder = HttpsConnectorBuilder::new();
    // Reading the system's certificates takes time that a plain upstream needn't spend.
    let builder = if *scheme == Scheme::HTTPS {
        builder
            .with_native_roots()
            .map_err(InvalidUpstream::Certificates)?
    } else {
        builder.with_tls_config(
            rustls::ClientConfig::builder()
                .with_root_certificates(rustls::RootCertStore::empty())
                .with_no_client_auth(),
        )
    };
    Ok(builder.https_or_http().enable_http1().wrap_connector(tcp))
}

/// The upstreams by path; the longest path that covers a request wins.
pub struct Upstreams(Vec<Arc<Upstream>>);

impl Upstreams {
    /// Sorts the upstreams.
    pub fn new(mut upstreams: Vec<Upstream>) -> Self {
        upstreams.sort_by_key(|upstream| std::cmp::Reverse(upstream.pattern.len()));
        Self(upstreams.into_iter().map(Arc::new).collect())
    }

    /// The place in the list of the upstream for a path.
    pub(crate) fn position(&self, path: &str) -> Option<usize> {
        self.0
            .iter()
            .position(|upstream| upstream.pattern.matches(path))
    }

    /// All of them, the longest path first.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Upstream>> {
        self.0.iter()
    }

    /// Closes connections that have waited too long for a request.
    pub(crate) fn sweep(&self) {
        for upstream in self.iter() {
            upstream.pool.sweep();
        }
    }

    pub(crate) fn at(&self, position: usize) -> &Upstream {
        &self.0[position]
    }
}

/// Their addresses, the longest path first.
impl fmt::Display for Upstreams {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, upstream) in self.0.iter().enumerate() {
            let gap = if index > 0 { ", " } else { "" };
            write!(f, "{gap}{upstream}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn upstream(path: &str, url: &str) -> Result<Upstream, InvalidUpstream> {
        let second = Duration::from_secs(1);
        Upstream::new(path, url, None, second, second)
    }

    #[test]
    fn a_path_in_the_url_goes_before_the_requests_own() {
        let target = PathAndQuery::from_static("/v1/models?limit=1");
        for (url, expected) in [
            (
                "http://127.0.0.1:11434",
                "http://127.0.0.1:11434/v1/models?limit=1",
            ),
            (
                "http://127.0.0.1:11434/",
                "http://127.0.0.1:11434/v1/models?limit=1",
            ),
            (
                "http://host/openai/",
                "http://host/openai/v1/models?limit=1",
            ),
            ("http://host/v1", "http://host/v1/models?limit=1"),
            (
                "http://host/openai/v1/",
                "http://host/openai/v1/models?limit=1",
            ),
        ] {
            let upstream = upstream("/v1", url).expect(url);
            assert_eq!(upstream.uri(&target).expect(url), expected);
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
