use async_trait::async_trait;
use keygate_core::{Account, SessionId, Timestamp, TokenHash};
use keygate_storage::{
    AuditEntry, Columns, Session, SessionStore, StorageError, account_columns, statements,
};
use rusqlite::params;

use crate::{SqliteStore, query};

statements! {
    LOOKUP = concat!(
        "SELECT ", account_columns!(), ", sessions.id AS session_id, token_hash, last_seen_at, \
         sessions.created_at AS session_created_at, idle_ends_at, ends_at \
         FROM sessions JOIN accounts ON accounts.id = sessions.account_id WHERE token_hash = ?"
    );
    EXISTS = "SELECT 1 FROM sessions WHERE id = ?";
    INSERT = "INSERT INTO sessions \
        (id, account_id, token_hash, created_at, last_seen_at, idle_ends_at, ends_at) \
        VALUES (?, ?, ?, ?, ?, ?, ?)";
    MAY_SIGN_IN = "SELECT 1 FROM accounts WHERE id = ? AND password_hash = ? AND suspended_at IS NULL";
    DELETE_OVER = "DELETE FROM sessions WHERE account_id = ?1 AND min(idle_ends_at, ends_at) <= ?2";
    TOUCH = "UPDATE sessions \
        SET last_seen_at = max(last_seen_at, ?2), idle_ends_at = max(idle_ends_at, ?3) WHERE id = ?1";
    DELETE = "DELETE FROM sessions WHERE id = ?";
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
            let row = params![
                session.id.as_bytes(),
                account_id,
                session.token_hash.as_bytes(),
                now,
                session.last_seen_at.as_millis(),
                session.idle_ends_at.as_millis(),
                session.ends_at.as_millis(),
            ];
            query::execute(db, INSERT, row)?;
            db.audit(&audit)?;
            Ok(true)
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

    async fn delete_session(&self, id: SessionId, audit: AuditEntry) -> Result<bool, StorageError> {
        self.write(move |db| {
            let found = query::exists(db, EXISTS, [id.as_bytes()])?;
            if found {
                // Before the session ends: it is the one that ends itself.
                db.audit(&audit)?;
                query::execute(db, DELETE, [id.as_bytes()])?;
            }
            Ok(found)
        })
        .await
    }
}
