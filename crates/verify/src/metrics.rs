use keygate_core::Denial;
use prometheus_client::{
    metrics::{counter::Counter, family::Family},
    registry::Registry,
};

use crate::Refusal;

/// The outcomes of a verification and their names.
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
    family: Family<[(&'static str, &'static str); 1], Counter>,
    /// In the order of [`OUTCOMES`].
    outcomes: [Counter; OUTCOMES.len()],
    pub(crate) hits: Counter,
    pub(crate) misses: Counter,
}

impl Default for Metrics {
    /// Each outcome is there from the beginning, so that its first one counts as a change.
    fn default() -> Self {
        let family = Family::default();
        Self {
            outcomes: OUTCOMES.map(|(_, name)| family.get_or_create_owned(&[("outcome", name)])),
            family,
            hits: Counter::default(),
            misses: Counter::default(),
        }
    }
}

impl Metrics {
    pub(crate) fn register(&self, registry: &mut Registry) {
        let help = "Verifications of what requests present, by the outcome";
        registry.register("verifications", help, self.family.clone());
        let help = "Verifications for which what is in memory was enough";
        registry.register("cache_hits", help, self.hits.clone());
        let help = "Verifications that waited for the database";
        registry.register("cache_misses", help, self.misses.clone());
    }

    pub(crate) fn count<T>(&self, verified: &Result<T, Refusal>) {
        self.outcomes[Outcome::of(verified) as usize].inc();
    }
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
