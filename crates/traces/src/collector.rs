use std::{sync::Arc, time::Duration};

use keygate_http::RequestLine;
use opentelemetry::trace::TracerProvider;
use opentelemetry_otlp::{ExporterBuildError, SpanExporter, WithExportConfig};
use opentelemetry_sdk::{
    Resource,
    error::OTelSdkResult,
    trace::{Sampler, SdkTracer, SdkTracerProvider, SpanData},
};
use parking_lot::Mutex;
use tokio::{task::spawn_blocking, time::Instant};

/// How long the collector may take for what it is sent.
const EXPORT_TIMEOUT: Duration = Duration::from_secs(3);
/// How long the program waits at its end for what is not yet sent.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(5);
/// How often the log is told that nothing arrives.
const WARN_EVERY: Duration = Duration::from_mins(1);

/// Where spans go. All that is made of it sends to the same collector.
#[derive(Clone)]
pub struct Traces {
    provider: SdkTracerProvider,
    pub(crate) tracer: SdkTracer,
    pub(crate) line: Arc<RequestLine>,
    pub(crate) believed: Believed,
}

/// Who may say which trace a request belongs to, and that it is kept. Whoever may can have the collector keep
/// all that it sends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Believed {
    /// Peers that are trusted in other things, too.
    TrustedPeers,
    /// Whoever sends a request.
    Anybody,
}

/// What is given is no place where a collector could be.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct InvalidEndpoint(ExporterBuildError);

impl Traces {
    /// Sends spans to the collector at `endpoint` (OTLP over gRPC), in batches, from a thread of its
    /// own. Whether a trace is kept is decided by whoever began it, if that is `believed`; of those that
    /// begin here a part is, from 0 to 1. What a path may say is `line`'s business.
    ///
    /// # Panics
    ///
    /// Outside a runtime of tokio.
    pub fn to(
        endpoint: &str,
        ratio: f64,
        believed: Believed,
        line: RequestLine,
    ) -> Result<Self, InvalidEndpoint> {
        let exporter = SpanExporter::builder()
            .with_tonic()
            .with_endpoint(endpoint)
            .with_timeout(EXPORT_TIMEOUT)
            .build()
            .map_err(InvalidEndpoint)?;
        let exporter = Quiet {
            exporter,
            warned: Mutex::default(),
        };
        let ratio = Sampler::TraceIdRatioBased(ratio);
        let provider = SdkTracerProvider::builder()
            .with_sampler(Sampler::ParentBased(Box::new(ratio)))
            .with_resource(Resource::builder().with_service_name("keygate").build())
            .with_batch_exporter(exporter)
            .build();
        Ok(Self {
            tracer: provider.tracer("keygate"),
            provider,
            line: Arc::new(line),
            believed,
        })
    }

    /// Sends what is not yet sent, as far as that is possible in a few seconds.
    pub async fn close(self) {
        let closed = spawn_blocking(move || self.provider.shutdown_with_timeout(CLOSE_TIMEOUT));
        if let Ok(Err(error)) = closed.await {
            tracing::warn!(%error, "the last traces may be lost");
        }
    }
}

/// Says in the log now and then that spans do not arrive. They are lost; requests go on.
#[derive(Debug)]
struct Quiet {
    exporter: SpanExporter,
    warned: Mutex<Option<Instant>>,
}

impl opentelemetry_sdk::trace::SpanExporter for Quiet {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        let sent = self.exporter.export(batch).await;
        if let Err(error) = &sent {
            let mut warned = self.warned.lock();
            if warned.is_none_or(|at| at.elapsed() >= WARN_EVERY) {
                *warned = Some(Instant::now());
                tracing::warn!(%error, "traces do not reach the collector, and are lost");
            }
        }
        sent
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.exporter.shutdown_with_timeout(timeout)
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.exporter.set_resource(resource);
    }
}
