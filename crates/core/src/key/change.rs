//! What may be asked for of keys, and which of them.

use serde::Serialize;

use super::{ApiKey, KeyName, KeySecret};
use crate::{Problem, Scope, Scopes, Timestamp, serde_text::words};

/// Somebody wants a key.
#[derive(Debug, Clone)]
pub struct IssueKey {
    /// What it is called.
    pub name: KeyName,
    /// What it opens; `None` for chat and read. Never `admin`, which is given to a key later.
    pub scopes: Option<Scopes>,
    /// Until when.
    pub expires_at: Option<Timestamp>,
}

impl IssueKey {
    /// Refuses what no new key can have.
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

/// What is to be different about a key; `None` leaves a field as it is, and is not written.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct KeyChanges {
    /// The new name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<KeyName>,
    /// The new scopes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scopes: Option<Scopes>,
    /// The new position of the owner's switch.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub is_active: Option<bool>,
}

words! {
    /// Which keys to list, by [`KeyState`](super::KeyState).
    #[derive(Default)]
    KeyStatus {
        /// Those that count toward the limit.
        #[default]
        Active => "active",
        /// Those that are switched off.
        Inactive => "inactive",
        /// Those whose time is over.
        Expired => "expired",
        /// All of them.
        All => "all",
    }
}

impl KeyStatus {
    /// Whether keys come to have it, or have it no more, as time goes by.
    pub const fn depends_on_time(self) -> bool {
        matches!(self, Self::Active | Self::Expired)
    }
}
