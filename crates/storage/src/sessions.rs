use std::net::IpAddr;

use async_trait::async_trait;
use keygate_core::{Account, AccountId, ClientMark, SessionId, Timestamp, TokenHash};

use crate::{AuditEntry, Made, StorageError};

/// A signed-in browser or script.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    /// Its id, which is not its token.
    pub id: SessionId,
    /// Whose it is.
    pub account_id: AccountId,
    /// The hash of the cookie's token.
    pub token_hash: TokenHash,
    /// When it began.
    pub created_at: Timestamp,
    /// When it was last used, to the second or so.
    pub last_seen_at: Timestamp,
    /// The first moment at which it is over if it is not used before.
    pub idle_ends_at: Timestamp,
    /// The first moment at which it is over in any case.
    pub ends_at: Timestamp,
    /// Where it began.
    pub origin: SessionOrigin,
}

/// How many sessions an account has at most. Another one takes the place of the one that was not used for the
/// longest time.
pub const MAX_SESSIONS: u32 = 100;

/// By how many marks the clients of an account are known at most; the newest.
pub const MAX_KNOWN_CLIENTS: u32 = 40;

/// A session that begins in the transaction of the change by which somebody has just shown that an
/// account is theirs.
#[derive(Debug, Clone)]
pub struct BeginSession {
    /// The session.
    pub session: Session,
    /// The record of it, beside that of the change.
    pub audit: AuditEntry,
}

/// Where a session began, as far as is known.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SessionOrigin {
    /// The client's address.
    pub address: Option<IpAddr>,
    /// What the client calls itself (`User-Agent`, RFC 9110 section 10.1.5).
    pub user_agent: Option<String>,
    /// By what the client is known again. Kept with the account, not told with the session.
    pub marks: Vec<ClientMark>,
}

impl Session {
    /// Whether the session is over at `now`.
    pub fn is_over(&self, now: Timestamp) -> bool {
        self.idle_ends_at.min(self.ends_at) <= now
    }
}

/// Sessions.
#[async_trait]
pub trait SessionStore: Send + Sync {
    /// Keeps a new session, and drops those of the same account that are over or too many. By the marks of
    /// its origin its client is known from now on. False, and nothing is kept, if the account is suspended or its password's hash is no longer the one by which
    /// somebody has just signed in.
    async fn insert_session(
        &self,
        session: Session,
        password_hash: String,
        audit: AuditEntry,
    ) -> Result<Made<bool>, StorageError>;

    /// Whether somebody has signed in to an account by a client with this mark.
    async fn knows_client(
        &self,
        account_id: AccountId,
        mark: ClientMark,
    ) -> Result<bool, StorageError>;

    /// The session with this token, over or not, and its account.
    async fn lookup_session(
        &self,
        token_hash: TokenHash,
    ) -> Result<Option<(Session, Account)>, StorageError>;

    /// Notes that a session was used. It never comes back to life by this, nor ends earlier: one that is
    /// over at `seen_at` stays as it is.
    async fn touch_session(
        &self,
        id: SessionId,
        seen_at: Timestamp,
        idle_ends_at: Timestamp,
    ) -> Result<(), StorageError>;

    /// Up to 100 sessions of an account that are not over at `now`, the last used first.
    async fn list_sessions(
        &self,
        account_id: AccountId,
        now: Timestamp,
    ) -> Result<Vec<Session>, StorageError>;

    /// Ends a session of this account. Unless it ends itself, the links that it made end with it. False if
    /// there is none.
    async fn delete_session(
        &self,
        account_id: AccountId,
        id: SessionId,
        audit: AuditEntry,
    ) -> Result<Made<bool>, StorageError>;

    /// Ends all sessions of this account but one, and all links of the account that this one did not make.
    async fn delete_other_sessions(
        &self,
        account_id: AccountId,
        kept: SessionId,
        audit: AuditEntry,
    ) -> Result<Made<()>, StorageError>;
}
