use std::{fmt, sync::Arc, time::Duration};

use http::{
    HeaderName, HeaderValue, StatusCode,
    uri::{InvalidUri, PathAndQuery},
};
use keygate_traces::RequestSpan;
use tokio::net::TcpStream;

use crate::{
    address::{Address, InvalidUpstream},
    connection::Connection,
    connector::Connector,
    is_data_plane,
    load::Load,
    models::Models,
    own_credential::{OwnCredential, Verdict},
    path::Pattern,
    pool::{Pool, PoolTimeouts},
    progress::Patience,
};

/// An HTTP API behind the data plane.
pub struct Upstream {
    pattern: Pattern,
    /// What goes before the path of each request.
    pub(crate) base_path: String,
    /// How much of the path by which a request came does not go on.
    stripped: usize,
    pub(crate) address: Address,
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
    /// Whether it is asked whether it works, so as not to be chosen while it does not.
    checks_health: bool,
    /// The models that it is for, if not all.
    models: Option<Models>,
    /// What it is called to others, where there are several for its path.
    label: Option<HeaderValue>,
    pub(crate) load: Load,
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
    /// The upstream at `url` for the requests to `path` and below it. A path in the URL goes before the request's
    /// own. If that begins with `/v1`, a `/v1` at the URL's end is that one, and is not sent twice. `credential` is
    /// sent as `Authorization: Bearer`.
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
            .filter(|_| !path.contains('*'))
            .ok_or(InvalidUpstream::Path)?;
        let address = Address::parse(url)?;
        let above_v1 = address.path.strip_suffix("/v1");
        let above_v1 = above_v1.filter(|_| is_data_plane(path));
        Ok(Self {
            pattern,
            base_path: above_v1.unwrap_or(&address.path).to_owned(),
            stripped: 0,
            connector: Connector::new(&address.scheme, &address.authority, timeouts.connect)?,
            connections: Arc::new(Pool::new(keeping)),
            sockets: Pool::new(keeping),
            address,
            own_credential: OwnCredential::new(credential.map(bearer).transpose()?),
            response_timeout: timeouts.response,
            write_timeout: timeouts.write,
            probe_path: default_probe_path(path)?,
            checks_health: true,
            models: None,
            label: None,
            load: Load::default(),
        })
    }

    /// Sends it requests without the path by which they came to it: only what is below that, after the path of the
    /// URL, all of it.
    #[must_use]
    pub fn with_path_stripped(mut self) -> Self {
        self.base_path = self.address.path.clone();
        self.stripped = self.path_length();
        self.probe_path = PathAndQuery::from_static("/");
        self
    }

    /// Has probes ask for this path, with whatever goes before the path of a request.
    pub fn with_probe_path(mut self, path: &str) -> Result<Self, InvalidUpstream> {
        let parsed = path.parse().ok().filter(|_| path.starts_with('/'));
        self.probe_path = parsed.ok_or(InvalidUpstream::ProbePath)?;
        Ok(self)
    }

    /// Does not have it asked whether it works.
    #[must_use]
    pub fn without_health_checks(mut self) -> Self {
        self.checks_health = false;
        self
    }

    /// Sends it only requests for these models, if there are other upstreams of its path.
    #[must_use]
    pub fn for_models(mut self, models: Models) -> Self {
        self.models = Some(models);
        self
    }

    pub(crate) fn models(&self) -> Option<&Models> {
        self.models.as_ref()
    }

    /// Calls it this where somebody may want to know which of several it is.
    pub fn with_label(mut self, label: &str) -> Result<Self, InvalidUpstream> {
        self.label = Some(HeaderValue::from_str(label).map_err(|_| InvalidUpstream::Path)?);
        Ok(self)
    }

    /// What it is called where its address is not told: by its path, and its number if there are several.
    pub fn label(&self) -> &str {
        let label = self.label.as_ref();
        label.map_or(self.path(), |label| label.to_str().unwrap_or_default())
    }

    /// The same, if there are several for its path.
    pub(crate) fn own_label(&self) -> Option<&HeaderValue> {
        self.label.as_ref()
    }

    /// Asks whether it works.
    pub(crate) async fn check_health(&self) {
        if self.checks_health {
            let probed = self.probe(HEALTH_PATIENCE).await;
            let is_well = probed.is_ok_and(|probe| !probe.status.is_server_error());
            self.load.note_health(is_well);
        }
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

    /// Whether it is asked over HTTP/1.1 and without TLS, which is all that the express lane speaks.
    pub(crate) fn is_plain(&self) -> bool {
        !self.connector.is_encrypted() && !self.address.is_http2()
    }

    /// The path under which its requests are, like `/v1`; `/` if all are.
    pub fn path(&self) -> &str {
        match self.pattern.prefix() {
            "" => "/",
            path => path,
        }
    }

    pub(crate) fn matches(&self, path: &str) -> bool {
        self.pattern.matches(path)
    }

    pub(crate) fn path_length(&self) -> usize {
        self.pattern.prefix().len()
    }

    /// The target of what it is sent, in parts, for the path and query by which a request came to it.
    pub(crate) fn target_parts<'a>(&'a self, target: &'a str) -> [&'a str; 3] {
        let rest = &target[self.stripped..];
        let slash = if rest.starts_with('/') { "" } else { "/" };
        [&self.base_path, slash, rest]
    }

    /// The same as one.
    pub(crate) fn target(&self, target: &PathAndQuery) -> Result<PathAndQuery, InvalidUri> {
        if self.base_path.is_empty() && self.stripped == 0 {
            return Ok(target.clone());
        }
        PathAndQuery::try_from(self.target_parts(target.as_str()).concat())
    }

    /// A `Location` as the client can follow it: one that leads to this upstream, which the client may not even
    /// reach, leads to where it came from. `None` is one that leads elsewhere, or does not change.
    pub(crate) fn own_location(&self, location: &[u8]) -> Option<String> {
        let location = std::str::from_utf8(location).ok()?;
        let path = self.address.own_path(location)?;
        let below = path.strip_prefix(self.base_path.as_str());
        let below = below.filter(|rest| rest.is_empty() || rest.starts_with(['/', '?', '#']));
        let (stripped, path) = match below {
            Some(below) => (&self.pattern.prefix()[..self.stripped], below),
            None => ("", path),
        };
        let slash = match path {
            // By itself it would name a host (RFC 3986 section 4.2).
            path if path.starts_with("//") && stripped.is_empty() => "/.",
            path if path.starts_with('/') => "",
            _ => "/",
        };
        let own = format!("{stripped}{slash}{path}");
        (own != location).then_some(own)
    }

    pub(crate) fn patience(&self) -> Patience {
        // One that speaks HTTP/2 may read from its connection, and leave a body where it is.
        let leaves_bodies = self.address.is_http2();
        Patience {
            response: self.response_timeout,
            write: leaves_bodies.then_some(self.write_timeout),
        }
    }

    /// Begins the span of what this upstream is asked, and writes the headers that tell it.
    pub(crate) fn begin_span(&self, span: &RequestSpan, header: impl FnMut(&HeaderName, &[u8])) {
        let to = (self.connector.host(), self.connector.port());
        span.ask_upstream(&self.to_string(), to, header);
    }
}

/// How long an upstream may take to say that it works.
const HEALTH_PATIENCE: Duration = Duration::from_secs(5);

impl fmt::Display for Upstream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.address.fmt(f)
    }
}

/// What every API in the shape of `OpenAI`'s has, or where the upstream begins.
fn default_probe_path(path: &str) -> Result<PathAndQuery, InvalidUpstream> {
    let path = match path {
        "" => "/",
        "/v1" => "/v1/models",
        path => path,
    };
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
    fn upstreams_are_sent_the_paths_that_they_know() {
        let stripping = |path, url| upstream(path, url).map(Upstream::with_path_stripped);
        for (upstream, target, expected) in [
            (upstream("/api", "http://host"), "/api/tags", "/api/tags"),
            (
                upstream("/tokenize", "http://host/v1"),
                "/tokenize",
                "/v1/tokenize",
            ),
            (upstream("/", "http://host/x"), "/?a", "/x/?a"),
            (
                stripping("/ollama", "http://host"),
                "/ollama/api/tags?a",
                "/api/tags?a",
            ),
            (stripping("/ollama", "http://host"), "/Ollama", "/"),
            (stripping("/ollama", "http://host/"), "/ollama?a", "/?a"),
            (
                stripping("/groq", "http://host/v1"),
                "/groq/models",
                "/v1/models",
            ),
            (
                stripping("/v1", "http://host/api"),
                "/v1/models",
                "/api/models",
            ),
            (
                stripping("/v1", "http://host/v1"),
                "/v1/models",
                "/v1/models",
            ),
        ] {
            let target = PathAndQuery::from_static(target);
            let sent = upstream.expect("valid").target(&target).expect("a target");
            assert_eq!(sent, expected, "{target}");
        }
    }

    #[test]
    fn what_leads_to_where_an_upstream_has_it_leads_to_where_it_is_here() {
        for (path, url, location, expected) in [
            (
                "/ollama",
                "http://host",
                "/api/x?a#b",
                Some("/ollama/api/x?a#b"),
            ),
            ("/ollama", "http://host", "http://host", Some("/ollama/")),
            (
                "/ollama",
                "http://host",
                "http://host//x",
                Some("/ollama//x"),
            ),
            ("/ollama", "http://host", "x", None),
            ("/ollama", "http://host", "http://other/x", None),
            ("/groq", "http://host/v1", "/v1/x", Some("/groq/x")),
            ("/groq", "http://host/v1", "/v2/x", None),
            ("/groq", "http://host/v1", "http://host/v2/x", Some("/v2/x")),
        ] {
            let upstream = upstream(path, url).expect(url).with_path_stripped();
            let own = upstream.own_location(location.as_bytes());
            assert_eq!(own.as_deref(), expected, "{path} {url} {location}");
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
            ("http://host/openai", "/openai/v1/x", Some("/v1/x")),
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
    fn what_cannot_be_an_upstream_is_refused() {
        for url in [
            "",
            "127.0.0.1:80",
            "/v1",
            "ftp://host",
            "http://a@host",
            "http://h/?q",
            "http://h:99999",
            "http://h/#f",
        ] {
            assert!(
                matches!(upstream("/v1", url), Err(InvalidUpstream::Url)),
                "{url}"
            );
        }
        for path in ["v1", "/v1/*", "/a/../b", "/a?b"] {
            let refused = upstream(path, "http://host");
            assert!(matches!(refused, Err(InvalidUpstream::Path)), "{path}");
        }
        for credential in ["", "a b", "a\nb", "ü"] {
            assert!(bearer(credential).is_err(), "{credential:?}");
        }
    }
}
