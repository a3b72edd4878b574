use std::{collections::HashMap, net::IpAddr, time::Duration};

use keygate_core::{client_network, key::KeyHash};
use parking_lot::Mutex;
use quick_cache::sync::Cache;
use tokio::time::Instant;

/// How many keys that were never issued a client may present in a row.
const BURST: u32 = 1_000;
/// How soon it may present another one after that.
const EVERY: Duration = Duration::from_millis(10);
/// How many clients are remembered. When there are more, all start anew.
const MAX_REMEMBERED: usize = 10_000;
/// How many keys are remembered that do not exist.
const MAX_UNKNOWN: usize = 100_000;

/// Keys that do not exist, and who presents them, so that nobody can keep the database busy with them.
///
/// A key is looked up once, however often it comes: a deleted one that somebody forgot to take out of
/// a script does not count against the rest of the house. Clients are held to a rate by the generic
/// cell rate algorithm: what is remembered of one is the moment at which it will have made up for all
/// that it tried.
pub(crate) struct Strangers {
    unknown: Cache<KeyHash, ()>,
    clients: Mutex<HashMap<IpAddr, Instant>>,
}

impl Default for Strangers {
    fn default() -> Self {
        Self {
            unknown: Cache::new(MAX_UNKNOWN),
            clients: Mutex::default(),
        }
    }
}

impl Strangers {
    /// Whether it is known that this key does not exist.
    pub(crate) fn are(&self, key: &KeyHash) -> bool {
        self.unknown.get(key).is_some()
    }

    /// Forgets what was known of this key.
    pub(crate) fn forget(&self, key: &KeyHash) {
        self.unknown.remove(key);
    }

    /// Forgets what was known of all keys.
    pub(crate) fn forget_all(&self) {
        self.unknown.clear();
    }

    /// How long this client has to wait before another key of its is looked up.
    pub(crate) fn wait(&self, client: IpAddr) -> Option<Duration> {
        let made_up_at = *self.clients.lock().get(&client_network(client))?;
        let debt = made_up_at.saturating_duration_since(Instant::now());
        debt.checked_sub(EVERY * BURST)
            .filter(|wait| !wait.is_zero())
    }

    /// Notes that this key does not exist, and who presented it. Of many who wait for the same look-up,
    /// one counts.
    pub(crate) fn note(&self, key: KeyHash, client: Option<IpAddr>) {
        let mut remembered = self.clients.lock();
        if self.are(&key) {
            return;
        }
        self.unknown.insert(key, ());
        let Some(client) = client else { return };
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

    fn key(number: u32) -> KeyHash {
        let mut bytes = [0; 32];
        bytes[..4].copy_from_slice(&number.to_be_bytes());
        KeyHash::from_bytes(bytes)
    }

    const CLIENT: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

    #[tokio::test(start_paused = true)]
    async fn who_tries_too_many_waits_until_made_up_for() {
        let strangers = Strangers::default();
        for number in 0..BURST {
            assert_eq!(strangers.wait(CLIENT), None);
            strangers.note(key(number), Some(CLIENT));
            // Again, by another that waited for the same look-up.
            strangers.note(key(number), Some(CLIENT));
        }
        assert_eq!(strangers.wait(CLIENT), None);
        strangers.note(key(BURST), Some(CLIENT));
        assert_eq!(strangers.wait(CLIENT), Some(EVERY));
        assert_eq!(strangers.wait(Ipv4Addr::BROADCAST.into()), None);
        tokio::time::advance(EVERY).await;
        assert_eq!(strangers.wait(CLIENT), None);
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_remembered_is_bounded() {
        let strangers = Strangers::default();
        for number in 0..3 * u32::try_from(MAX_REMEMBERED).expect("a small number") {
            strangers.note(key(number), Some(Ipv4Addr::from(number).into()));
            assert!(strangers.clients.lock().len() <= MAX_REMEMBERED);
        }
    }
}
