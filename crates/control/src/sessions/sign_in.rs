use std::net::IpAddr;

use keygate_core::{
    Account, AccountId, ClientMark, Code, EmailAddress, Password, Problem, SessionId, Token,
};
use keygate_storage::{Action, Actor, BeginSession, Session, SessionOrigin, StoredAccount};

use crate::{Control, SignedInSession, throttle::Counted};

/// Somebody who wants a session.
#[derive(Debug, Clone, Copy)]
pub struct Client<'a> {
    /// From where they ask.
    pub address: IpAddr,
    /// What their browser or script calls itself (`User-Agent`).
    pub user_agent: Option<&'a str>,
    /// The token that their browser has kept since somebody signed in with it.
    pub browser: Option<&'a str>,
    /// Whether it keeps such a token if it gets one.
    pub keeps_token: bool,
}

/// So much of a client's own name is kept, in characters.
const MAX_USER_AGENT: usize = 256;

impl Client<'_> {
    /// The origin of a session that begins in a browser which keeps this token.
    fn origin(&self, browser: Option<&Token>) -> SessionOrigin {
        let shown = |c: &char| !c.is_control();
        let user_agent = self.user_agent;
        SessionOrigin {
            address: Some(self.address),
            user_agent: user_agent
                .map(|name| name.chars().filter(shown).take(MAX_USER_AGENT).collect()),
            marks: [ClientMark::of_site(self.address)]
                .into_iter()
                .chain(browser.map(ClientMark::of_browser))
                .collect(),
        }
    }

    fn browser(&self) -> Option<Token> {
        self.browser.and_then(Token::parse)
    }
}

/// A session that has just begun.
#[derive(Debug)]
pub struct SignedIn {
    /// Its account.
    pub account: Account,
    /// The cookie's value.
    pub token: Token,
    /// What a browser keeps, so that it is known when somebody signs in with it again.
    pub browser: Option<Token>,
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
            let _counted = self.attempts.count_address(client.address)?;
            return Err(invalid_credentials());
        };
        let stored = self.lookup_account(&email).await?;
        let id = stored.as_ref().map(|stored| stored.account.id);
        let counted = self.count_attempt(&email, id, client).await?;
        let stored = self
            .check_password(stored, password, client.address, counted)
            .await?;
        if stored.account.suspended_at.is_some() {
            return Err(keygate_core::Denial::AccountSuspended.into());
        }
        // Whoever knows the password could fill the record with sessions.
        let counted = self.count_change_of(&stored.account)?;
        let begun = self.start_session(&stored.account, stored.password_hash, client);
        let begun = begun.await;
        if begun.is_err() {
            self.take_back_change(counted);
        }
        begun
    }

    /// The account of somebody who is signed in, if this is its password.
    pub(crate) async fn check_own_password(
        &self,
        signed_in: &SignedInSession,
        password: &str,
        client: &Client<'_>,
    ) -> Result<StoredAccount, Problem> {
        let counted = self.attempts.count_session(signed_in.session.id)?;
        let stored = self.lookup_account(&signed_in.account.email).await?;
        self.check_password(stored, password, client.address, counted)
            .await
    }

    async fn lookup_account(&self, email: &EmailAddress) -> Result<Option<StoredAccount>, Problem> {
        Ok(self.store.lookup_account(email).await?)
    }

    /// Counts an attempt to sign in. Whoever would be refused as a stranger is asked after: who has signed in
    /// to the account before has attempts that no stranger uses up.
    async fn count_attempt(
        &self,
        email: &EmailAddress,
        account_id: Option<AccountId>,
        client: &Client<'_>,
    ) -> Result<Counted, Problem> {
        let refused = match self.attempts.count_stranger(email, client.address) {
            Ok(counted) => return Ok(counted),
            Err(refused) => refused,
        };
        // Nobody's, where there is no account: the answer takes as long.
        let id = account_id.unwrap_or(AccountId::from_bytes([0; 16]));
        let knows = async |mark| self.store.knows_client(id, mark).await;
        if let Some(browser) = client.browser().as_ref().map(ClientMark::of_browser)
            && knows(browser).await?
        {
            return self.attempts.count_known_browser(email, browser);
        }
        if knows(ClientMark::of_site(client.address)).await? {
            return self.attempts.count_known_site(email, client.address);
        }
        Err(refused)
    }

    /// The account, if this is its password. The one place where that is asked.
    async fn check_password(
        &self,
        stored: Option<StoredAccount>,
        password: &str,
        address: IpAddr,
        counted: Counted,
    ) -> Result<StoredAccount, Problem> {
        let hash = stored.as_ref().map(|stored| stored.password_hash.clone());
        // What is too short or too long to be anybody's password costs the same work.
        let (password, hash) = match Password::parse(password) {
            Ok(password) => (password, hash),
            Err(_) => (Password::parse(UNUSABLE).expect("long enough"), None),
        };
        let verified = self.passwords.verify(password, hash, address).await;
        if !matches!(verified, Ok(false)) {
            self.attempts.take_back(counted);
        }
        let right = verified?;
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
        inserted??
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
        let new = || client.keeps_token.then(|| Token::generate(&*self.random));
        let browser = client.browser().or_else(new);
        let now = self.clock.now();
        let session = Session {
            id: SessionId::generate(now, &*self.random),
            account_id: account.id,
            token_hash: token.hash(),
            created_at: now,
            last_seen_at: now,
            idle_ends_at: now.plus(self.policy.session_idle),
            ends_at: now.plus(self.policy.session_absolute),
            origin: client.origin(browser.as_ref()),
        };
        let actor = Actor::Account(account.id);
        let mut audit = self.entry(actor, Action::SessionCreate, account.id);
        audit.subject_id = Some(session.id.to_string());
        let account = account.clone();
        let signed_in = SignedIn {
            account,
            token,
            browser,
        };
        (signed_in, BeginSession { session, audit })
    }
}

const UNUSABLE: &str = "not anybody's password";

fn invalid_credentials() -> Problem {
    Problem::new(
        Code::InvalidCredentials,
        "E-mail address or password is wrong.",
    )
}
