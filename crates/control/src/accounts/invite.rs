use std::time::Duration;

use keygate_core::{Code, EmailAddress, LinkId, OneTimeToken, Problem, Token};
use keygate_storage::{Action, Actor, AuditEntry, Invitation, InvitationKind};

use super::{
    Signup,
    list::parse_email,
    sign_up::{email_taken, not_set_up},
};
use crate::Control;

const SETUP_LIFETIME: Duration = Duration::from_hours(24);
const INVITE_LIFETIME: Duration = Duration::from_hours(7 * 24);

impl Control {
    /// A token for the first account, while there is none. It works once, within a day, beside those that
    /// other nodes made; when one of them is used, all end.
    pub async fn create_setup_link(&self) -> Result<Option<Token>, Problem> {
        if self.is_set_up().await? {
            return Ok(None);
        }
        let operator = Actor::Operator;
        let id = self.new_invitation_form();
        let made = self.invite(operator, id, InvitationKind::Setup, None, SETUP_LIFETIME);
        Ok(made.await?.map(|made| made.token))
    }

    /// A token for one new account, good for a week, where the setting allows invitations: for that of `email`, or
    /// for any. Whoever has the first account is an admin, which no invitation makes anybody.
    pub async fn create_invitation(
        &self,
        actor: Actor,
        email: Option<&str>,
    ) -> Result<OneTimeToken, Problem> {
        let made = self.create_invitation_by_form(actor, self.new_invitation_form(), email);
        Ok(made.await?.expect("no other link has the id"))
    }

    /// An id for a form for an invitation: it makes one, however often it is sent.
    pub fn new_invitation_form(&self) -> LinkId {
        LinkId::generate(self.clock.now(), &*self.random)
    }

    /// The invitation that a form asks for; nothing where that has been made before, and is still there. A form that
    /// was changed after it had made one is refused.
    pub async fn create_invitation_by_form(
        &self,
        actor: Actor,
        id: LinkId,
        email: Option<&str>,
    ) -> Result<Option<OneTimeToken>, Problem> {
        if !self.invitations_are_allowed() {
            return Err(Problem::new(
                Code::SignupClosed,
                "Invitations need the setting accounts.signup to be \"invite\" or \"open\".",
            ));
        }
        if !self.is_set_up().await? {
            return Err(not_set_up());
        }
        let email = email.map(parse_email).transpose()?;
        if let Some(email) = &email
            && self.store.lookup_account(email).await?.is_some()
        {
            return Err(email_taken());
        }
        let kind = InvitationKind::Invite;
        let made = self.invite(actor, id, kind, email.clone(), INVITE_LIFETIME);
        let made = made.await?;
        if made.is_none() {
            self.refuse_other_email(id, email).await?;
        }
        Ok(made)
    }

    /// Refuses a form that asks for another invitation than the one that it has made.
    async fn refuse_other_email(
        &self,
        id: LinkId,
        email: Option<EmailAddress>,
    ) -> Result<(), Problem> {
        let made = self.store.lookup_link(id).await?;
        match made {
            Some(made) if made.account != email => Err(sent_before(made.account)),
            _ => Ok(()),
        }
    }

    /// Whether the setting lets invitations in.
    pub fn invitations_are_allowed(&self) -> bool {
        self.policy.signup != Signup::Closed
    }

    /// `None` where it is for the first account, and somebody has just made that; or where the id has been used.
    async fn invite(
        &self,
        actor: Actor,
        id: LinkId,
        kind: InvitationKind,
        email: Option<EmailAddress>,
        lifetime: Duration,
    ) -> Result<Option<OneTimeToken>, Problem> {
        let token = Token::generate(&*self.random);
        let now = self.clock.now();
        let expires_at = now.plus(lifetime);
        let invitation = Invitation {
            id,
            token_hash: token.hash(),
            kind,
            email,
            created_by: actor.account_id(),
            session_id: actor.session_id(),
            created_at: now,
            expires_at,
        };
        let audit = AuditEntry {
            at: now,
            actor,
            action: Action::InvitationCreate,
            account_id: None,
            subject_id: Some(id.to_string()),
            detail: None,
        };
        let inserted = self.store.insert_invitation(invitation, audit).await;
        Ok(inserted??.then_some(OneTimeToken {
            id,
            token,
            expires_at,
        }))
    }
}

fn sent_before(email: Option<EmailAddress>) -> Problem {
    let whom = email.map_or_else(|| "any address".to_owned(), |email| email.to_string());
    let message = format!(
        "This form was already sent, and created an invitation for {whom}. What you changed since then has created \
         nothing yet: send it again to create another invitation."
    );
    Problem::new(Code::InvalidRequest, message)
}
