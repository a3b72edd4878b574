//! What operators' tools read: `/metrics`, on a listener of its own.

use std::{sync::Arc, time::Duration};

use axum::{Router, extract::State, response::IntoResponse, routing::get};
use http::{HeaderMap, header};
use hyper_util::{rt::TokioIo, server::graceful::GracefulShutdown, service::TowerToHyperService};
use prometheus_client::{
    encoding::{prometheus_text, text},
    metrics::info::Info,
    registry::Registry,
};
use tokio::net::TcpListener;

use super::{
    connections::{ACCEPT_PAUSE, connection_builder},
    patience::Patience,
};

const OPENMETRICS: &str = "application/openmetrics-text";

/// How long an answer that is under way may take once the program is to stop.
const LAST_CALL: Duration = Duration::from_secs(1);

/// A registry with what is known of the program itself.
pub(super) fn registry() -> Registry {
    let mut registry = Registry::with_prefix("keygate");
    let build = Info::new([("version", env!("CARGO_PKG_VERSION"))]);
    registry.register("build", "The program that runs", build);
    registry
}

/// Answers until `stop`, then finishes what is under way.
pub(super) async fn serve(
    listener: TcpListener,
    registry: Registry,
    stop: impl Future<Output = ()>,
) {
    let router = Router::new()
        .route("/metrics", get(show))
        .with_state(Arc::new(registry));
    let service = TowerToHyperService::new(router);
    let server = connection_builder();
    let connections = GracefulShutdown::new();
    let mut stop = std::pin::pin!(stop);
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => {
                    let stream = TokioIo::new(Patience::with(stream));
                    let connection = server.serve_connection(stream, service.clone());
                    tokio::spawn(connections.watch(connection.into_owned()));
                }
                Err(error) => {
                    tracing::warn!(%error, "a connection could not be accepted");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            },
            () = &mut stop => break,
        }
    }
    drop(listener);
    let _ = tokio::time::timeout(LAST_CALL, connections.shutdown()).await;
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
