use keygate_core::{AccountId, Code, Problem};
use keygate_storage::{Action, Actor};

use super::list::account_not_found;
use crate::{Control, unavailable};

impl Control {
    /// Suspends an account: its sessions end and its keys open nothing from the moment this returns.
    /// Nobody suspends their own.
    pub async fn suspend_account(
        &self,
        actor: Actor,
        account_id: AccountId,
    ) -> Result<(), Problem> {
        if matches!(actor, Actor::Session(own, _) if own == account_id) {
            return Err(Problem::new(
                Code::InvalidRequest,
                "This is the account you are signed in to. Another admin can suspend it.",
            ));
        }
        let audit = self.entry(actor, Action::AccountSuspend, account_id);
        let found = self.store.suspend_account(account_id, audit).await;
        changed(found.map_err(unavailable)?)
    }

    /// Lifts a suspension.
    pub async fn resume_account(&self, actor: Actor, account_id: AccountId) -> Result<(), Problem> {
        let audit = self.entry(actor, Action::AccountResume, account_id);
        let found = self.store.resume_account(account_id, audit).await;
        changed(found.map_err(unavailable)?)
    }
}

pub(super) fn changed(found: bool) -> Result<(), Problem> {
    found.then_some(()).ok_or_else(account_not_found)
}
