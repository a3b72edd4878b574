use std::net::SocketAddr;

use tokio::net::TcpListener;

use crate::{config::Settings, failure::Failure};

/// The sockets on which the program is reached.
pub(super) struct Listeners {
    pub(super) http: TcpListener,
    pub(super) ext_authz: Option<TcpListener>,
}

impl Listeners {
    pub(super) async fn bind(settings: &Settings) -> Result<Self, Failure> {
        Ok(Self {
            http: listen(settings.listen, "--listen").await?,
            ext_authz: match settings.ext_authz_listen {
                Some(address) => Some(listen(address, "ext_authz.listen").await?),
                None => None,
            },
        })
    }
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
