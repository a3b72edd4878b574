use std::{sync::Arc, time::Duration};

use futures_util::FutureExt;
use keygate_control::{Control, Probers};
use keygate_core::{OsRandom, SystemClock, Token};
use keygate_storage::{Store, patiently};
use keygate_traces::Traces;
use keygate_verify::Verifier;
use keygate_web::WebState;
use tokio::{sync::oneshot, task::JoinHandle};

use super::{
    crowd::Crowd,
    descriptors,
    resources::{Addresses, Resources},
    services::Services,
    targets::targets,
};
use crate::{
    config::Settings,
    failure::Failure,
    noted::note_database,
    operator::{self, Place},
};

/// How often the last uses of keys are written down.
const FLUSH_EVERY: Duration = Duration::from_secs(1);

/// The program while it runs.
pub(crate) struct Running {
    pub(crate) control: Arc<Control>,
    /// Where it is reached: the public address, or the one it listens on.
    pub(crate) origin: String,
    pub(crate) addresses: Addresses,
    /// Whether the operator said where.
    pub(crate) metrics_are_asked_for: bool,
    store: Arc<dyn Store>,
    verifier: Arc<Verifier>,
    web: WebState,
    traces: Option<Traces>,
    probers: Probers,
    operator: operator::Listener,
    flushing: JoinHandle<()>,
    pruning: JoinHandle<()>,
    checking: JoinHandle<()>,
    stop: oneshot::Sender<()>,
    servers: Vec<JoinHandle<()>>,
    drain_delay: Duration,
}

impl Running {
    /// Starts everything. What can be refused is refused before anything is made.
    pub(crate) async fn start(mut settings: Settings) -> Result<Self, Failure> {
        descriptors::raise_limit();
        let shares = descriptors::shares();
        settings.upstreams.limit_connections(shares.upstreams);
        let resources = Resources::prepare(&mut settings).await?;
        let addresses = resources.addresses(settings.server.listen);
        let origin = settings.origin(addresses.http);
        let (store, control) = (resources.store.clone(), resources.control.clone());
        let place = Place {
            origin: origin.clone(),
            database: settings.database.clone(),
            addresses: addresses.all(),
        };
        let operator = operator::Listener::start(&settings.data, control.clone(), place)?;
        note_database(&settings.data, &settings.database)?;
        let verifier = Verifier::new(
            store.clone(),
            Arc::new(SystemClock),
            &OsRandom,
            settings.format.clone(),
            settings.hasher.clone(),
        )
        .subscribed_to(&*store);
        let targets = targets(&settings, addresses.http, &settings.upstreams);
        let checking = tokio::spawn(settings.upstreams.check_health());
        let metrics_are_asked_for = !settings.metrics.listen.is_default;
        let drain_delay = settings.server.drain_delay.0;
        let traces = resources.traces.clone();
        let services = Services::new(settings, &resources, &verifier, &origin);
        let web = services.web.clone();
        let (stop, stopped) = oneshot::channel();
        let stopped = stopped.map(drop).shared();
        let servers = services.serve(resources, &Crowd::new(shares.clients), &stopped);
        Ok(Self {
            servers,
            probers: Probers::start(control.clone(), targets),
            flushing: tokio::spawn(flush_regularly(verifier.clone(), store.clone())),
            pruning: tokio::spawn(prune_regularly(control.clone())),
            checking,
            control,
            origin,
            addresses,
            metrics_are_asked_for,
            store,
            verifier,
            web,
            traces,
            operator,
            stop,
            drain_delay,
        })
    }

    /// What opens the page for the first account, while there is none.
    pub(crate) async fn setup_token(&self) -> Result<Option<Token>, Failure> {
        let create = async || Ok::<_, Failure>(self.control.create_setup_link().await?);
        patiently("looking for the first account", Failure::may_pass, create).await
    }

    /// Whether there are accounts, and none of an admin.
    pub(crate) async fn lacks_admin(&self) -> Result<bool, Failure> {
        Ok(self.control.lacks_admin().await?)
    }

    /// Stops taking work, finishes what is under way, and writes down what is not yet written.
    pub(crate) async fn stop(self) {
        self.web.begin_draining();
        let drain = async {
            // Even a sleep of no time takes a millisecond, in which answers would promise to go on.
            if !self.drain_delay.is_zero() {
                tokio::time::sleep(self.drain_delay).await;
            }
            let _ = self.stop.send(());
            for server in self.servers {
                let _ = server.await;
            }
        };
        // The probers first, before it looks to them as if something had failed.
        tokio::join!(biased; self.probers.stop(), drain);
        self.operator.stop().await;
        self.checking.abort();
        self.pruning.abort();
        self.flushing.abort();
        self.verifier.usage().flush_or_log(&*self.store).await;
        self.store.close().await;
        if let Some(traces) = self.traces {
            traces.close().await;
        }
    }
}

async fn prune_regularly(control: Arc<Control>) {
    control.prune_regularly().await;
}

async fn flush_regularly(verifier: Arc<Verifier>, store: Arc<dyn Store>) {
    verifier.usage().flush_every(FLUSH_EVERY, &*store).await;
}
