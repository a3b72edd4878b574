use keygate_core::{AccountId, KeyId, Problem};
use keygate_storage::{Action, Actor};

use super::key_not_found;
use crate::Control;

impl Control {
    /// Revokes a key of an account for good: it opens nothing from the moment this returns, and
    /// cannot be brought back.
    pub async fn revoke_key(
        &self,
        actor: Actor,
        account_id: AccountId,
        key_id: &str,
    ) -> Result<(), Problem> {
        let key_id = KeyId::parse(key_id).ok_or_else(key_not_found)?;
        let mut audit = self.entry(actor, Action::KeyRevoke, account_id);
        audit.subject_id = Some(key_id.to_string());
        let deleted = self.store.delete_key(account_id, key_id, audit).await;
        deleted??.then_some(()).ok_or_else(key_not_found)
    }
}
