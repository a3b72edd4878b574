use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU32, Ordering};

use keygate_core::{AccountId, Credential, KeyId, Scopes, Timestamp};
use keygate_storage::KeyUse;

/// The expiry of keys that do not expire.
const NEVER: Timestamp = Timestamp::from_millis(i64::MAX);

/// How many uses a key counts by itself.
const FULL: u32 = u32::MAX / 2;

/// What was noted with a use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Noted {
    /// It is the first since the uses were last taken.
    First,
    /// There were some before.
    Again,
    /// The uses have to be taken now, or the counter would overflow.
    Full,
}

/// A key that was found in the database, and how it was used since the last flush.
///
/// Packed, so that with the count of those who hold it, it fills one line of the processor's cache.
#[derive(Debug)]
pub(crate) struct CachedKey {
    key_id: KeyId,
    account_id: AccountId,
    expires_at: Timestamp,
    last_used_millis: AtomicI64,
    requests: AtomicU32,
    scopes: Scopes,
    is_active: bool,
    account_suspended: bool,
    use_is_queued: AtomicBool,
}

const _: () = assert!(size_of::<CachedKey>() + size_of::<usize>() == 64);

impl CachedKey {
    pub(crate) fn new(credential: &Credential) -> Self {
        Self {
            key_id: credential.key_id,
            account_id: credential.account_id,
            expires_at: credential.expires_at.unwrap_or(NEVER),
            last_used_millis: AtomicI64::new(i64::MIN),
            requests: AtomicU32::new(0),
            scopes: credential.scopes,
            is_active: credential.is_active,
            account_suspended: credential.account_suspended,
            use_is_queued: AtomicBool::new(false),
        }
    }

    /// What the database said about it.
    pub(crate) fn credential(&self) -> Credential {
        Credential {
            key_id: self.key_id,
            account_id: self.account_id,
            scopes: self.scopes,
            expires_at: (self.expires_at != NEVER).then_some(self.expires_at),
            is_active: self.is_active,
            account_suspended: self.account_suspended,
        }
    }

    /// Notes a use. The order of the steps here and in [`Self::take_use`] must be the same for all, lest
    /// the last use of all is lost.
    pub(crate) fn note_use(&self, now: Timestamp) -> Noted {
        self.last_used_millis
            .store(now.as_millis(), Ordering::Relaxed);
        let before = self.requests.fetch_add(1, Ordering::SeqCst);
        let is_first = !self.use_is_queued.load(Ordering::SeqCst)
            && !self.use_is_queued.swap(true, Ordering::SeqCst);
        match before {
            _ if is_first => Noted::First,
            FULL => Noted::Full,
            _ => Noted::Again,
        }
    }

    /// How it was used since the last call. A use that is noted from now on counts as a first one
    /// again.
    pub(crate) fn take_use(&self) -> KeyUse {
        self.use_is_queued.swap(false, Ordering::SeqCst);
        let requests = self.requests.swap(0, Ordering::SeqCst);
        KeyUse {
            key_id: self.key_id,
            last_used_at: Timestamp::from_millis(self.last_used_millis.load(Ordering::Relaxed)),
            requests: requests.into(),
        }
    }

    /// Leaves room for no more uses; gives how many were added.
    #[cfg(test)]
    pub(crate) fn add_uses_until_full(&self) -> u64 {
        let before = self.requests.swap(FULL, Ordering::SeqCst);
        (FULL - before).into()
    }
}
