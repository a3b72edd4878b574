use keygate_core::{Code, Problem};
use prometheus_client::{
    metrics::{counter::Counter, family::Family},
    registry::Registry,
};

/// Why nobody is signed in, each with its name.
#[derive(Clone, Copy)]
enum Reason {
    WrongCredentials,
    TooManyAttempts,
    AccountSuspended,
    Overloaded,
    StorageUnavailable,
    InternalError,
}

const REASONS: [(Reason, &str); 6] = [
    (Reason::WrongCredentials, "wrong_credentials"),
    (Reason::TooManyAttempts, "too_many_attempts"),
    (Reason::AccountSuspended, "account_suspended"),
    (Reason::Overloaded, "overloaded"),
    (Reason::StorageUnavailable, "storage_unavailable"),
    (Reason::InternalError, "internal_error"),
];

impl Reason {
    fn of(problem: &Problem) -> Self {
        match problem.code {
            Code::InvalidCredentials => Self::WrongCredentials,
            Code::RateLimitExceeded => Self::TooManyAttempts,
            Code::AccountSuspended => Self::AccountSuspended,
            Code::Overloaded => Self::Overloaded,
            Code::InternalError => Self::InternalError,
            _ => Self::StorageUnavailable,
        }
    }
}

/// Counts attempts to sign in that failed.
pub(crate) struct SignInFailures {
    family: Family<[(&'static str, &'static str); 1], Counter>,
    /// In the order of [`REASONS`].
    counters: [Counter; REASONS.len()],
}

impl Default for SignInFailures {
    fn default() -> Self {
        let family = Family::default();
        Self {
            counters: REASONS.map(|(_, name)| family.get_or_create_owned(&[("reason", name)])),
            family,
        }
    }
}

impl SignInFailures {
    pub(crate) fn register(&self, registry: &mut Registry) {
        let help = "Attempts to sign in that failed, by the reason";
        registry.register("sign_in_failures", help, self.family.clone());
    }

    pub(crate) fn count(&self, problem: &Problem) {
        self.counters[Reason::of(problem) as usize].inc();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_reason_counts_under_its_own_name() {
        for (place, (reason, name)) in REASONS.into_iter().enumerate() {
            assert_eq!(reason as usize, place, "{name}");
        }
    }
}
