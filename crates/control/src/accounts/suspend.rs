use keygate_core::{Account, Problem};
use keygate_storage::{Action, Actor};

use super::list::no_account;
use crate::{Control, unavailable};

impl Control {
    /// Suspends an account in the operator's name: its sessions end and its keys open nothing
    /// from the moment this returns.
    pub async fn suspend_account(&self, email: &str) -> Result<Account, Problem> {
        let account = self.get_account(email).await?;
        let audit = self.entry(Actor::Operator, Action::AccountSuspend, account.id);
        let found = self.store.suspend_account(account.id, audit).await;
        self.changed(&account, found.map_err(unavailable)?).await
    }

    /// Lifts a suspension in the operator's name.
    pub async fn resume_account(&self, email: &str) -> Result<Account, Problem> {
        let account = self.get_account(email).await?;
        let audit = self.entry(Actor::Operator, Action::AccountResume, account.id);
        let found = self.store.resume_account(account.id, audit).await;
        self.changed(&account, found.map_err(unavailable)?).await
    }

    async fn changed(&self, account: &Account, found: bool) -> Result<Account, Problem> {
        if !found {
            return Err(no_account(&account.email));
        }
        self.get_account(account.email.as_str()).await
    }
}
