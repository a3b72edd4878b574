use std::{net::IpAddr, num::NonZeroU32, sync::Arc, time::Duration};

use governor::{Quota, RateLimiter, clock, state::keyed::DashMapStateStore};
use keygate_core::{Clock, Code, EmailAddress, Problem, client_network};

/// How many passwords may be tried for one account in a row, and how soon another one may.
const PER_ACCOUNT: (u32, Duration) = (10, Duration::from_secs(10));
/// The same from one address.
const PER_ADDRESS: (u32, Duration) = (30, Duration::from_secs(2));

/// How many names are remembered before those that have recovered are dropped.
const CLEAN_UP_AT: usize = 10_000;

type Limiter<K> = RateLimiter<
    K,
    DashMapStateStore<K>,
    InjectedClock,
    governor::middleware::NoOpMiddleware<Duration>,
>;

/// Counts attempts to give a password, for every place where one is checked.
pub(crate) struct Attempts {
    clock: InjectedClock,
    accounts: Limiter<EmailAddress>,
    addresses: Limiter<IpAddr>,
}

impl Attempts {
    pub(crate) fn new(clock: Arc<dyn Clock>) -> Self {
        let clock = InjectedClock(clock);
        Self {
            accounts: RateLimiter::dashmap_with_clock(quota(PER_ACCOUNT), clock.clone()),
            addresses: RateLimiter::dashmap_with_clock(quota(PER_ADDRESS), clock.clone()),
            clock,
        }
    }

    /// Counts an attempt from `address`. The address comes first, so that a single one cannot use
    /// up the attempts of many accounts.
    pub(crate) fn count_address(&self, address: IpAddr) -> Result<(), Problem> {
        self.count(&self.addresses, &client_network(address))
    }

    /// Counts an attempt on an account, whether it exists or not.
    pub(crate) fn count_account(&self, email: &EmailAddress) -> Result<(), Problem> {
        self.count(&self.accounts, email)
    }

    fn count<K: std::hash::Hash + Eq + Clone>(
        &self,
        limiter: &Limiter<K>,
        key: &K,
    ) -> Result<(), Problem> {
        if limiter.len() >= CLEAN_UP_AT {
            limiter.retain_recent();
        }
        limiter.check_key(key).map_err(|refused| {
            let wait = refused.wait_time_from(clock::Clock::now(&self.clock));
            Problem::new(
                Code::RateLimitExceeded,
                "Too many attempts. Wait a little before the next one.",
            )
            .with_retry_after(wait)
        })
    }
}

fn quota((burst, every): (u32, Duration)) -> Quota {
    Quota::with_period(every)
        .expect("the period is not zero")
        .allow_burst(NonZeroU32::new(burst).expect("the burst is not zero"))
}

/// The program's clock, as governor wants it: the time since the epoch.
#[derive(Clone)]
struct InjectedClock(Arc<dyn Clock>);

impl clock::Clock for InjectedClock {
    type Instant = Duration;

    fn now(&self) -> Duration {
        Duration::from_millis(u64::try_from(self.0.now().as_millis()).unwrap_or(0))
    }
}

#[cfg(test)]
mod tests {
    use keygate_core::{ManualClock, Timestamp};

    use super::*;

    fn attempts() -> (Attempts, Arc<ManualClock>) {
        let clock = Arc::new(ManualClock::at(Timestamp::from_millis(1_000_000)));
        (Attempts::new(clock.clone()), clock)
    }

    #[test]
    fn an_account_has_ten_attempts_and_then_one_every_ten_seconds() {
        let (attempts, clock) = attempts();
        let email = EmailAddress::parse("Ada@example.com").expect("an address");
        for _ in 0..10 {
            attempts.count_account(&email).expect("within the limit");
        }
        let refused = attempts.count_account(&email).expect_err("one too many");
        assert_eq!(refused.code, Code::RateLimitExceeded);
        assert_eq!(refused.retry_after, Some(Duration::from_secs(10)));
        let other = EmailAddress::parse("bob@example.com").expect("an address");
        attempts.count_account(&other).expect("another account");
        clock.advance_millis(9_999);
        attempts.count_account(&email).expect_err("too soon");
        clock.advance_millis(1);
        attempts.count_account(&email).expect("recovered");
        attempts.count_account(&email).expect_err("by one only");
    }

    #[test]
    fn addresses_of_one_ipv6_network_share_their_attempts() {
        let (attempts, _) = attempts();
        for host in 0..30 {
            let address = format!("2001:db8::{host:x}").parse().expect("an address");
            attempts.count_address(address).expect("within the limit");
        }
        let same = "2001:db8::ffff".parse().expect("an address");
        attempts.count_address(same).expect_err("the same network");
        let other = "2001:db8:0:1::".parse().expect("an address");
        attempts.count_address(other).expect("another network");
    }
}
