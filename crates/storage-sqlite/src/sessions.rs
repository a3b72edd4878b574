use async_trait::async_trait;
use keygate_core::{Account, AccountId, ClientMark, SessionId, Timestamp, TokenHash};
use keygate_storage::{
    AuditEntry, Columns, MAX_KNOWN_CLIENTS, MAX_SESSIONS, Session, SessionStore, StorageError,
    session_columns, statements,
};
use rusqlite::params;

use crate::{SqliteStore, links, query, writer::Write};

statements! {
    LOOKUP = concat!(
        "SELECT ", session_columns!(), " FROM sessions \
         JOIN accounts ON accounts.id = sessions.account_id WHERE token_hash = ?"
    );
    LIST = concat!(
        "SELECT ", session_columns!(), " FROM sessions \
         JOIN accounts ON accounts.id = sessions.account_id \
         WHERE account_id = ?1 AND min(idle_ends_at, ends_at) > ?2 \
         ORDER BY last_seen_at DESC, sessions.id DESC LIMIT 100"
    );
    EXISTS = "SELECT 1 FROM sessions WHERE account_id = ? AND id = ?";
    INSERT = "INSERT INTO sessions (id, account_id, token_hash, created_at, last_seen_at, \
        idle_ends_at, ends_at, address, user_agent) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)";
    MAY_SIGN_IN = "SELECT 1 FROM accounts WHERE id = ? AND password_hash = ? AND suspended_at IS NULL";
    DELETE_OVER = "DELETE FROM sessions WHERE account_id = ?1 AND min(idle_ends_at, ends_at) <= ?2";
    /// All but those that were used last.
    DELETE_LEAST_USED = "DELETE FROM sessions WHERE id IN (SELECT id FROM sessions \
        WHERE account_id = ?1 ORDER BY last_seen_at DESC, id DESC LIMIT -1 OFFSET ?2)";
    KNOWS = "SELECT 1 FROM known_clients WHERE account_id = ? AND mark = ?";
    KNOW = "INSERT INTO known_clients (account_id, mark, signed_in_at) VALUES (?, ?, ?) \
        ON CONFLICT (account_id, mark) DO UPDATE SET signed_in_at = excluded.signed_in_at";
    FORGET_CLIENTS = "DELETE FROM known_clients WHERE account_id = ?1 AND mark NOT IN \
        (SELECT mark FROM known_clients WHERE account_id = ?1 \
        ORDER BY signed_in_at DESC, mark LIMIT ?2)";
    TOUCH = "UPDATE sessions \
        SET last_seen_at = max(last_seen_at, ?2), idle_ends_at = max(idle_ends_at, ?3) \
        WHERE id = ?1 AND min(idle_ends_at, ends_at) > ?2";
    DELETE = "DELETE FROM sessions WHERE id = ?";
    DELETE_OTHERS = "DELETE FROM sessions WHERE account_id = ? AND id <> ?";
}

/// Keeps a session of an account that is known to be there.
pub(crate) fn insert(db: &Write<'_>, session: &Session) -> Result<(), StorageError> {
    let account_id = session.account_id.as_bytes();
    query::execute(db, DELETE_LEAST_USED, params![account_id, MAX_SESSIONS - 1])?;
    let row = params![
        session.id.as_bytes(),
        session.account_id.as_bytes(),
        session.token_hash.as_bytes(),
        session.created_at.as_millis(),
        session.last_seen_at.as_millis(),
        session.idle_ends_at.as_millis(),
        session.ends_at.as_millis(),
        session.origin.address.map(|address| address.to_string()),
        session.origin.user_agent,
    ];
    query::execute(db, INSERT, row)?;
    know_client(db, session)
}

fn know_client(db: &Write<'_>, session: &Session) -> Result<(), StorageError> {
    let account_id = session.account_id.as_bytes();
    for mark in &session.origin.marks {
        let row = params![account_id, mark.as_bytes(), session.created_at.as_millis()];
        query::execute(db, KNOW, row)?;
    }
    query::execute(db, FORGET_CLIENTS, params![account_id, MAX_KNOWN_CLIENTS]).map(|_| ())
}

#[async_trait]
impl SessionStore for SqliteStore {
    async fn insert_session(
        &self,
        session: Session,
        password_hash: String,
        audit: AuditEntry,
    ) -> Result<bool, StorageError> {
        self.write(move |db| {
            let account_id = session.account_id.as_bytes();
            if !query::exists(db, MAY_SIGN_IN, params![account_id, password_hash])? {
                return Ok(false);
            }
            let now = session.created_at.as_millis();
            query::execute(db, DELETE_OVER, params![account_id, now])?;
            insert(db, &session)?;
            db.audit(&audit)?;
            Ok(true)
        })
        .await
    }

    async fn knows_client(
        &self,
        account_id: AccountId,
        mark: ClientMark,
    ) -> Result<bool, StorageError> {
        self.read(move |db| {
            let params = params![account_id.as_bytes(), mark.as_bytes()];
            query::exists(db, KNOWS, params)
        })
        .await
    }

    async fn lookup_session(
        &self,
        token_hash: TokenHash,
    ) -> Result<Option<(Session, Account)>, StorageError> {
        self.read(move |db| {
            query::optional(db, LOOKUP, [token_hash.as_bytes()], |row| row.session())
        })
        .await
    }

    async fn touch_session(
        &self,
        id: SessionId,
        seen_at: Timestamp,
        idle_ends_at: Timestamp,
    ) -> Result<(), StorageError> {
        self.write(move |db| {
            let params = params![id.as_bytes(), seen_at.as_millis(), idle_ends_at.as_millis()];
            query::execute(db, TOUCH, params).map(|_| ())
        })
        .await
    }

    async fn list_sessions(
        &self,
        account_id: AccountId,
        now: Timestamp,
    ) -> Result<Vec<Session>, StorageError> {
        self.read(move |db| {
            let params = params![account_id.as_bytes(), now.as_millis()];
            query::all(db, LIST, params, |row| Ok(row.session()?.0))
        })
        .await
    }

    async fn delete_session(
        &self,
        account_id: AccountId,
        id: SessionId,
        audit: AuditEntry,
    ) -> Result<bool, StorageError> {
        self.write(move |db| {
            let ids = [account_id.as_bytes(), id.as_bytes()];
            let found = query::exists(db, EXISTS, ids)?;
            if found {
                // Before the session ends: it is the one that ends itself.
                db.audit(&audit)?;
                query::execute(db, DELETE, [id.as_bytes()])?;
                if audit.actor.session_id() != Some(id) {
                    links::forget_of_session(db, id)?;
                }
            }
            Ok(found)
        })
        .await
    }

    async fn delete_other_sessions(
        &self,
        account_id: AccountId,
        kept: SessionId,
        audit: AuditEntry,
    ) -> Result<(), StorageError> {
        self.write(move |db| {
            db.audit(&audit)?;
            let ids = [account_id.as_bytes(), kept.as_bytes()];
            query::execute(db, DELETE_OTHERS, ids)?;
            links::forget_others(db, account_id, kept)
        })
        .await
    }
}
