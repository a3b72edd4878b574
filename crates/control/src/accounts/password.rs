use keygate_core::{Account, Code, Problem};
use keygate_storage::{Action, Actor, NewPassword, SetPassword};

use super::{list::account_not_found, sign_up::parse_new_password};
use crate::{Client, Control, SignedIn, SignedInSession};

impl Control {
    /// Replaces the password of a signed-in account that gives its present one. All its sessions
    /// end, and all links that it made; the session returned takes the place of the caller's.
    pub async fn change_password(
        &self,
        signed_in: &SignedInSession,
        current: &str,
        new: &str,
        client: &Client<'_>,
    ) -> Result<SignedIn, Problem> {
        let account = &signed_in.account;
        let new = parse_new_password(new)?;
        let current = self.check_own_password(signed_in, current, client);
        let current = current.await.map_err(|problem| match problem.code {
            Code::InvalidCredentials => wrong_password(),
            _ => problem,
        })?;
        let email = account.email.clone();
        let hash = self.passwords.hash_new(new, email, Some(client.address));
        let hash = hash.await?;
        let actor = signed_in.actor();
        let (signed_in, session) = self.new_session(account, client);
        let new = NewPassword {
            hash,
            session: Some(session),
        };
        self.replace(account, Some(current.password_hash), new, actor)
            .await?;
        Ok(signed_in)
    }

    /// Replaces an account's password in the operator's name. All its sessions end, and all links that
    /// it made.
    pub async fn set_password(&self, account: &Account, new: &str) -> Result<(), Problem> {
        let new = parse_new_password(new)?;
        let hash = self.passwords.hash_new(new, account.email.clone(), None);
        let new = NewPassword {
            hash: hash.await?,
            session: None,
        };
        self.replace(account, None, new, Actor::Operator).await
    }

    /// `replaces` is the hash of the password that was given as the present one.
    async fn replace(
        &self,
        account: &Account,
        replaces: Option<String>,
        new: NewPassword,
        actor: Actor,
    ) -> Result<(), Problem> {
        let audit = self.entry(actor, Action::AccountSetPassword, account.id);
        let set = self.store.set_password(account.id, replaces, new, audit);
        match set.await?? {
            SetPassword::Set => Ok(()),
            SetPassword::Overtaken => Err(wrong_password()),
            SetPassword::NotFound => Err(account_not_found()),
        }
    }
}

fn wrong_password() -> Problem {
    Problem::invalid_parameter("current_password", "is not the account's password")
}
