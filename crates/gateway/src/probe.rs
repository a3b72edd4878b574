use std::{
    io,
    time::{Duration, SystemTime},
};

use bytes::Bytes;
use http::{HeaderValue, Method, Request, Response, StatusCode, header, uri::PathAndQuery};
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use tokio::time::timeout;

use crate::{
    Upstream, connection::Connection, connector::ConnectError, progress::Progress,
    request_body::RequestBody,
};

/// What keygate's own requests say they come from.
pub const USER_AGENT: HeaderValue =
    HeaderValue::from_static(concat!("keygate/", env!("CARGO_PKG_VERSION")));

/// How much is fetched at most.
const MAX_FETCHED: usize = 4 * 1024 * 1024;

/// How an upstream answers when it is asked once, as clients' requests would ask it.
#[derive(Debug)]
pub struct Probe {
    /// What was asked for.
    pub path: String,
    /// The status of the answer.
    pub status: StatusCode,
    /// The time by the upstream's clock, to the second, if it says.
    pub date: Option<SystemTime>,
}

/// Why an upstream gave no answer.
#[derive(Debug, thiserror::Error)]
pub enum ProbeError {
    /// Its name has no address.
    #[error("its name has no address: {0}")]
    Name(String),
    /// Nobody listens there.
    #[error("the connection was refused")]
    Refused,
    /// It took too long.
    #[error("it did not answer within {} seconds", .0.as_secs())]
    Silent(Duration),
    /// The certificate or something else about TLS is wrong.
    #[error("TLS failed: {0}")]
    Tls(rustls::Error),
    /// Something else went wrong.
    #[error("{0}")]
    Other(String),
}

impl Upstream {
    /// Asks the upstream something that changes nothing, with the configured credential. The whole of it
    /// may take `patience`.
    pub async fn probe(&self, patience: Duration) -> Result<Probe, ProbeError> {
        let probed = timeout(patience, self.ask()).await;
        probed.unwrap_or(Err(ProbeError::Silent(patience)))
    }

    async fn ask(&self) -> Result<Probe, ProbeError> {
        let target = format!("{}{}", self.base_path, self.probe_path);
        let target = PathAndQuery::try_from(target).map_err(other)?;
        self.ask_for(target, async |answer| {
            let date = answer.headers().get(header::DATE);
            let date = date.and_then(|date| httpdate::parse_http_date(date.to_str().ok()?).ok());
            Ok(Probe {
                path: self.probe_path.to_string(),
                status: answer.status(),
                date,
            })
        })
        .await
    }

    /// What the upstream has at a client's path and query, with the configured credential: the body of its answer, if that
    /// is a success.
    pub(crate) async fn fetch(&self, target: &PathAndQuery) -> Result<Bytes, ProbeError> {
        let target = self.target(target).map_err(other)?;
        self.ask_for(target, async |answer| {
            if !answer.status().is_success() {
                return Err(other(format!("it answered {}", answer.status())));
            }
            let body = Limited::new(answer.into_body(), MAX_FETCHED)
                .collect()
                .await;
            Ok(body.map_err(other)?.to_bytes())
        })
        .await
    }

    /// What `read` makes of the answer to a request of keygate's own. It has a connection of its own, with which ends
    /// whatever comes after that.
    async fn ask_for<T>(
        &self,
        target: PathAndQuery,
        read: impl AsyncFnOnce(Response<Incoming>) -> Result<T, ProbeError>,
    ) -> Result<T, ProbeError> {
        let request = self.own_request(target);
        let stream = self.connector.connect().await?;
        let connection = Connection::over(stream, self.address.version, self.write_timeout).await;
        let mut connection = connection.map_err(|error| why(&error))?;
        let answer = connection.send(request).await;
        read(answer.map_err(|failed| why(failed.error()))?).await
    }

    fn own_request(&self, target: PathAndQuery) -> Request<RequestBody> {
        let mut request = Request::new(RequestBody::none(Progress::begin()));
        *request.method_mut() = Method::GET;
        self.address.put_into(&mut request, target);
        let headers = request.headers_mut();
        headers.insert(header::USER_AGENT, USER_AGENT);
        if !self.address.is_http2() {
            headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
        if let Some(authorization) = &self.own_credential.authorization {
            headers.insert(header::AUTHORIZATION, authorization.clone());
        }
        request
    }
}

impl From<ConnectError> for ProbeError {
    fn from(error: ConnectError) -> Self {
        match error {
            ConnectError::Name(why) => Self::Name(why.to_string()),
            ConnectError::Tcp(error) | ConnectError::Tls(error) => why(&error),
            error @ (ConnectError::TimedOut | ConnectError::TooMany) => other(error),
        }
    }
}

fn other(error: impl std::fmt::Display) -> ProbeError {
    ProbeError::Other(error.to_string())
}

/// What is at the bottom of an error, as far as it has a name.
fn why(error: &(dyn std::error::Error + 'static)) -> ProbeError {
    if let Some(tls) = error.downcast_ref::<rustls::Error>() {
        return ProbeError::Tls(tls.clone());
    }
    let io = error.downcast_ref::<io::Error>();
    if io.is_some_and(|io| io.kind() == io::ErrorKind::ConnectionRefused) {
        return ProbeError::Refused;
    }
    // What an `io::Error` wraps is not its source.
    if let Some(inner) = io.and_then(io::Error::get_ref) {
        return why(inner);
    }
    error.source().map_or_else(|| other(error), why)
}
