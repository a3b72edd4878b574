//! Connections to an upstream. Both lanes and the probes make them here, so that a probe says what a
//! request would meet.

mod names;
mod race;

use std::{io, sync::Arc, time::Duration};

use http::uri::{Authority, Scheme};
use hyper_rustls::ConfigBuilderExt;
use parking_lot::Mutex;
use rustix::net::sockopt::{set_socket_keepalive, set_tcp_keepidle};
use rustls::{ClientConfig, pki_types::ServerName};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
    sync::Semaphore,
    time::timeout,
};
use tokio_rustls::TlsConnector;

use crate::{
    address::{InvalidUpstream, default_port},
    pool::{Place, Pooled},
};
use names::Name;

/// The TCP keep-alive time of connections to upstreams.
const PROBE_AFTER: Duration = Duration::from_mins(1);

/// Makes connections to one upstream.
pub(crate) struct Connector {
    name: Name,
    /// How long all of it may take: the name, the connection and TLS.
    timeout: Duration,
    tls: Option<Tls>,
    /// Permits for connections to all upstreams together.
    pub(crate) places: Arc<Semaphore>,
    /// Which address was connected to last. It is tried first.
    preferred: Mutex<Option<std::net::SocketAddr>>,
}

struct Tls {
    connector: TlsConnector,
    name: ServerName<'static>,
}

/// Why connecting failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ConnectError {
    #[error("its name has no address: {0}")]
    Name(Arc<str>),
    #[error("it cannot be connected to: {0}")]
    Tcp(#[source] io::Error),
    #[error("TLS failed: {0}")]
    Tls(#[source] io::Error),
    #[error("connecting took too long")]
    TimedOut,
    #[error("there are as many connections to upstreams as the limit on open files allows")]
    TooMany,
}

impl ConnectError {
    /// Whether it is for the upstream alone, and another one may do better.
    pub(crate) fn is_upstreams(&self) -> bool {
        !matches!(self, Self::TooMany)
    }
}

/// A connection, whether or not it is encrypted.
pub(crate) trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

impl Connector {
    /// Connects to `authority`, within `timeout`.
    pub(crate) fn new(
        scheme: &Scheme,
        authority: &Authority,
        timeout: Duration,
    ) -> Result<Self, InvalidUpstream> {
        let is_encrypted = *scheme == Scheme::HTTPS;
        let host = host(authority);
        Ok(Self {
            name: Name::new(host, authority.port_u16().unwrap_or(default_port(scheme))),
            timeout,
            tls: is_encrypted.then(|| Tls::new(host)).transpose()?,
            places: Arc::new(Semaphore::new(Semaphore::MAX_PERMITS)),
            preferred: Mutex::new(None),
        })
    }

    pub(crate) fn is_encrypted(&self) -> bool {
        self.tls.is_some()
    }

    pub(crate) fn host(&self) -> &str {
        self.name.host()
    }

    pub(crate) fn port(&self) -> u16 {
        self.name.port()
    }

    /// A connection without encryption.
    pub(crate) async fn connect_plain(&self) -> Result<Pooled<TcpStream>, ConnectError> {
        let place = self.take_place()?;
        let connected = within(self.timeout, self.connect_tcp()).await?;
        Ok(Pooled::new(connected, place))
    }

    /// A connection with or without TLS, as the upstream's URL says.
    pub(crate) async fn connect(&self) -> Result<Box<dyn Stream>, ConnectError> {
        let connected = async {
            let tcp = self.connect_tcp().await?;
            let Some(tls) = &self.tls else {
                return Ok::<Box<dyn Stream>, _>(Box::new(tcp));
            };
            let encrypted = tls.connector.connect(tls.name.clone(), tcp).await;
            Ok(Box::new(encrypted.map_err(ConnectError::Tls)?))
        };
        within(self.timeout, connected).await
    }

    /// Takes a permit for a connection before it is made.
    pub(crate) fn take_place(&self) -> Result<Place, ConnectError> {
        let place = self.places.clone().try_acquire_owned();
        place.map_err(|_| ConnectError::TooMany)
    }

    async fn connect_tcp(&self) -> Result<TcpStream, ConnectError> {
        let addresses = self.name.addresses().await.map_err(ConnectError::Name)?;
        let preferred = *self.preferred.lock();
        let connected = race::connect(&addresses, preferred).await;
        let (stream, address) = connected.map_err(ConnectError::Tcp)?;
        if preferred != Some(address) {
            *self.preferred.lock() = Some(address);
        }
        stream.set_nodelay(true).map_err(ConnectError::Tcp)?;
        // An upstream that vanished without a word is found out where nothing else would tell.
        let _ = set_socket_keepalive(&stream, true);
        let _ = set_tcp_keepidle(&stream, PROBE_AFTER);
        Ok(stream)
    }
}

async fn within<T>(
    limit: Duration,
    connected: impl Future<Output = Result<T, ConnectError>>,
) -> Result<T, ConnectError> {
    let connected = timeout(limit, connected).await;
    connected.unwrap_or(Err(ConnectError::TimedOut))
}

impl Tls {
    /// With the system's certificates, which takes time to read.
    fn new(host: &str) -> Result<Self, InvalidUpstream> {
        let config = ClientConfig::builder()
            .with_native_roots()
            .map_err(InvalidUpstream::Certificates)?
            .with_no_client_auth();
        Ok(Self {
            connector: TlsConnector::from(Arc::new(config)),
            name: ServerName::try_from(host.to_owned()).map_err(|_| InvalidUpstream::Url)?,
        })
    }
}

/// The host of an authority; an IPv6 address without the brackets in which it stands.
fn host(authority: &Authority) -> &str {
    let host = authority.host();
    let address = host
        .strip_prefix('[')
        .and_then(|host| host.strip_suffix(']'));
    address.unwrap_or(host)
}
