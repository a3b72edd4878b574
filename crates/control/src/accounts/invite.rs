use std::time::Duration;

use keygate_core::{Code, Problem, Token};
use keygate_storage::{Action, Actor, AuditEntry, Invitation, InvitationKind};

use super::Signup;
use crate::{Control, unavailable};

const SETUP_LIFETIME: Duration = Duration::from_hours(24);
const INVITE_LIFETIME: Duration = Duration::from_hours(7 * 24);

impl Control {
    /// A token for the first account, while there is none. It takes the place of the one before
    /// and works once, within a day.
    pub async fn create_setup_link(&self) -> Result<Option<Token>, Problem> {
        if !self.list_accounts().await?.is_empty() {
            return Ok(None);
        }
        let token = self.invite(InvitationKind::Setup, SETUP_LIFETIME).await?;
        Ok(Some(token))
    }

    /// A token for one new account, good for a week, where the setting allows invitations.
    pub async fn create_invitation(&self) -> Result<Token, Problem> {
        if self.policy.signup == Signup::Closed {
            return Err(Problem::new(
                Code::SignupClosed,
                "Invitations need the setting accounts.signup to be \"invite\" or \"open\".",
            ));
        }
        self.invite(InvitationKind::Invite, INVITE_LIFETIME).await
    }

    async fn invite(&self, kind: InvitationKind, lifetime: Duration) -> Result<Token, Problem> {
        let token = Token::generate(&*self.random);
        let now = self.clock.now();
        let invitation = Invitation {
            token_hash: token.hash(),
            kind,
            created_at: now,
            expires_at: now.plus(lifetime),
        };
        let audit = AuditEntry {
            at: now,
            actor: Actor::Operator,
            action: Action::InvitationCreate,
            account_id: None,
            subject_id: None,
            detail: None,
        };
        let inserted = self.store.insert_invitation(invitation, audit).await;
        inserted.map_err(unavailable)?;
        Ok(token)
    }
}
