//! The fields of a key that its owner sets, and changes to them.

use serde::Serialize;

use super::{ApiKey, KeyName};
use crate::{Problem, Scope, Scopes, Timestamp};

/// The fields of a key that its owner sets. The audit log records them in this form.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct KeyDetails {
    /// Its name.
    pub name: KeyName,
    /// Its scopes. Never `admin` for a new key, which can only be added later.
    pub scopes: Scopes,
    /// The first moment at which it is no longer accepted.
    pub expires_at: Option<Timestamp>,
}

impl KeyDetails {
    /// The defaults for everything but the name: chat and read, without expiry.
    pub fn named(name: KeyName) -> Self {
        Self {
            name,
            scopes: [Scope::Chat, Scope::Read].into_iter().collect(),
            expires_at: None,
        }
    }

    /// Refuses values that a new key must not have.
    pub fn refuse_unissuable(&self, now: Timestamp) -> Result<(), Problem> {
        if self.expires_at.is_some_and(|end| end <= now) {
            let rule = "must be in the future";
            return Err(Problem::invalid_parameter("expires_at", rule));
        }
        if self.scopes.contains(Scope::Admin) {
            let rule = "may be chat, read and write for a new key; admin can be added later";
            return Err(Problem::invalid_parameter("scopes", rule));
        }
        Ok(())
    }
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
    /// Whether it is to be active.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub is_active: Option<bool>,
}

/// Sets all of the details that can be changed.
impl From<KeyDetails> for KeyChanges {
    fn from(details: KeyDetails) -> Self {
        Self {
            name: Some(details.name),
            scopes: Some(details.scopes),
            is_active: None,
        }
    }
}

impl KeyChanges {
    /// Makes the changes.
    pub fn apply_to(self, key: &mut ApiKey) {
        let Self {
            name,
            scopes,
            is_active,
        } = self;
        let details = &mut key.details;
        change(&mut details.name, name);
        change(&mut details.scopes, scopes);
        change(&mut key.is_active, is_active);
    }
}

fn change<T>(field: &mut T, new: Option<T>) {
    if let Some(new) = new {
        *field = new;
    }
}
