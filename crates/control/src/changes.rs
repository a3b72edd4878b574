use std::{sync::Arc, time::Duration};

use keygate_core::{Account, AccountId, Clock, Code, Problem, Role};

use crate::{
    Control, SignedInSession,
    throttle::{Counted, Rate, Throttle},
};

/// Counts the changes that accounts make, on this node, so that none of them fills the disk or keeps the
/// database from others.
pub(crate) struct Changes {
    throttle: Throttle,
    rate: Rate,
}

/// A change that was counted, if it is one that counts.
#[derive(Debug)]
pub struct CountedChange(Option<Counted>);

impl Changes {
    pub(crate) fn new(clock: Arc<dyn Clock>, per_minute: u32) -> Self {
        // Five thirds at once: whoever tidies up after a minute of rest is not held up.
        let burst = per_minute.saturating_mul(5).div_ceil(3).max(1);
        let every = Duration::from_mins(1) / per_minute.max(1);
        Self {
            throttle: Throttle::new(clock),
            rate: Rate::new(burst, every),
        }
    }

    fn count(&self, account_id: AccountId) -> Result<Counted, Problem> {
        let counted = self.throttle.count(&[(account_id.as_bytes(), self.rate)]);
        counted.map_err(|wait| {
            Problem::new(
                Code::RateLimitExceeded,
                "The account makes too many changes. Wait a little before the next one.",
            )
            .with_retry_after(wait)
        })
    }
}

impl Control {
    /// Counts a change that somebody is about to make, or refuses it. Admins make as many as they like.
    pub fn count_change(&self, signed_in: &SignedInSession) -> Result<CountedChange, Problem> {
        self.count_change_of(&signed_in.account)
    }

    /// A change that was not made did not count.
    pub fn take_back_change(&self, CountedChange(counted): CountedChange) {
        if let Some(counted) = counted {
            self.changes.throttle.take_back(counted);
        }
    }

    pub(crate) fn count_change_of(&self, account: &Account) -> Result<CountedChange, Problem> {
        if account.role == Role::Admin {
            return Ok(CountedChange(None));
        }
        self.changes.count(account.id).map(Some).map(CountedChange)
    }
}
