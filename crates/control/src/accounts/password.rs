use keygate_core::{Account, Code, Password, Problem};
use keygate_storage::{Action, Actor};

use super::{sign_up::parse_new_password, suspend::changed};
use crate::{Client, Control, SignedIn, SignedInSession, unavailable};

impl Control {
    /// Replaces the password of a signed-in account that gives its present one. All its sessions
    /// end; the one returned takes the place of the caller's.
    pub async fn change_password(
        &self,
        signed_in: &SignedInSession,
        current: &str,
        new: &str,
        client: &Client<'_>,
    ) -> Result<SignedIn, Problem> {
        let account = &signed_in.account;
        let new = parse_new_password(new)?;
        let current = self.check_password(&account.email, current, client.address);
        current.await.map_err(|problem| match problem.code {
            Code::InvalidCredentials => {
                Problem::invalid_parameter("current_password", "is not the account's password")
            }
            _ => problem,
        })?;
        let password_hash = self.replace(account, new, signed_in.actor()).await?;
        self.start_session(account, password_hash, client).await
    }

    /// Replaces an account's password in the operator's name. All its sessions end.
    pub async fn set_password(&self, account: &Account, new: &str) -> Result<(), Problem> {
        let new = parse_new_password(new)?;
        self.replace(account, new, Actor::Operator).await?;
        Ok(())
    }

    async fn replace(
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
        changed(set.map_err(unavailable)?)?;
        Ok(hash)
    }
}
