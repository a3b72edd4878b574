use std::{fmt, sync::Weak};

use keygate_core::Denial;
use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeMetric},
    metrics::{
        MetricType,
        counter::{ConstCounter, Counter},
        family::Family,
        gauge::ConstGauge,
    },
    registry::Registry,
};

use crate::{Refusal, Verifier};

/// How a question about a key can end, each with its name.
#[derive(Clone, Copy)]
enum Outcome {
    Allowed,
    Missing,
    Invalid,
    Revoked,
    Expired,
    AccountSuspended,
    InsufficientScope,
    TooMany,
    StorageUnavailable,
    InternalError,
}

const OUTCOMES: [(Outcome, &str); 10] = [
    (Outcome::Allowed, "allowed"),
    (Outcome::Missing, "missing"),
    (Outcome::Invalid, "invalid"),
    (Outcome::Revoked, "revoked"),
    (Outcome::Expired, "expired"),
    (Outcome::AccountSuspended, "account_suspended"),
    (Outcome::InsufficientScope, "insufficient_scope"),
    (Outcome::TooMany, "too_many"),
    (Outcome::StorageUnavailable, "storage_unavailable"),
    (Outcome::InternalError, "internal_error"),
];

impl Outcome {
    fn of<T>(verified: &Result<T, Refusal>) -> Self {
        let denial = match verified {
            Ok(_) => return Self::Allowed,
            Err(Refusal::TooMany(_)) => return Self::TooMany,
            Err(Refusal::Unavailable(error)) if error.is_internal() => return Self::InternalError,
            Err(Refusal::Unavailable(_)) => return Self::StorageUnavailable,
            Err(Refusal::Denied(denial)) => denial,
        };
        match denial {
            Denial::Missing => Self::Missing,
            Denial::Misused(_) | Denial::Invalid => Self::Invalid,
            Denial::Revoked => Self::Revoked,
            Denial::Expired => Self::Expired,
            Denial::AccountSuspended => Self::AccountSuspended,
            Denial::InsufficientScope(_) => Self::InsufficientScope,
        }
    }
}

/// What is counted of verifications.
pub(crate) struct Metrics {
    /// In the order of [`OUTCOMES`].
    outcomes: [Counter; OUTCOMES.len()],
    pub(crate) hits: Counter,
    pub(crate) misses: Counter,
}

impl Metrics {
    /// Metrics for whoever reads `registry`. Each outcome is there from the beginning, so that its
    /// first one counts as a change.
    pub(crate) fn register(registry: &mut Registry) -> Self {
        let family = Family::<[(&str, &str); 1], Counter>::default();
        let outcomes = OUTCOMES.map(|(_, name)| family.get_or_create_owned(&[("outcome", name)]));
        let (hits, misses) = (Counter::default(), Counter::default());
        let help = "Verifications of what requests present, by the outcome";
        registry.register("verifications", help, family);
        let help = "Verifications for which what is in memory was enough";
        registry.register("cache_hits", help, hits.clone());
        let help = "Verifications that waited for the database";
        registry.register("cache_misses", help, misses.clone());
        Self {
            outcomes,
            hits,
            misses,
        }
    }

    pub(crate) fn count<T>(&self, verified: &Result<T, Refusal>) {
        self.outcomes[Outcome::of(verified) as usize].inc();
    }
}

/// What can be read of the cache whenever somebody wants to know.
pub(crate) struct CacheReading(pub(crate) Weak<Verifier>);

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_outcome_counts_under_its_own_name() {
        for (place, (outcome, name)) in OUTCOMES.into_iter().enumerate() {
            assert_eq!(outcome as usize, place, "{name}");
        }
    }
}
