use std::sync::OnceLock;

use prometheus_client::{metrics::gauge::Gauge, registry::Registry};

/// How many requests that were let through are still being answered, once it is registered.
#[derive(Default)]
pub(crate) struct OpenStreams(OnceLock<Gauge>);

impl OpenStreams {
    pub(crate) fn register(&self, registry: &mut Registry) {
        let help = "Requests that were passed on to an upstream and whose answer is not over";
        let gauge = self.0.get_or_init(Gauge::default);
        registry.register("open_streams", help, gauge.clone());
    }

    /// Counts one for as long as what this gives is kept.
    pub(crate) fn open(&self) -> OpenStream {
        let gauge = self.0.get().cloned();
        if let Some(gauge) = &gauge {
            gauge.inc();
        }
        OpenStream(gauge)
    }
}

/// An answer that is not over.
pub(crate) struct OpenStream(Option<Gauge>);

impl Drop for OpenStream {
    fn drop(&mut self) {
        if let Some(gauge) = &self.0 {
            gauge.dec();
        }
    }
}
