//! The metrics of a verifier.

use std::{
    fmt,
    sync::{Arc, Weak},
};

use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeMetric},
    metrics::{MetricType, counter::ConstCounter, gauge::ConstGauge},
    registry::Registry,
};

use crate::Verifier;

impl Verifier {
    /// Shows what is counted of verifications to whoever reads `registry`.
    pub fn register_metrics(self: &Arc<Self>, registry: &mut Registry) {
        self.metrics.register(registry);
        let reading = CacheReading(Arc::downgrade(self));
        registry.register_collector(Box::new(reading));
    }
}

/// What can be read of the cache whenever somebody wants to know.
struct CacheReading(Weak<Verifier>);

impl fmt::Debug for CacheReading {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CacheReading")
    }
}

impl Collector for CacheReading {
    fn encode(&self, mut encoder: DescriptorEncoder) -> fmt::Result {
        let Some(verifier) = self.0.upgrade() else {
            return Ok(());
        };
        let keys = verifier.cached_keys();
        let help = "Keys in memory.";
        let entries = encoder.encode_descriptor("cache_entries", help, None, MetricType::Gauge)?;
        ConstGauge::new(count(keys.len())).encode(entries)?;
        let help = "Keys that were forgotten to make room for others.";
        let evicted =
            encoder.encode_descriptor("cache_evictions", help, None, MetricType::Counter)?;
        ConstCounter::new(count(keys.evicted())).encode(evicted)?;
        let help = "Uses of keys that were not counted, since too many waited to be written.";
        let dropped = encoder.encode_descriptor("uses_dropped", help, None, MetricType::Counter)?;
        ConstCounter::new(verifier.usage().dropped()).encode(dropped)
    }
}

fn count(number: usize) -> u64 {
    u64::try_from(number).unwrap_or(u64::MAX)
}
