use std::net::IpAddr;

use keygate_core::{Account, Code, Password, Problem};
use keygate_storage::{Action, Actor};

use super::{list::no_account, sign_up::parse_new_password};
use crate::{Control, SignedIn, SignedInSession, unavailable};

impl Control {
    /// Replaces the password of a signed-in account that gives its present one. All its sessions
    /// end; the one returned takes the place of the caller's.
    pub async fn change_password(
        &self,
        signed_in: &SignedInSession,
        current: &str,
        new: &str,
        address: IpAddr,
    ) -> Result<SignedIn, Problem> {
        let account = &signed_in.account;
        let new = parse_new_password(new)?;
        let current = self.check_password(&account.email, current, address).await;
        current.map_err(|problem| match problem.code {
            Code::InvalidCredentials => {
                Problem::invalid_parameter("current_password", "is not the account's password")
            }
            _ => problem,
        })?;
        let password_hash = self.set_password(account, new, signed_in.actor()).await?;
        self.start_session(account, password_hash).await
    }

    /// Replaces an account's password in the operator's name. All its sessions end.
    pub async fn reset_password(&self, email: &str, new: &str) -> Result<Account, Problem> {
        let account = self.get_account(email).await?;
        let new = parse_new_password(new)?;
        self.set_password(&account, new, Actor::Operator).await?;
        Ok(account)
    }

    async fn set_password(
        &self,
        account: &Account,
        new: Password,
        actor: Actor,
    ) -> Result<String, Problem> {
        let hash = self.passwords.hash_new(new, account.email.clone()).await?;
        let audit = self.entry(actor, Action::AccountSetPassword, account.id);
        let set = self
            .store
            .set_password(account.id, hash.clone(), audit)
            .await;
        let found = set.map_err(unavailable)?;
        found
            .then_some(hash)
            .ok_or_else(|| no_account(&account.email))
    }
}
