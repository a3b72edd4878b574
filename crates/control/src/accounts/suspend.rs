use keygate_core::{AccountId, Code, Problem};
use keygate_storage::{Action, Actor, ChangeAccount};

use super::list::account_not_found;
use crate::Control;

impl Control {
    /// Suspends an account: its sessions end and its keys open nothing from the moment this returns.
    /// Nobody suspends their own, and nobody the last admin's.
    pub async fn suspend_account(
        &self,
        actor: Actor,
        account_id: AccountId,
    ) -> Result<(), Problem> {
        refuse_own(actor, account_id)?;
        let audit = self.entry(actor, Action::AccountSuspend, account_id);
        let found = self.store.suspend_account(account_id, audit).await;
        changed(found??)
    }

    /// Lifts a suspension.
    pub async fn resume_account(&self, actor: Actor, account_id: AccountId) -> Result<(), Problem> {
        let audit = self.entry(actor, Action::AccountResume, account_id);
        let found = self.store.resume_account(account_id, audit).await;
        found??.then_some(()).ok_or_else(account_not_found)
    }
}

/// Refuses what an admin may do to all accounts but their own.
pub(super) fn refuse_own(actor: Actor, account_id: AccountId) -> Result<(), Problem> {
    if actor.account_id() != Some(account_id) {
        return Ok(());
    }
    let why = "This is the account you are signed in to. Another admin can do it.";
    Err(Problem::new(Code::InvalidRequest, why))
}

pub(super) fn changed(changed: ChangeAccount) -> Result<(), Problem> {
    match changed {
        ChangeAccount::Changed => Ok(()),
        ChangeAccount::NotFound => Err(account_not_found()),
        ChangeAccount::LastAdmin => Err(Problem::new(
            Code::LastAdmin,
            "This is the last admin. Make another account an admin first: \
             keygate account set-role E-MAIL admin.",
        )),
    }
}
