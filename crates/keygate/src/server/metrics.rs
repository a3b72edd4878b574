//! What operators' tools read: `/metrics`, on a listener of its own.

use std::{net::SocketAddr, sync::Arc};

use axum::{Router, body::Body, extract::State, response::IntoResponse, routing::get};
use http::{HeaderMap, Request, header};
use keygate_http::ClientBody;
use prometheus_client::{
    encoding::{prometheus_text, text},
    metrics::info::Info,
    registry::Registry,
};
use tokio::sync::watch;
use tower::ServiceExt;

use super::{connections::Handler, http_server::HttpServer, timeout_stream::TimeoutStream};

const OPENMETRICS: &str = "application/openmetrics-text";

/// A registry with what is known of the program itself.
pub(super) fn registry() -> Registry {
    let mut registry = Registry::with_prefix("keygate");
    let build = Info::new([("version", env!("CARGO_PKG_VERSION"))]);
    registry.register("build", "The program that runs", build);
    registry
}

/// Answers operators' tools.
pub(super) struct Metrics {
    router: Router,
    http: HttpServer,
}

impl Metrics {
    /// Answers with what `registry` knows.
    pub(super) fn new(registry: Registry, http: HttpServer) -> Self {
        let router = Router::new()
            .route("/metrics", get(show))
            .with_state(Arc::new(registry));
        Self { router, http }
    }
}

impl Handler for Metrics {
    async fn serve(
        self: Arc<Self>,
        stream: TimeoutStream,
        _: SocketAddr,
        draining: watch::Receiver<()>,
    ) {
        let router = self.router.clone();
        let answer = move |request: Request<ClientBody>| {
            let answered = router.clone().oneshot(request.map(Body::new));
            async { answered.await.unwrap_or_else(|never| match never {}) }
        };
        self.http.serve(stream, answer, draining).await;
    }
}

async fn show(State(registry): State<Arc<Registry>>, headers: HeaderMap) -> impl IntoResponse {
    let mut shown = String::new();
    let (content_type, encoded) = if wants_openmetrics(&headers) {
        let content_type = "application/openmetrics-text; version=1.0.0; charset=utf-8";
        (content_type, text::encode(&mut shown, &registry))
    } else {
        let encoded = prometheus_text::encode(&mut shown, &registry);
        (prometheus_text::CONTENT_TYPE, encoded)
    };
    encoded.expect("memory is there");
    ([(header::CONTENT_TYPE, content_type)], shown)
}

/// Whoever can read OpenMetrics says so; others get what all can read.
fn wants_openmetrics(headers: &HeaderMap) -> bool {
    let accepted = headers.get_all(header::ACCEPT);
    let mut media_types = accepted
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','));
    media_types.any(|media_type| {
        let essence = media_type.split(';').next().unwrap_or_default();
        essence.trim().eq_ignore_ascii_case(OPENMETRICS)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn openmetrics_is_for_those_who_name_it() {
        for (accept, expected) in [
            ("application/openmetrics-text;version=1.0.0,*/*;q=0.1", true),
            ("text/plain;q=0.5, Application/OpenMetrics-Text", true),
            ("*/*", false),
            ("text/plain;version=0.0.4", false),
            ("application/openmetrics-textual", false),
        ] {
            let headers = HeaderMap::from_iter([(header::ACCEPT, accept.parse().expect("ASCII"))]);
            assert_eq!(wants_openmetrics(&headers), expected, "{accept}");
        }
        assert!(!wants_openmetrics(&HeaderMap::new()));
    }
}
