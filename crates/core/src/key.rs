//! What an API key is: its secret, its hash, its visible prefix and its name.

pub mod base62;
mod details;
mod format;
mod hash;
mod listed;
mod name;
mod secret;

pub use details::{KeyChanges, KeyDetails};
pub use format::{InvalidPrefix, KeyFormat, MalformedKey};
pub use hash::{KeyHash, KeyHasher};
pub use listed::{IssuedKey, KeyStatus};
pub use name::{InvalidKeyName, KeyName};
pub use secret::KeySecret;

use crate::{AccountId, KeyId, Timestamp};

/// A key as its owner sees it; the secret is not part of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiKey {
    /// Its id.
    pub id: KeyId,
    /// The account that owns it.
    pub account_id: AccountId,
    /// Its name, scopes and expiry.
    pub details: KeyDetails,
    /// The first characters of the secret, to tell keys apart: `ask_a1b2`.
    pub key_prefix: String,
    /// When it was last accepted.
    pub last_used_at: Option<Timestamp>,
    /// How many requests it was accepted for.
    pub request_count: u64,
    /// Whether the owner has it active.
    pub is_active: bool,
    /// When it was issued.
    pub created_at: Timestamp,
}

impl ApiKey {
    /// The key's state at `now`.
    pub fn state(&self, now: Timestamp) -> KeyState {
        KeyState::of(self.is_active, self.details.expires_at, now)
    }
}

/// The state of a key. Only active keys count toward the limit and are accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyState {
    /// Active and not expired.
    Active,
    /// Deactivated, whether or not it has expired as well.
    Inactive,
    /// Not deactivated, but expired.
    Expired,
}

impl KeyState {
    /// The one rule: a key is active unless it is deactivated or `expires_at` has been reached.
    pub fn of(is_active: bool, expires_at: Option<Timestamp>, now: Timestamp) -> Self {
        if !is_active {
            Self::Inactive
        } else if expires_at.is_some_and(|end| end <= now) {
            Self::Expired
        } else {
            Self::Active
        }
    }
}
