use std::{net::SocketAddr, sync::Arc, time::Duration};

use futures_util::FutureExt;
use keygate_control::{Control, Probers};
use keygate_core::{OsRandom, SystemClock};
use keygate_gateway::{Authorizer, Express, ExtAuthz, ForwardAuth, Gateway};
use keygate_http::{RequestIds, RequestLine, Requests, TrustedProxies};
use keygate_storage::{HasherBinding, PrefixBinding, Store, patiently};
use keygate_traces::Traces;
use keygate_verify::Verifier;
use keygate_web::{Site, WebState, signup_link};
use prometheus_client::registry::Registry;
use tokio::{net::TcpListener, sync::oneshot, task::JoinHandle};

use super::{
    app::App,
    connections, create_data_folder,
    crowd::Crowd,
    descriptors,
    ext_authz::ExtAuthzServer,
    http_server::HttpServer,
    listeners::Listeners,
    metrics::{self, Metrics},
    targets::targets,
};
use crate::{
    config::{MetricsListen, Settings},
    failure::Failure,
    noted::note_database,
    operator::{self, Place},
    preflight::{self, Preflight, Viewer},
    store,
};

/// How often the last uses of keys are written down.
const FLUSH_EVERY: Duration = Duration::from_secs(1);

/// The program while it runs.
pub(crate) struct Running {
    pub(crate) control: Arc<Control>,
    /// Where it is reached: the public address, or the one it listens on.
    pub(crate) origin: String,
    pub(crate) address: SocketAddr,
    /// Where Envoy's questions are answered, if they are.
    pub(crate) ext_authz_address: Option<SocketAddr>,
    /// Where metrics are served, if they are.
    pub(crate) metrics_address: Option<SocketAddr>,
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
    stop: oneshot::Sender<()>,
    servers: Vec<JoinHandle<()>>,
    drain_delay: Duration,
}

/// What the server stands on.
struct Ground {
    http: TcpListener,
    listeners: Listeners,
    traces: Option<Traces>,
    store: Arc<dyn Store>,
    control: Arc<Control>,
    /// What tells this keygate from others on the same host.
    installation: String,
}

impl Ground {
    /// Opens the data. What can be refused is refused before anything is made.
    async fn prepare(settings: &mut Settings) -> Result<Self, Failure> {
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
        let open = async || Ok::<_, Failure>(store::open(&settings.database).await?);
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
}

impl Running {
    /// Starts everything. What can be refused is refused before anything is made.
    pub(crate) async fn start(mut settings: Settings) -> Result<Self, Failure> {
        descriptors::raise_limit();
        let shares = descriptors::shares();
        settings.upstreams.limit_connections(shares.upstreams);
        let Ground {
            http,
            listeners,
            traces,
            store,
            control,
            installation,
        } = Ground::prepare(&mut settings).await?;
        let request_line = RequestLine::without_keys(settings.format.prefix());
        let address = http.local_addr().unwrap_or(settings.listen);
        let ext_authz_address = address_of(listeners.ext_authz.as_ref());
        let metrics_address = address_of(listeners.metrics.as_ref());
        let requests = Requests::default();
        let origin = settings.origin(address);
        let addresses = [Some(address), ext_authz_address, metrics_address].into_iter();
        let place = Place {
            origin: origin.clone(),
            database: settings.database.clone(),
            addresses: addresses.flatten().collect(),
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
        let targets = targets(&settings, address, &settings.upstreams);
        let web = web(&settings, &control, &origin, &installation, &requests);
        let (stop, stopped) = oneshot::channel();
        let services = Services {
            authorizer: Arc::new(Authorizer::new(verifier.clone(), settings.routes)),
            request_ids: Arc::new(RequestIds::new(&OsRandom)),
            trusted_proxies: settings.trusted_proxies,
            traces: traces.clone(),
            requests,
            keep_alive: settings.keep_alive,
        };
        let requests = &services.requests;
        let authorizer = services.authorizer.clone();
        let express = Express {
            gateway: Gateway::new(authorizer.clone(), settings.upstreams, requests),
            forward_auth: ForwardAuth::new(authorizer.clone(), requests),
            authorizer,
            request_ids: services.request_ids.clone(),
            request_line,
            traces: traces.clone(),
            clock: Arc::new(SystemClock),
            keep_alive: settings.keep_alive,
        };
        let registry = listeners.metrics.is_some().then(|| {
            let mut registry = metrics::registry();
            requests.register(&mut registry);
            express.gateway.register_metrics(&mut registry);
            verifier.register_metrics(&mut registry);
            store.register_metrics(&mut registry);
            control.register_metrics(&mut registry);
            registry
        });
        let app = App {
            express,
            router: keygate_web::router(web.clone()),
            trusted_proxies: services.trusted_proxies.clone(),
            http: HttpServer::new(settings.keep_alive, services.request_ids.clone()),
        };
        let stopped = stopped.map(drop).shared();
        let crowd = Crowd::new(shares.clients);
        let servers = serve(http, listeners, app, services, registry, &crowd, stopped);
        Ok(Self {
            servers,
            probers: Probers::start(control.clone(), targets),
            flushing: tokio::spawn(flush_regularly(verifier.clone(), store.clone())),
            pruning: tokio::spawn(prune_regularly(control.clone())),
            control,
            origin,
            address,
            ext_authz_address,
            metrics_address,
            metrics_are_asked_for: matches!(settings.metrics_listen, MetricsListen::At(_)),
            store,
            verifier,
            web,
            traces,
            operator,
            stop,
            drain_delay: settings.drain_delay,
        })
    }

    /// The address of the page for the first account, while there is none.
    pub(crate) async fn setup_link(&self) -> Result<Option<String>, Failure> {
        let create = async || Ok::<_, Failure>(self.control.create_setup_link().await?);
        let token = patiently("looking for the first account", Failure::may_pass, create).await?;
        Ok(token.map(|token| signup_link(&self.origin, &token)))
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
        self.pruning.abort();
        self.flushing.abort();
        self.verifier.usage().flush_or_log(&*self.store).await;
        self.store.close().await;
        if let Some(traces) = self.traces {
            traces.close().await;
        }
    }
}

fn address_of(listener: Option<&TcpListener>) -> Option<SocketAddr> {
    listener.and_then(|listener| listener.local_addr().ok())
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

fn web(
    settings: &Settings,
    control: &Arc<Control>,
    origin: &str,
    installation: &str,
    requests: &Requests,
) -> WebState {
    let site = Site {
        origin: origin.to_owned(),
        is_configured: settings.public_url.is_some(),
    };
    let lifetime = settings.policy.session_absolute;
    WebState::new(
        control.clone(),
        site,
        installation,
        lifetime,
        requests.clone(),
    )
}

/// Binds a store to the way in which keys are made, or refuses one whose keys were made in another.
pub(crate) async fn bind_keys(control: &Control) -> Result<(), Failure> {
    refuse_other_keys(control.bind_hasher().await?, PrefixBinding::Bound)?;
    refuse_other_keys(HasherBinding::Bound, control.bind_prefix().await?)
}

/// Refuses keys that were hashed in another way, or begin differently: none of them would work.
pub(crate) fn refuse_other_keys(
    hasher: HasherBinding,
    prefix: PrefixBinding,
) -> Result<(), Failure> {
    if let HasherBinding::Mismatch(scheme) = hasher {
        return Err(Failure::new(format!(
            "The keys in the database were hashed in another way ({scheme}), so none of them would work. Set keys.pepper_file to what it was when they were issued."
        )));
    }
    if let PrefixBinding::Mismatch(prefix) = prefix {
        return Err(Failure::new(format!(
            "The keys in the database begin with {prefix}, so none of them would work. Set keys.prefix to {prefix}, which it was when they were issued."
        )));
    }
    Ok(())
}

/// What answers beside the listener of both planes is made of the same parts.
struct Services {
    authorizer: Arc<Authorizer>,
    request_ids: Arc<RequestIds>,
    trusted_proxies: TrustedProxies,
    traces: Option<Traces>,
    requests: Requests,
    keep_alive: Duration,
}

fn serve(
    http: TcpListener,
    listeners: Listeners,
    app: App,
    services: Services,
    registry: Option<Registry>,
    crowd: &Arc<Crowd>,
    stopped: impl Future<Output = ()> + Clone + Send + 'static,
) -> Vec<JoinHandle<()>> {
    let http = connections::serve(http, Arc::new(app), crowd.clone(), stopped.clone());
    let mut servers = vec![tokio::spawn(http)];
    let (keep_alive, request_ids) = (services.keep_alive, services.request_ids.clone());
    if let Some(listener) = listeners.ext_authz {
        let ext_authz = ExtAuthz::new(
            services.authorizer,
            services.request_ids,
            services.trusted_proxies,
            services.traces,
            &services.requests,
        );
        let handler = ExtAuthzServer {
            ext_authz: Arc::new(ext_authz),
            http: HttpServer::new(keep_alive, request_ids.clone()),
        };
        let served =
            connections::serve(listener, Arc::new(handler), crowd.clone(), stopped.clone());
        servers.push(tokio::spawn(served));
    }
    if let (Some(listener), Some(registry)) = (listeners.metrics, registry) {
        let handler = Metrics::new(registry, HttpServer::new(keep_alive, request_ids));
        let served = connections::serve(listener, Arc::new(handler), crowd.clone(), stopped);
        servers.push(tokio::spawn(served));
    }
    servers
}

async fn prune_regularly(control: Arc<Control>) {
    control.prune_regularly().await;
}

async fn flush_regularly(verifier: Arc<Verifier>, store: Arc<dyn Store>) {
    verifier.usage().flush_every(FLUSH_EVERY, &*store).await;
}
