//! The resources of the server: its listeners and its data.

use std::{net::SocketAddr, sync::Arc};

use keygate_control::Control;
use keygate_storage::{Store, patiently};
use keygate_traces::Traces;
use tokio::net::TcpListener;

use super::{data_folder::create_data_folder, listeners::Listeners};
use crate::{
    config::Settings,
    failure::Failure,
    preflight::{self, Preflight, Viewer},
    store::{self, Opener},
    use_cases::{bind_keys, control},
};

/// The resources that are opened before any request is served.
pub(super) struct Resources {
    pub(super) http: TcpListener,
    /// The other listeners.
    pub(super) listeners: Listeners,
    pub(super) traces: Option<Traces>,
    pub(super) store: Arc<dyn Store>,
    pub(super) control: Arc<Control>,
    /// What tells this keygate from others on the same host.
    pub(super) installation: String,
}

/// Where the program is reached.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Addresses {
    pub(crate) http: SocketAddr,
    /// Where the data plane has a listener of its own, if it has.
    pub(crate) gateway: Option<SocketAddr>,
    /// Where Envoy's questions are answered, if they are.
    pub(crate) ext_authz: Option<SocketAddr>,
    /// Where metrics are served, if they are.
    pub(crate) metrics: Option<SocketAddr>,
}

impl Addresses {
    pub(super) fn all(self) -> Vec<SocketAddr> {
        let all = [Some(self.http), self.gateway, self.ext_authz, self.metrics];
        all.into_iter().flatten().collect()
    }
}

impl Resources {
    /// Opens the data. What can be refused is refused before anything is made.
    pub(super) async fn prepare(settings: &mut Settings) -> Result<Self, Failure> {
        let preflight = preflight::look(settings, Viewer::Server).await;
        preflight.refuse()?;
        preflight.log_warnings();
        let Preflight {
            mut listeners,
            traces,
            ..
        } = preflight;
        let http = listeners.http.take();
        create_data_folder(&settings.data)?;
        // The database was there a moment ago, so what fails now may pass.
        let open =
            async || Ok::<_, Failure>(store::open(&settings.database, Opener::Server).await?);
        let store = patiently("opening the database", Failure::may_pass, open).await?;
        let control = control(settings, store.clone());
        let bind = async || bind_keys(&control).await;
        patiently("comparing how keys are made", Failure::may_pass, bind).await?;
        let name = async || Ok::<_, Failure>(control.name_installation().await?);
        let installation = patiently("naming the database", Failure::may_pass, name).await?;
        let note = async || Ok::<_, Failure>(control.note_limits().await?);
        patiently("noting the limits on keys", Failure::may_pass, note).await?;
        Ok(Self {
            http: http.expect("what is not bound was refused"),
            listeners,
            traces,
            store,
            control,
            installation,
        })
    }

    /// Where it is reached; `configured` is the address for which the system was asked.
    pub(super) fn addresses(&self, configured: SocketAddr) -> Addresses {
        let of = |listener: &TcpListener| listener.local_addr().ok();
        Addresses {
            http: of(&self.http).unwrap_or(configured),
            gateway: self.listeners.gateway.as_ref().and_then(of),
            ext_authz: self.listeners.ext_authz.as_ref().and_then(of),
            metrics: self.listeners.metrics.as_ref().and_then(of),
        }
    }
}
