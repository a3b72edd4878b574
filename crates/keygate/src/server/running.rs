use std::{net::SocketAddr, sync::Arc, time::Duration};

use futures_util::FutureExt;
use keygate_control::Control;
use keygate_core::{OsRandom, SystemClock, Token};
use keygate_gateway::Gateway;
use keygate_http::RequestIds;
use keygate_storage::{HasherBinding, Store};
use keygate_storage_sqlite::SqliteStore;
use keygate_verify::Verifier;
use keygate_web::{Site, WebState};
use tokio::{net::TcpListener, sync::oneshot, task::JoinHandle};

use super::{app::App, connections, create_data_folder};
use crate::{config::Settings, failure::Failure, operator};

/// How often the last uses of keys are written down.
const FLUSH_EVERY: Duration = Duration::from_secs(1);

/// The program while it runs.
pub(crate) struct Running {
    pub(crate) control: Arc<Control>,
    /// Where it is reached: the public address, or the one it listens on.
    pub(crate) origin: String,
    pub(crate) address: SocketAddr,
    store: Arc<dyn Store>,
    verifier: Arc<Verifier>,
    web: WebState,
    operator: operator::Listener,
    flushing: JoinHandle<()>,
    stop: oneshot::Sender<()>,
    connections: JoinHandle<()>,
}

impl Running {
    /// Starts everything. What can be refused is refused before anything is made.
    pub(crate) async fn start(settings: Settings) -> Result<Self, Failure> {
        operator::check_socket_path(&settings.data)?;
        // The port before the data folder, which is not made where the port is taken.
        let listener = listen(settings.listen).await?;
        let address = listener.local_addr().unwrap_or(settings.listen);
        create_data_folder(&settings.data)?;
        let store: Arc<dyn Store> = Arc::new(SqliteStore::open(&settings.database)?);
        let control = control(&settings, store.clone());
        bind_hasher(&control).await?;
        let origin = settings.origin(address);
        let operator = operator::Listener::start(&settings.data, control.clone(), origin.clone())?;

        let verifier = verifier(&settings, &store);
        let web = web(&settings, control.clone(), origin.clone());
        let app = app(settings, verifier.clone(), web.clone());
        let (stop, stopped) = oneshot::channel();
        let connections = connections::serve(listener, app, stopped.map(drop));
        Ok(Self {
            flushing: tokio::spawn(flush_regularly(verifier.clone(), store.clone())),
            connections: tokio::spawn(connections),
            control,
            origin,
            address,
            store,
            verifier,
            web,
            operator,
            stop,
        })
    }

    /// The address of the page for the first account, while there is none.
    pub(crate) async fn setup_link(&self) -> Result<Option<String>, Failure> {
        let token = self.control.create_setup_link().await?;
        Ok(token.map(|token| signup_link(&self.origin, &token)))
    }

    /// Stops taking work, finishes what is under way, and writes down what is not yet written.
    pub(crate) async fn stop(self) {
        self.web.begin_draining();
        let _ = self.stop.send(());
        let _ = self.connections.await;
        self.operator.stop().await;
        self.flushing.abort();
        flush(&self.verifier, &*self.store).await;
        self.store.close().await;
    }
}

/// The use cases over a store.
pub(crate) fn control(settings: &Settings, store: Arc<dyn Store>) -> Arc<Control> {
    Arc::new(Control::new(
        store,
        Arc::new(SystemClock),
        Arc::new(OsRandom),
        settings.format.clone(),
        settings.hasher.clone(),
        settings.policy.clone(),
    ))
}

/// The engine of the data plane, which hears of each change to the store.
fn verifier(settings: &Settings, store: &Arc<dyn Store>) -> Arc<Verifier> {
    let verifier = Arc::new(Verifier::new(
        store.clone(),
        Arc::new(SystemClock),
        settings.format.clone(),
        settings.hasher.clone(),
    ));
    store.subscribe(verifier.clone());
    verifier
}

fn web(settings: &Settings, control: Arc<Control>, origin: String) -> WebState {
    let site = Site {
        origin,
        is_configured: settings.public_url.is_some(),
    };
    WebState::new(control, site, settings.policy.session_absolute)
}

fn app(settings: Settings, verifier: Arc<Verifier>, web: WebState) -> Arc<App> {
    Arc::new(App {
        gateway: Gateway::new(verifier, settings.routes, settings.upstreams),
        router: keygate_web::router(web),
        request_ids: RequestIds::new(&OsRandom),
        trusted_proxies: settings.trusted_proxies,
        key_prefix: settings.format.prefix().to_owned(),
    })
}

/// Refuses a store whose keys were hashed in another way: none of them would work.
pub(crate) async fn bind_hasher(control: &Control) -> Result<(), Failure> {
    match control.bind_hasher().await? {
        HasherBinding::Bound => Ok(()),
        HasherBinding::Mismatch(scheme) => Err(Failure::new(format!(
            "The keys in the database were hashed in another way ({scheme}), so none of them would work. Set keys.pepper_file to what it was when they were issued."
        ))),
    }
}

/// Where a set-up link or an invitation leads.
pub(crate) fn signup_link(origin: &str, token: &Token) -> String {
    format!("{origin}/signup?token={}", token.expose())
}

async fn listen(address: SocketAddr) -> Result<TcpListener, Failure> {
    TcpListener::bind(address).await.map_err(|error| {
        let why = match error.kind() {
            std::io::ErrorKind::AddrInUse => "another program listens there".to_owned(),
            _ => error.to_string(),
        };
        Failure::new(format!(
            "Cannot listen on {address}: {why}. Choose another address with --listen."
        ))
    })
}

async fn flush_regularly(verifier: Arc<Verifier>, store: Arc<dyn Store>) {
    let mut ticks = tokio::time::interval(FLUSH_EVERY);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        flush(&verifier, &*store).await;
    }
}

async fn flush(verifier: &Verifier, store: &dyn Store) {
    if let Err(error) = verifier.usage().flush(store).await {
        tracing::warn!(%error, "the last uses of keys are not written yet");
    }
}
