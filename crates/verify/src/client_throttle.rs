use std::{collections::HashMap, net::IpAddr, time::Duration};

use keygate_core::client_network;
use parking_lot::Mutex;
use tokio::time::Instant;

/// How many keys that were never issued a client may present in a row.
const BURST: u32 = 1_000;
/// How soon it may present another key after that.
const EVERY: Duration = Duration::from_millis(10);
/// How many clients are remembered. When there are more, all start anew.
const MAX_REMEMBERED: usize = 10_000;

/// Limits how often a client may present keys that do not exist, so that nobody can keep the database
/// busy with them.
///
/// It goes by the generic cell rate algorithm: what is remembered of a client is the moment at which
/// it will have made up for all that it tried.
#[derive(Default)]
pub(crate) struct ClientThrottle(Mutex<HashMap<IpAddr, Instant>>);

impl ClientThrottle {
    /// How long this client has to wait before another key of its is looked up.
    pub(crate) fn wait(&self, client: IpAddr) -> Option<Duration> {
        let made_up_at = *self.0.lock().get(&client_network(client))?;
        let debt = made_up_at.saturating_duration_since(Instant::now());
        debt.checked_sub(EVERY * BURST)
            .filter(|wait| !wait.is_zero())
    }

    /// Notes that this client presented a key that was looked up and does not exist.
    pub(crate) fn note(&self, client: IpAddr) {
        let mut remembered = self.0.lock();
        let now = Instant::now();
        if remembered.len() >= MAX_REMEMBERED {
            remembered.retain(|_, made_up_at| *made_up_at > now);
            if remembered.len() >= MAX_REMEMBERED {
                remembered.clear();
            }
        }
        let made_up_at = remembered.entry(client_network(client)).or_insert(now);
        *made_up_at = now.max(*made_up_at) + EVERY;
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    const CLIENT: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

    #[tokio::test(start_paused = true)]
    async fn who_tries_too_many_waits_until_made_up_for() {
        let throttle = ClientThrottle::default();
        for _ in 0..BURST {
            assert_eq!(throttle.wait(CLIENT), None);
            throttle.note(CLIENT);
        }
        assert_eq!(throttle.wait(CLIENT), None);
        throttle.note(CLIENT);
        assert_eq!(throttle.wait(CLIENT), Some(EVERY));
        assert_eq!(throttle.wait(Ipv4Addr::BROADCAST.into()), None);
        tokio::time::advance(EVERY).await;
        assert_eq!(throttle.wait(CLIENT), None);
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_remembered_is_bounded() {
        let throttle = ClientThrottle::default();
        for number in 0..3 * u32::try_from(MAX_REMEMBERED).expect("a small number") {
            throttle.note(Ipv4Addr::from(number).into());
            assert!(throttle.0.lock().len() <= MAX_REMEMBERED);
        }
    }
}
