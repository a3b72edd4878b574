use std::net::SocketAddr;

use tokio::net::TcpListener;

use crate::{
    config::{MetricsListen, Settings},
    failure::Failure,
};

/// The sockets on which the program is reached.
pub(super) struct Listeners {
    pub(super) http: TcpListener,
    pub(super) ext_authz: Option<TcpListener>,
    pub(super) metrics: Option<TcpListener>,
}

impl Listeners {
    pub(super) async fn bind(settings: &Settings) -> Result<Self, Failure> {
        Ok(Self {
            http: listen(settings.listen, "--listen").await?,
            ext_authz: match settings.ext_authz_listen {
                Some(address) => Some(listen(address, "ext_authz.listen").await?),
                None => None,
            },
            metrics: match settings.metrics_listen {
                MetricsListen::Off => None,
                MetricsListen::At(address) => Some(listen(address, METRICS).await?),
                MetricsListen::Default(address) => listen_if_free(address).await,
            },
        })
    }
}

const METRICS: &str = "metrics.listen (--metrics-listen)";

/// Where nobody has asked for metrics, nothing fails without them: there may well be several keygates
/// on a machine.
async fn listen_if_free(address: SocketAddr) -> Option<TcpListener> {
    let listener = listen(address, METRICS).await;
    let warn = |failure: &Failure| {
        tracing::warn!("There are no metrics. {failure} Where none are wanted, set it to \"off\".");
    };
    listener.inspect_err(warn).ok()
}

async fn listen(address: SocketAddr, setting: &str) -> Result<TcpListener, Failure> {
    TcpListener::bind(address).await.map_err(|error| {
        let why = match error.kind() {
            std::io::ErrorKind::AddrInUse => "another program listens there".to_owned(),
            _ => error.to_string(),
        };
        Failure::new(format!(
            "Cannot listen on {address}: {why}. Choose another address with {setting}."
        ))
    })
}
