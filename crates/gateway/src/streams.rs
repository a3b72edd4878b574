use prometheus_client::{metrics::gauge::Gauge, registry::Registry};

/// How many requests that were let through are still being answered.
#[derive(Default)]
pub(crate) struct OpenStreams(Gauge);

impl OpenStreams {
    pub(crate) fn register(&self, registry: &mut Registry) {
        let help = "Requests that were passed on to an upstream and whose answer is not over";
        registry.register("open_streams", help, self.0.clone());
    }

    /// Counts one for as long as what this gives is kept.
    pub(crate) fn open(&self) -> OpenStream {
        self.0.inc();
        OpenStream(self.0.clone())
    }
}

/// An answer that is not over.
pub(crate) struct OpenStream(Gauge);

impl Drop for OpenStream {
    fn drop(&mut self) {
        self.0.dec();
    }
}
