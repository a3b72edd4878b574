use std::{net::IpAddr, time::Duration};

use keygate_core::{Account, AccountId, Code, Problem, Token};
use keygate_storage::{Action, Actor, PasswordReset};

use super::{invite::OneTimeToken, sign_up::parse_new_password, suspend::changed};
use crate::{Control, unavailable};

const LIFETIME: Duration = Duration::from_hours(24);

impl Control {
    /// A token with which the owner of an account gives it a new password. It takes the place of the
    /// one before and works once, within a day.
    pub async fn create_password_reset(
        &self,
        actor: Actor,
        account_id: AccountId,
    ) -> Result<OneTimeToken, Problem> {
        let token = Token::generate(&*self.random);
        let now = self.clock.now();
        let expires_at = now.plus(LIFETIME);
        let reset = PasswordReset {
            token_hash: token.hash(),
            account_id,
            created_at: now,
            expires_at,
        };
        let audit = self.entry(actor, Action::PasswordResetCreate, account_id);
        let kept = self.store.insert_password_reset(reset, audit).await;
        changed(kept.map_err(unavailable)?)?;
        Ok(OneTimeToken { token, expires_at })
    }

    /// Whose password a token resets.
    pub async fn get_password_reset(&self, token: &str) -> Result<Account, Problem> {
        let token = Token::parse(token).ok_or_else(link_invalid)?;
        let found = self.store.lookup_password_reset(token.hash()).await;
        let (reset, account) = found.map_err(unavailable)?.ok_or_else(link_invalid)?;
        let is_fresh = self.clock.now() < reset.expires_at;
        is_fresh.then_some(account).ok_or_else(link_invalid)
    }

    /// Replaces the password of the account that the token belongs to. All its sessions end.
    pub async fn reset_password(
        &self,
        token: &str,
        new: &str,
        address: IpAddr,
    ) -> Result<Account, Problem> {
        self.attempts.count_address(address)?;
        let account = self.get_password_reset(token).await?;
        let new = parse_new_password(new)?;
        let hash = self.passwords.hash_new(new, account.email.clone()).await?;
        let token = Token::parse(token).ok_or_else(link_invalid)?;
        let actor = Actor::Account(account.id);
        let audit = self.entry(actor, Action::AccountSetPassword, account.id);
        let done = self.store.reset_password(token.hash(), hash, audit).await;
        done.map_err(unavailable)?
            .then_some(account)
            .ok_or_else(link_invalid)
    }
}

fn link_invalid() -> Problem {
    Problem::new(
        Code::InvalidParameter,
        "The link is not valid: it was used already, has expired, or is incomplete. Ask for a new one.",
    )
    .with_param("token")
}
