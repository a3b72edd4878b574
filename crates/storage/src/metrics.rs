use std::{
    fmt,
    sync::{Arc, atomic::AtomicU64},
    time::Instant,
};

use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeMetric},
    metrics::{
        MetricType,
        counter::Counter,
        family::Family,
        gauge::{ConstGauge, Gauge},
        histogram::Histogram,
    },
    registry::{Registry, Unit},
};

use crate::Lease;

/// What a database is asked for.
#[derive(Debug, Clone, Copy)]
pub enum Operation {
    /// A transaction that may change something, until it is durable.
    Write,
    /// A query that changes nothing.
    Read,
    /// A key's look-up, for which a request waits.
    Lookup,
}

/// Their names, in their order.
const OPERATIONS: [&str; 3] = ["write", "read", "lookup"];

/// From a look-up in a file, which takes some microseconds, to what a server's timeouts allow.
const SECONDS: [f64; 18] = [
    0.000_01, 0.000_025, 0.000_05, 0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025,
    0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0,
];

type Label = [(&'static str, &'static str); 1];

/// How long a database takes, waiting for one's turn included.
pub struct Latencies {
    family: Family<Label, Histogram, fn() -> Histogram>,
    /// In the order of [`OPERATIONS`].
    histograms: [Histogram; OPERATIONS.len()],
}

impl Default for Latencies {
    fn default() -> Self {
        let new: fn() -> Histogram = || Histogram::new(SECONDS);
        let family = Family::new_with_constructor(new);
        Self {
            histograms: OPERATIONS.map(|name| family.get_or_create_owned(&[("operation", name)])),
            family,
        }
    }
}

impl Latencies {
    /// Shows what was taken to whoever reads `registry`.
    pub fn register(&self, registry: &mut Registry) {
        let help = "How long the database took, waiting for one's turn included";
        registry.register_with_unit("store_duration", help, Unit::Seconds, self.family.clone());
    }

    /// Does the work, and takes the time until it is done or has failed.
    pub async fn time<T>(&self, operation: Operation, work: impl Future<Output = T>) -> T {
        let began = Instant::now();
        let done = work.await;
        self.histograms[operation as usize].observe(began.elapsed().as_secs_f64());
        done
    }
}

/// How far a change feed was read, and how long ago.
#[derive(Clone)]
pub struct FeedMetrics {
    pub(crate) revision: Gauge<u64, AtomicU64>,
    pub(crate) histories_lost: Counter,
    pub(crate) lease: Arc<Lease>,
}

impl FeedMetrics {
    /// Says so to whoever reads `registry`.
    pub fn register(self, registry: &mut Registry) {
        let help = "The revision up to which this node has read the change feed";
        registry.register("feed_revision", help, self.revision);
        let help = "How often the database was found to have gone back behind what was read";
        registry.register("feed_histories_lost", help, self.histories_lost);
        registry.register_collector(Box::new(FeedLag(self.lease)));
    }
}

struct FeedLag(Arc<Lease>);

impl fmt::Debug for FeedLag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("FeedLag")
    }
}

impl Collector for FeedLag {
    fn encode(&self, mut encoder: DescriptorEncoder) -> fmt::Result {
        let Some(age) = self.0.age() else {
            return Ok(());
        };
        let lag = encoder.encode_descriptor(
            "feed_lag",
            "How long ago the reading of the change feed began that last reached its end.",
            Some(&Unit::Seconds),
            MetricType::Gauge,
        )?;
        ConstGauge::new(age.as_secs_f64()).encode(lag)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use keygate_core::{Clock, ManualClock, Timestamp};
    use prometheus_client::encoding::text::encode;

    use super::*;

    fn shown(registry: &Registry) -> String {
        let mut text = String::new();
        encode(&mut text, registry).expect("memory is there");
        text
    }

    #[tokio::test]
    async fn each_operation_counts_under_its_own_name() {
        let (latencies, mut registry) = (Latencies::default(), Registry::default());
        assert_eq!(latencies.time(Operation::Read, async { 1 }).await, 1);
        latencies.register(&mut registry);
        for (times, operation) in [Operation::Write, Operation::Read, Operation::Lookup]
            .into_iter()
            .enumerate()
        {
            for _ in 0..=times {
                latencies.time(operation, async {}).await;
            }
        }
        let text = shown(&registry);
        for (name, times) in [("write", 1), ("read", 3), ("lookup", 3)] {
            let line = format!("store_duration_seconds_count{{operation=\"{name}\"}} {times}\n");
            assert!(text.contains(&line), "{text}");
        }
    }

    #[test]
    fn the_lag_is_the_age_of_the_last_proof() {
        let clock = Arc::new(ManualClock::at(Timestamp::from_millis(0)));
        clock.advance_millis(1);
        let lease = Lease::new(clock.clone(), Duration::from_secs(1), Duration::ZERO);
        let metrics = FeedMetrics {
            revision: Gauge::default(),
            histories_lost: Counter::default(),
            lease: Arc::new(lease),
        };
        let mut registry = Registry::default();
        metrics.clone().register(&mut registry);
        assert!(!shown(&registry).contains("feed_lag"), "nothing is proved");
        metrics.lease.renew(clock.monotonic());
        metrics.revision.set(7);
        clock.advance_millis(1_500);
        let text = shown(&registry);
        assert!(text.contains("\nfeed_lag_seconds 1.5\n"), "{text}");
        assert!(text.contains("\nfeed_revision 7\n"), "{text}");
    }
}
