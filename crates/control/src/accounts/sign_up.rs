use std::net::IpAddr;

use keygate_core::{Account, AccountId, Code, EmailAddress, Link, Password, Problem, Role, Token};
use keygate_storage::{
    Action, Actor, Admission, BeginSession, InsertAccount, Invitation, InvitationKind, NewAccount,
};
use serde_json::json;

use super::list::parse_email;
use crate::{Client, Control, SignedIn};

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
    pub async fn sign_up(&self, request: SignUp<'_>) -> Result<Account, Problem> {
        let (new, admission) = self.admitted(request).await?;
        let actor = Actor::Account(new.id);
        self.make_account(new, admission, None, actor).await
    }

    /// The same, and signs in to the account.
    pub async fn sign_up_and_in(
        &self,
        request: SignUp<'_>,
        client: &Client<'_>,
    ) -> Result<SignedIn, Problem> {
        let (new, admission) = self.admitted(request).await?;
        let actor = Actor::Account(new.id);
        let (signed_in, session) = self.new_session(&account(&new), client);
        self.make_account(new, admission, Some(session), actor)
            .await?;
        Ok(signed_in)
    }

    /// Makes an account in the operator's name.
    pub async fn create_account(
        &self,
        email: &str,
        password: &str,
        role: Role,
    ) -> Result<Account, Problem> {
        let new = self.new_account(email, password, role, None).await?;
        self.make_account(new, Admission::Free, None, Actor::Operator)
            .await
    }

    /// Whether somebody can make an account without a link, once there is one.
    pub fn signup_is_open(&self) -> bool {
        self.policy.signup == Signup::Open
    }

    /// The invitation or set-up link with this token, if an account can be made with it.
    pub async fn get_invitation(&self, token: &str) -> Result<Link, Problem> {
        let invitation = self.find_invitation(token).await?;
        let link = self.store.lookup_link(invitation.id).await?;
        let now = self.clock.now();
        let live = link.filter(|link| link.expires_at > now);
        live.ok_or_else(invitation_invalid)
    }

    async fn find_invitation(&self, token: &str) -> Result<Invitation, Problem> {
        let token = Token::parse(token).ok_or_else(invitation_invalid)?;
        let found = self.store.lookup_invitation(token.hash()).await?;
        let found = found.ok_or_else(invitation_invalid)?;
        if found.kind == InvitationKind::Invite && self.policy.signup == Signup::Closed {
            let message = "Nobody can sign up here at the moment, also with an invitation. Ask the operator of this service.";
            return Err(Problem::new(Code::SignupClosed, message));
        }
        Ok(found)
    }

    /// The account that somebody may have, and why they may.
    async fn admitted(&self, request: SignUp<'_>) -> Result<(NewAccount, Admission), Problem> {
        let _counted = self.attempts.count_address(request.address)?;
        let (admission, role) = self.admission(request.invitation, request.email).await?;
        let client = Some(request.address);
        let new = self.new_account(request.email, request.password, role, client);
        Ok((new.await?, admission))
    }

    async fn admission(
        &self,
        invitation: Option<&str>,
        email: &str,
    ) -> Result<(Admission, Role), Problem> {
        let Some(invitation) = invitation else {
            return self.open_admission().await;
        };
        let found = self.find_invitation(invitation).await?;
        if let Some(invited) = found.email
            && parse_email(email)? != invited
        {
            return Err(for_another(&invited));
        }
        let role = match found.kind {
            InvitationKind::Setup => Role::Admin,
            InvitationKind::Invite => Role::Member,
        };
        Ok((Admission::Invitation(found.token_hash), role))
    }

    /// Whether anybody may have an account. The first one is the operator's to make: a stranger who was
    /// faster would own a service that has no admin.
    async fn open_admission(&self) -> Result<(Admission, Role), Problem> {
        if !self.signup_is_open() {
            return Err(signup_closed());
        }
        // Asked again where the account is kept; here it spares the work on the password.
        if !self.is_set_up().await? {
            return Err(not_set_up());
        }
        Ok((Admission::Open, Role::Member))
    }

    async fn new_account(
        &self,
        email: &str,
        password: &str,
        role: Role,
        client: Option<IpAddr>,
    ) -> Result<NewAccount, Problem> {
        let email = parse_email(email)?;
        let password = parse_new_password(password)?;
        let hash = self.passwords.hash_new(password, email.clone(), client);
        let password_hash = hash.await?;
        let now = self.clock.now();
        Ok(NewAccount {
            id: AccountId::generate(now, &*self.random),
            email,
            password_hash,
            role,
            created_at: now,
        })
    }

    async fn make_account(
        &self,
        new: NewAccount,
        admission: Admission,
        session: Option<BeginSession>,
        actor: Actor,
    ) -> Result<Account, Problem> {
        let account = account(&new);
        let mut audit = self.entry(actor, Action::AccountCreate, account.id);
        if matches!(admission, Admission::Invitation(_)) {
            audit.detail = Some(json!({"by": "link"}).to_string());
        }
        let inserted = self.store.insert_account(new, admission, session, audit);
        match inserted.await?? {
            InsertAccount::Inserted => Ok(account),
            InsertAccount::EmailTaken => Err(email_taken()),
            InsertAccount::InvitationInvalid => Err(invitation_invalid()),
            InsertAccount::NotSetUp => Err(not_set_up()),
        }
    }
}

fn account(new: &NewAccount) -> Account {
    Account {
        id: new.id,
        email: new.email.clone(),
        role: new.role,
        suspended_at: None,
        created_at: new.created_at,
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

pub(super) fn not_set_up() -> Problem {
    Problem::new(
        Code::SignupClosed,
        "This service is not set up yet. Its operator creates the first account with the link that keygate \
         printed when it started or with `keygate account create --admin`.",
    )
}

fn invitation_invalid() -> Problem {
    Problem::new(
        Code::SignupClosed,
        "The link is not valid: it was used already, has expired, or is incomplete. If you have just created your \
         account with it, sign in; otherwise ask for a new one.",
    )
    .with_param("invitation")
}

fn for_another(invited: &EmailAddress) -> Problem {
    let message = format!(
        "The invitation is for {invited}. Use that address, or ask for an invitation of your own."
    );
    Problem::new(Code::SignupClosed, message).with_param("email")
}

pub(super) fn email_taken() -> Problem {
    Problem::new(
        Code::EmailTaken,
        "An account with this e-mail address already exists.",
    )
    .with_param("email")
}
