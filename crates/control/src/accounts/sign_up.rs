use std::net::IpAddr;

use keygate_core::{Account, AccountId, Code, EmailAddress, Password, Problem, Role, Token};
use keygate_storage::{Action, Actor, Admission, InsertAccount, InvitationKind, NewAccount};
use serde_json::json;

use super::list::parse_email;
use crate::{Control, Proven, unavailable};

/// Who may make an account, apart from the operator and the very first one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Signup {
    /// Nobody.
    Closed,
    /// Whoever has an invitation, which the operator or an admin makes.
    #[default]
    Invite,
    /// Anybody.
    Open,
}

/// Somebody wants an account. It holds a password, so it cannot be printed.
pub struct SignUp<'a> {
    /// Their address.
    pub email: &'a str,
    /// Their password.
    pub password: &'a str,
    /// The token of their invitation or set-up link.
    pub invitation: Option<&'a str>,
    /// From where they ask.
    pub address: IpAddr,
}

impl Control {
    /// Makes an account for somebody, if the setting or an invitation lets them in. Whoever follows the
    /// set-up link becomes the first admin.
    pub async fn sign_up(&self, request: SignUp<'_>) -> Result<Proven, Problem> {
        self.attempts.count_address(request.address)?;
        let (admission, role) = self.admission(request.invitation).await?;
        let email = parse_email(request.email)?;
        let password = parse_new_password(request.password)?;
        self.make_account(email, password, role, admission, None)
            .await
    }

    /// Makes an account in the operator's name.
    pub async fn create_account(
        &self,
        email: &str,
        password: &str,
        role: Role,
    ) -> Result<Account, Problem> {
        let email = parse_email(email)?;
        let password = parse_new_password(password)?;
        let operator = Some(Actor::Operator);
        let made = self.make_account(email, password, role, Admission::Free, operator);
        Ok(made.await?.account)
    }

    /// Whether somebody can make an account without a link.
    pub fn signup_is_open(&self) -> bool {
        self.policy.signup == Signup::Open
    }

    async fn admission(&self, invitation: Option<&str>) -> Result<(Admission, Role), Problem> {
        if self.signup_is_open() && invitation.is_none() {
            return Ok((Admission::Free, Role::Member));
        }
        let Some(invitation) = invitation else {
            return Err(signup_closed());
        };
        let token = Token::parse(invitation).ok_or_else(invitation_invalid)?;
        let found = self.store.lookup_invitation(token.hash()).await;
        let found = found.map_err(unavailable)?.ok_or_else(invitation_invalid)?;
        if found.kind == InvitationKind::Invite && self.policy.signup == Signup::Closed {
            return Err(signup_closed());
        }
        let role = match found.kind {
            InvitationKind::Setup => Role::Admin,
            InvitationKind::Invite => Role::Member,
        };
        Ok((Admission::Invitation(found.token_hash), role))
    }

    /// `actor` is the new account itself unless somebody else makes it.
    async fn make_account(
        &self,
        email: EmailAddress,
        password: Password,
        role: Role,
        admission: Admission,
        actor: Option<Actor>,
    ) -> Result<Proven, Problem> {
        let password_hash = self.passwords.hash_new(password, email.clone()).await?;
        let now = self.clock.now();
        let account = Account {
            id: AccountId::generate(now, &*self.random),
            email,
            role,
            suspended_at: None,
            created_at: now,
        };
        let new = NewAccount {
            id: account.id,
            email: account.email.clone(),
            password_hash: password_hash.clone(),
            role,
            created_at: now,
        };
        let actor = actor.unwrap_or(Actor::Account(account.id));
        let mut audit = self.entry(actor, Action::AccountCreate, account.id);
        if matches!(admission, Admission::Invitation(_)) {
            audit.detail = Some(json!({"by": "link"}).to_string());
        }
        let inserted = self.store.insert_account(new, admission, audit).await;
        match inserted.map_err(unavailable)? {
            InsertAccount::Inserted => Ok(Proven {
                account,
                password_hash,
            }),
            InsertAccount::EmailTaken => Err(email_taken()),
            InsertAccount::InvitationInvalid => Err(invitation_invalid()),
        }
    }
}

pub(super) fn parse_new_password(text: &str) -> Result<Password, Problem> {
    Password::parse(text).map_err(|rule| Problem::invalid_parameter("password", rule))
}

fn signup_closed() -> Problem {
    Problem::new(
        Code::SignupClosed,
        "An account needs an invitation here. Ask the operator of this service for one.",
    )
}

fn invitation_invalid() -> Problem {
    Problem::new(
        Code::SignupClosed,
        "The link is not valid: it was used already, has expired, or is incomplete. Ask for a new one.",
    )
    .with_param("invitation")
}

fn email_taken() -> Problem {
    Problem::new(
        Code::EmailTaken,
        "There is an account with this e-mail address already.",
    )
    .with_param("email")
}
