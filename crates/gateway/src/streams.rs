use prometheus_client::{metrics::gauge::Gauge, registry::Registry};

use crate::load::UnderWay;

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
        OpenStream {
            _counted: Counted(self.0.clone()),
            _under_way: None,
        }
    }
}

/// An answer that is not over.
pub(crate) struct OpenStream {
    _counted: Counted,
    _under_way: Option<UnderWay>,
}

impl OpenStream {
    /// Counts as under way with its upstream, too, where that matters.
    pub(crate) fn of(self, under_way: Option<UnderWay>) -> Self {
        Self {
            _under_way: under_way,
            ..self
        }
    }
}

struct Counted(Gauge);

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.dec();
    }
}
