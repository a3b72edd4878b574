use keygate_core::{AccountId, Code, KeyId, Problem};
use keygate_storage::{Action, Actor, KeyChanges, UpdateKey};
use serde_json::json;

use super::{key_limit_reached, key_not_found};
use crate::Control;

impl Control {
    /// Changes a key of an account. A key that this switches off opens nothing from the moment
    /// this returns.
    pub async fn update_key(
        &self,
        actor: Actor,
        account_id: AccountId,
        key_id: &str,
        changes: KeyChanges,
    ) -> Result<(), Problem> {
        let key_id = KeyId::parse(key_id).ok_or_else(key_not_found)?;
        let mut audit = self.entry(actor, Action::KeyUpdate, account_id);
        audit.subject_id = Some(key_id.to_string());
        audit.detail = Some(json!(changes).to_string());
        let max_active = self.policy.key_limits.active;
        let updated = self
            .store
            .update_key(account_id, key_id, changes, max_active, audit)
            .await;
        match updated?? {
            UpdateKey::Updated => Ok(()),
            UpdateKey::NotFound => Err(key_not_found()),
            UpdateKey::LimitReached => Err(key_limit_reached(max_active)),
            UpdateKey::Expired => Err(key_expired()),
        }
    }
}

fn key_expired() -> Problem {
    Problem::new(
        Code::KeyExpired,
        "The API key has expired and cannot be activated again. Create a new one.",
    )
}
