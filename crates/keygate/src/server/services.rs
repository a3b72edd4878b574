//! The services behind the listeners: both planes, the data plane alone, `ext_authz` and metrics.

use std::{sync::Arc, time::Duration};

use keygate_core::{OsRandom, SystemClock};
use keygate_gateway::{Authorizer, Cors, Express, ExtAuthz, ForwardAuth, Gateway, Paths};
use keygate_http::{RequestIds, RequestLine, Requests, TrustedProxies};
use keygate_traces::Traces;
use keygate_verify::Verifier;
use keygate_web::{Site, WebState};
use prometheus_client::registry::Registry;
use tokio::{net::TcpListener, task::JoinHandle};

use super::{
    app::{App, Entrance},
    connections::{self, Handler},
    crowd::Crowd,
    ext_authz::ExtAuthzServer,
    http_server::HttpServer,
    metrics::{self, Metrics},
    resources::Resources,
};
use crate::config::{SERVER_PATHS, Settings};

/// The parts from which the handlers of connections are built.
pub(super) struct Services {
    pub(super) web: WebState,
    express: Express,
    authorizer: Arc<Authorizer>,
    request_ids: Arc<RequestIds>,
    trusted_proxies: TrustedProxies,
    traces: Option<Traces>,
    requests: Requests,
    keep_alive: Duration,
    /// The metrics, if they are served.
    registry: Option<Registry>,
}

impl Services {
    pub(super) fn new(
        settings: Settings,
        resources: &Resources,
        verifier: &Arc<Verifier>,
        origin: &str,
    ) -> Self {
        let requests = Requests::default();
        let web = web(&settings, resources, origin, &requests);
        let authorizer = Arc::new(Authorizer::new(verifier.clone(), settings.routes));
        let request_ids = Arc::new(RequestIds::new(&OsRandom));
        let express = Express {
            gateway: Gateway::new(
                authorizer.clone(),
                settings.upstreams,
                Cors::new(settings.cors.origins),
                Arc::new(OsRandom),
                &requests,
            ),
            forward_auth: ForwardAuth::new(authorizer.clone(), &requests),
            authorizer: authorizer.clone(),
            request_ids: request_ids.clone(),
            request_line: RequestLine::without_keys(settings.format.prefix()),
            traces: resources.traces.clone(),
            clock: Arc::new(SystemClock),
            keep_alive: settings.server.keep_alive,
        };
        let registry = resources.listeners.metrics.is_some().then(|| {
            let mut registry = metrics::registry();
            requests.register(&mut registry);
            express.gateway.register_metrics(&mut registry);
            verifier.register_metrics(&mut registry);
            resources.store.register_metrics(&mut registry);
            resources.control.register_metrics(&mut registry);
            registry
        });
        Self {
            web,
            express,
            authorizer,
            request_ids,
            trusted_proxies: TrustedProxies::new(settings.server.trusted_proxies),
            traces: resources.traces.clone(),
            requests,
            keep_alive: settings.server.keep_alive,
            registry,
        }
    }

    /// Serves the connections of all listeners until `stopped`, each in a task.
    pub(super) fn serve(
        self,
        resources: Resources,
        crowd: &Arc<Crowd>,
        stopped: &(impl Future<Output = ()> + Clone + Send + 'static),
    ) -> Vec<JoinHandle<()>> {
        let http = || HttpServer::new(self.keep_alive, self.request_ids.clone());
        let ext_authz = resources.listeners.ext_authz.map(|listener| {
            let ext_authz = ExtAuthz::new(
                self.authorizer.clone(),
                self.request_ids.clone(),
                self.trusted_proxies.clone(),
                self.traces.clone(),
                &self.requests,
            );
            let handler = ExtAuthzServer {
                ext_authz: Arc::new(ext_authz),
                http: http(),
            };
            serve(listener, handler, crowd, stopped)
        });
        let metrics = resources.listeners.metrics.zip(self.registry);
        let metrics = metrics.map(|(listener, registry)| {
            serve(listener, Metrics::new(registry, http()), crowd, stopped)
        });
        let app = Arc::new(App {
            http: http(),
            express: self.express,
            router: keygate_web::router(self.web),
            trusted_proxies: self.trusted_proxies,
        });
        let enter = |listener, paths| {
            let app = app.clone();
            serve(listener, Entrance { app, paths }, crowd, stopped)
        };
        let gateway = resources.listeners.gateway;
        let gateway = gateway.map(|listener| enter(listener, Paths::All));
        let http = enter(resources.http, SERVER_PATHS);
        [Some(http), gateway, ext_authz, metrics]
            .into_iter()
            .flatten()
            .collect()
    }
}

fn serve(
    listener: TcpListener,
    handler: impl Handler,
    crowd: &Arc<Crowd>,
    stopped: &(impl Future<Output = ()> + Clone + Send + 'static),
) -> JoinHandle<()> {
    let served = connections::serve(listener, Arc::new(handler), crowd.clone(), stopped.clone());
    tokio::spawn(served)
}

fn web(settings: &Settings, resources: &Resources, origin: &str, requests: &Requests) -> WebState {
    let site = Site {
        origin: origin.to_owned(),
        is_configured: settings.server.public_url.is_some(),
        brand: Arc::new(settings.brand.clone()),
    };
    WebState::new(
        resources.control.clone(),
        site,
        &resources.installation,
        settings.policy.session_absolute,
        requests.clone(),
    )
}
