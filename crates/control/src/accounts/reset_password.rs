use std::{net::IpAddr, time::Duration};

use keygate_core::{Account, AccountId, Code, LinkId, OneTimeToken, Problem, Token};
use keygate_storage::{Action, Actor, BeginSession, NewPassword, PasswordReset};
use serde_json::json;

use super::{list::account_not_found, sign_up::parse_new_password, suspend::refuse_own};
use crate::{Client, Control, SignedIn};

const LIFETIME: Duration = Duration::from_hours(24);

impl Control {
    /// A token with which the owner of an account gives it a new password. It takes the place of the
    /// one before and works once, within a day. Nobody makes one for their own account, since changing
    /// a password takes the present one.
    pub async fn create_password_reset(
        &self,
        actor: Actor,
        account_id: AccountId,
    ) -> Result<OneTimeToken, Problem> {
        refuse_own(actor, account_id)?;
        let token = Token::generate(&*self.random);
        let now = self.clock.now();
        let expires_at = now.plus(LIFETIME);
        let id = LinkId::generate(now, &*self.random);
        let reset = PasswordReset {
            id,
            token_hash: token.hash(),
            account_id,
            created_by: actor.account_id(),
            session_id: actor.session_id(),
            created_at: now,
            expires_at,
        };
        let mut audit = self.entry(actor, Action::PasswordResetCreate, account_id);
        audit.subject_id = Some(id.to_string());
        let kept = self.store.insert_password_reset(reset, audit).await;
        kept??.then_some(()).ok_or_else(account_not_found)?;
        Ok(OneTimeToken {
            id,
            token,
            expires_at,
        })
    }

    /// Whose password a token resets.
    pub async fn get_password_reset(&self, token: &str) -> Result<Account, Problem> {
        let token = Token::parse(token).ok_or_else(link_invalid)?;
        let found = self.store.lookup_password_reset(token.hash()).await;
        let (reset, account) = found?.ok_or_else(link_invalid)?;
        if self.clock.now() >= reset.expires_at {
            return Err(link_invalid());
        }
        match account.suspended_at {
            None => Ok(account),
            Some(_) => Err(keygate_core::Denial::AccountSuspended.into()),
        }
    }

    /// Replaces the password of the account that the token belongs to. All its sessions end.
    pub async fn reset_password(
        &self,
        token: &str,
        new: &str,
        address: IpAddr,
    ) -> Result<(), Problem> {
        let account = self.account_to_reset(token, address).await?;
        self.reset(account, token, new, None, address).await
    }

    /// The same, and signs in with the new password.
    pub async fn reset_password_and_sign_in(
        &self,
        token: &str,
        new: &str,
        client: &Client<'_>,
    ) -> Result<SignedIn, Problem> {
        let account = self.account_to_reset(token, client.address).await?;
        let (signed_in, session) = self.new_session(&account, client);
        self.reset(account, token, new, Some(session), client.address)
            .await?;
        Ok(signed_in)
    }

    async fn account_to_reset(&self, token: &str, address: IpAddr) -> Result<Account, Problem> {
        let _counted = self.attempts.count_address(address)?;
        self.get_password_reset(token).await
    }

    async fn reset(
        &self,
        account: Account,
        token: &str,
        new: &str,
        session: Option<BeginSession>,
        address: IpAddr,
    ) -> Result<(), Problem> {
        let new = parse_new_password(new)?;
        let hash = self
            .passwords
            .hash_new(new, account.email.clone(), Some(address));
        let hash = hash.await?;
        let token = Token::parse(token).ok_or_else(link_invalid)?;
        let actor = Actor::Account(account.id);
        let mut audit = self.entry(actor, Action::AccountSetPassword, account.id);
        audit.detail = Some(json!({"by": "link"}).to_string());
        let new = NewPassword { hash, session };
        let done = self.store.reset_password(token.hash(), new, audit).await;
        done??.then_some(()).ok_or_else(link_invalid)
    }
}

fn link_invalid() -> Problem {
    Problem::new(
        Code::InvalidParameter,
        "The link is not valid: it was used already, has expired, or is incomplete. Ask for a new one.",
    )
    .with_param("token")
}
