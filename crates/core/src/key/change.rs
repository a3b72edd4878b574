//! Requests to issue, change and list keys.

use serde::Serialize;

use super::{ApiKey, KeyName, KeySecret};
use crate::{Problem, Scope, Scopes, Timestamp, serde_text::words};

/// A request for a new key.
#[derive(Debug, Clone)]
pub struct IssueKey {
    /// Its name.
    pub name: KeyName,
    /// Its scopes; `None` for chat and read. Never `admin`, which can only be added later.
    pub scopes: Option<Scopes>,
    /// When it expires.
    pub expires_at: Option<Timestamp>,
}

impl IssueKey {
    /// Refuses values that a new key must not have.
    pub fn refuse_unissuable(&self, now: Timestamp) -> Result<(), Problem> {
        if self.expires_at.is_some_and(|end| end <= now) {
            let rule = "must be in the future";
            return Err(Problem::invalid_parameter("expires_at", rule));
        }
        if self
            .scopes
            .is_some_and(|scopes| scopes.contains(Scope::Admin))
        {
            let rule = "may be chat, read and write for a new key; admin can be added later";
            return Err(Problem::invalid_parameter("scopes", rule));
        }
        Ok(())
    }
}

/// A key that has just been issued, with its secret.
#[derive(Debug)]
pub struct IssuedKey {
    /// The key.
    pub key: ApiKey,
    /// Its secret, for its owner and nobody else.
    pub secret: KeySecret,
}

/// Changes to a key; `None` leaves a field as it is and is not serialized.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct KeyChanges {
    /// The new name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<KeyName>,
    /// The new scopes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scopes: Option<Scopes>,
    /// Whether it is active.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub is_active: Option<bool>,
}

words! {
    /// Which keys to list, by [`KeyState`](super::KeyState).
    #[derive(Default)]
    KeyStatus {
        /// Keys that count toward the limit.
        #[default]
        Active => "active",
        /// Deactivated keys.
        Inactive => "inactive",
        /// Expired keys.
        Expired => "expired",
        /// All of them.
        All => "all",
    }
}

impl KeyStatus {
    /// Whether a key can enter or leave this state merely because time passes.
    pub const fn depends_on_time(self) -> bool {
        matches!(self, Self::Active | Self::Expired)
    }
}
