use std::net::IpAddr;

use keygate_core::{Account, Code, EmailAddress, Password, Problem, SessionId, Token};
use keygate_storage::{Action, Actor, BeginSession, Session, SessionOrigin, StoredAccount};

use crate::{Control, unavailable};

/// Somebody who wants a session.
#[derive(Debug, Clone, Copy)]
pub struct Client<'a> {
    /// From where they ask.
    pub address: IpAddr,
    /// What their browser or script calls itself (`User-Agent`).
    pub user_agent: Option<&'a str>,
}

/// So much of a client's own name is kept, in characters.
const MAX_USER_AGENT: usize = 256;

impl Client<'_> {
    fn origin(&self) -> SessionOrigin {
        let shown = |c: &char| !c.is_control();
        let user_agent = self.user_agent;
        SessionOrigin {
            address: Some(self.address),
            user_agent: user_agent
                .map(|name| name.chars().filter(shown).take(MAX_USER_AGENT).collect()),
        }
    }
}

/// A session that has just begun.
#[derive(Debug)]
pub struct SignedIn {
    /// Its account.
    pub account: Account,
    /// The cookie's value.
    pub token: Token,
}

impl Control {
    /// Begins a session. An unknown address and a wrong password get the same answer after the
    /// same work.
    pub async fn sign_in(
        &self,
        email: &str,
        password: &str,
        client: &Client<'_>,
    ) -> Result<SignedIn, Problem> {
        let signed_in = self.try_sign_in(email, password, client).await;
        signed_in.inspect_err(|problem| self.sign_in_failures.count(problem))
    }

    async fn try_sign_in(
        &self,
        email: &str,
        password: &str,
        client: &Client<'_>,
    ) -> Result<SignedIn, Problem> {
        let Ok(email) = EmailAddress::parse(email) else {
            self.attempts.count_address(client.address)?;
            return Err(invalid_credentials());
        };
        let stored = self
            .check_password(&email, password, client.address)
            .await?;
        if stored.account.suspended_at.is_some() {
            return Err(keygate_core::Denial::AccountSuspended.into());
        }
        self.start_session(&stored.account, stored.password_hash, client)
            .await
    }

    /// The account of this address, if this is its password. The one place where that is asked.
    pub(crate) async fn check_password(
        &self,
        email: &EmailAddress,
        password: &str,
        address: IpAddr,
    ) -> Result<StoredAccount, Problem> {
        self.attempts.count_address(address)?;
        self.attempts.count_account(email)?;
        let stored = self
            .store
            .lookup_account(email)
            .await
            .map_err(unavailable)?;
        let hash = stored.as_ref().map(|stored| stored.password_hash.clone());
        // What is too short or too long to be anybody's password costs the same work.
        let (password, hash) = match Password::parse(password) {
            Ok(password) => (password, hash),
            Err(_) => (Password::parse(UNUSABLE).expect("long enough"), None),
        };
        let right = self.passwords.verify(password, hash).await?;
        stored.filter(|_| right).ok_or_else(invalid_credentials)
    }

    /// Begins a session of an account whose password was checked to have this hash.
    async fn start_session(
        &self,
        account: &Account,
        password_hash: String,
        client: &Client<'_>,
    ) -> Result<SignedIn, Problem> {
        let (signed_in, BeginSession { session, audit }) = self.new_session(account, client);
        let inserted = self
            .store
            .insert_session(session, password_hash, audit)
            .await;
        inserted
            .map_err(unavailable)?
            .then_some(signed_in)
            .ok_or_else(invalid_credentials)
    }

    /// A session to begin: what is handed out, and what is kept.
    pub(crate) fn new_session(
        &self,
        account: &Account,
        client: &Client<'_>,
    ) -> (SignedIn, BeginSession) {
        let token = Token::generate(&*self.random);
        let now = self.clock.now();
        let session = Session {
            id: SessionId::generate(now, &*self.random),
            account_id: account.id,
            token_hash: token.hash(),
            created_at: now,
            last_seen_at: now,
            idle_ends_at: now.plus(self.policy.session_idle),
            ends_at: now.plus(self.policy.session_absolute),
            origin: client.origin(),
        };
        let actor = Actor::Account(account.id);
        let mut audit = self.entry(actor, Action::SessionCreate, account.id);
        audit.subject_id = Some(session.id.to_string());
        let account = account.clone();
        (SignedIn { account, token }, BeginSession { session, audit })
    }
}

const UNUSABLE: &str = "not anybody's password";

fn invalid_credentials() -> Problem {
    Problem::new(
        Code::InvalidCredentials,
        "E-mail address or password is wrong.",
    )
}
