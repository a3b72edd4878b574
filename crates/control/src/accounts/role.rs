use keygate_core::{AccountId, Problem, Role};
use keygate_storage::{Action, Actor};
use serde_json::json;

use super::suspend::changed;
use crate::Control;

impl Control {
    /// Gives an account another role in the operator's name. Its sessions end, so that none has rights
    /// that the account has not. The last admin stays one.
    pub async fn set_role(&self, account_id: AccountId, role: Role) -> Result<(), Problem> {
        let mut audit = self.entry(Actor::Operator, Action::AccountSetRole, account_id);
        audit.detail = Some(json!({"role": role}).to_string());
        let found = self.store.set_role(account_id, role, audit).await;
        changed(found??)
    }
}
