//! What is probed: this program through its own listener, as clients reach it, and the upstreams.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use async_trait::async_trait;
use bytes::Bytes;
use http::{Request, Response, StatusCode, header};
use http_body_util::Empty;
use hyper::body::Incoming;
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use keygate_control::{Component, ProbeFault, Target};
use keygate_core::{ComponentId, OsRandom, Token, key::KeyFormat};
use keygate_gateway::{ProbeError, USER_AGENT, Upstream, Upstreams, X_KEYGATE_STALE};

use crate::config::{Settings, reachable};

/// Each component that is to be probed, with what it is probed by. The database is not among them.
pub(super) fn targets(
    settings: &Settings,
    address: SocketAddr,
    upstreams: &Upstreams,
) -> Vec<(Component, Arc<dyn Target>)> {
    let status = &settings.policy.status;
    let own = reachable(address);
    let target = |id: &ComponentId| -> Option<Arc<dyn Target>> {
        if *id == ComponentId::management_api() {
            return Some(Arc::new(ManagementApi(own)));
        }
        if *id == ComponentId::data_plane() {
            let format = settings.format.clone();
            return Some(Arc::new(DataPlane { own, format }));
        }
        let mut upstreams = upstreams.iter();
        let found = upstreams.find(|to| *id == ComponentId::upstream(to.label()))?;
        Some(Arc::new(Behind {
            upstream: found.clone(),
            timeout: status.timeout,
        }))
    };
    let components = status.components.iter();
    components
        .filter_map(|component| Some((component.clone(), target(&component.id)?)))
        .collect()
}

/// Asks for a session that does not exist, which takes a look into the database.
struct ManagementApi(SocketAddr);

#[async_trait]
impl Target for ManagementApi {
    async fn probe(&self) -> Result<(), ProbeFault> {
        let token = Token::generate(&OsRandom);
        let token = token.expose();
        // The cookie's name depends on the public address.
        let cookies = format!("keygate_session={token}; __Host-keygate_session={token}");
        let answer = get(self.0, "/api/session", header::COOKIE, &cookies).await?;
        match answer.status() {
            StatusCode::UNAUTHORIZED => Ok(()),
            status => Err(ProbeFault::Status(status.as_u16())),
        }
    }
}

/// Tries a key that was never issued. It is refused, or, where what is in memory has to do, not known.
struct DataPlane {
    own: SocketAddr,
    format: KeyFormat,
}

#[async_trait]
impl Target for DataPlane {
    async fn probe(&self) -> Result<(), ProbeFault> {
        let key = self.format.generate(&OsRandom);
        let bearer = format!("Bearer {}", key.expose());
        let answer = get(self.own, "/v1/models", header::AUTHORIZATION, &bearer).await?;
        let decides = [StatusCode::UNAUTHORIZED, StatusCode::TOO_MANY_REQUESTS];
        if decides.contains(&answer.status()) || answer.headers().contains_key(X_KEYGATE_STALE) {
            return Ok(());
        }
        Err(ProbeFault::Status(answer.status().as_u16()))
    }
}

struct Behind {
    upstream: Arc<Upstream>,
    timeout: Duration,
}

#[async_trait]
impl Target for Behind {
    async fn probe(&self) -> Result<(), ProbeFault> {
        // What clients met since the last probe: probes may ask for what needs no credential.
        let was_refused = self.upstream.take_refused_credential();
        let answer = self.upstream.probe(self.timeout).await;
        let status = answer
            .map_err(|error| fault(&self.upstream, &error))?
            .status;
        if was_refused || self.upstream.refuses_credential(status) {
            return Err(ProbeFault::RefusedCredential);
        }
        if status.is_server_error() {
            return Err(ProbeFault::Status(status.as_u16()));
        }
        Ok(())
    }
}

/// What may be said in public; the rest is in the log.
fn fault(upstream: &Upstream, error: &ProbeError) -> ProbeFault {
    tracing::debug!(%upstream, %error, "the probe of an upstream failed");
    match error {
        ProbeError::Silent(_) => ProbeFault::TimedOut,
        _ => ProbeFault::Unreachable,
    }
}

/// Over a new connection, as clients come.
async fn get(
    own: SocketAddr,
    path: &str,
    name: header::HeaderName,
    value: &str,
) -> Result<Response<Incoming>, ProbeFault> {
    let request = Request::get(format!("http://{own}{path}"))
        .header(header::USER_AGENT, USER_AGENT)
        .header(name, value)
        .body(Empty::<Bytes>::new());
    let request = request.map_err(|_| ProbeFault::Failed)?;
    let client = Client::builder(TokioExecutor::new()).build(HttpConnector::new());
    let answer = client.request(request).await;
    answer.map_err(|error| {
        tracing::debug!(%error, path, "a probe had no answer");
        ProbeFault::Unreachable
    })
}
