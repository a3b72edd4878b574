use async_trait::async_trait;
use futures_util::FutureExt;
use keygate_core::{Account, AccountId, ClientMark, SessionId, Timestamp, TokenHash};
use keygate_storage::{
    AuditEntry, Columns, MAX_KNOWN_CLIENTS, MAX_SESSIONS, Session, SessionStore, StorageError,
    session_columns, statements,
};
use sqlx::{PgConnection, query};

use crate::{
    PostgresStore, links,
    query::{all, execute, exists, optional},
    row::ToUuid,
};

statements! {
    INSERT = "INSERT INTO sessions \
        (id, account_id, token_hash, created_at, last_seen_at, idle_ends_at, ends_at, address, \
         user_agent) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)";
    /// Locked, so that neither changes before the session is there to be ended by it.
    MAY_SIGN_IN = "SELECT 1 FROM accounts \
        WHERE id = $1 AND password_hash = $2 AND suspended_at IS NULL FOR NO KEY UPDATE";
    DELETE_OVER = "DELETE FROM sessions \
        WHERE account_id = $1 AND least(idle_ends_at, ends_at) <= $2";
    /// All but those that were used last.
    DELETE_LEAST_USED = "DELETE FROM sessions WHERE id IN (SELECT id FROM sessions \
        WHERE account_id = $1 ORDER BY last_seen_at DESC, id DESC OFFSET $2)";
    KNOWS = "SELECT 1 FROM known_clients WHERE account_id = $1 AND mark = $2";
    KNOW = "INSERT INTO known_clients (account_id, mark, signed_in_at) VALUES ($1, $2, $3) \
        ON CONFLICT (account_id, mark) DO UPDATE SET signed_in_at = excluded.signed_in_at";
    FORGET_CLIENTS = "DELETE FROM known_clients WHERE account_id = $1 AND mark NOT IN \
        (SELECT mark FROM known_clients WHERE account_id = $1 \
        ORDER BY signed_in_at DESC, mark LIMIT $2)";
    LOOKUP = concat!(
        "SELECT ", session_columns!(), " FROM sessions \
         JOIN accounts ON accounts.id = sessions.account_id WHERE token_hash = $1"
    );
    LIST = concat!(
        "SELECT ", session_columns!(), " FROM sessions \
         JOIN accounts ON accounts.id = sessions.account_id \
         WHERE account_id = $1 AND least(idle_ends_at, ends_at) > $2 \
         ORDER BY last_seen_at DESC, sessions.id DESC LIMIT 100"
    );
    /// Where somebody else is about it already, that is enough.
    TOUCH = "UPDATE sessions SET last_seen_at = greatest(last_seen_at, $2), \
        idle_ends_at = greatest(idle_ends_at, $3) \
        WHERE id = (SELECT id FROM sessions WHERE id = $1 \
        AND least(idle_ends_at, ends_at) > $2 FOR NO KEY UPDATE SKIP LOCKED)";
    EXISTS = "SELECT 1 FROM sessions WHERE account_id = $1 AND id = $2 FOR UPDATE";
    DELETE = "DELETE FROM sessions WHERE id = $1";
    DELETE_OTHERS = "DELETE FROM sessions WHERE account_id = $1 AND id <> $2";
}

/// Keeps a session of an account that is known to be there.
pub(crate) async fn insert(db: &mut PgConnection, session: &Session) -> Result<(), StorageError> {
    let delete = query(DELETE_LEAST_USED)
        .bind(session.account_id.uuid())
        .bind(i64::from(MAX_SESSIONS - 1));
    execute(db, delete).await?;
    let row = query(INSERT)
        .bind(session.id.uuid())
        .bind(session.account_id.uuid())
        .bind(session.token_hash.as_bytes())
        .bind(session.created_at.as_millis())
        .bind(session.last_seen_at.as_millis())
        .bind(session.idle_ends_at.as_millis())
        .bind(session.ends_at.as_millis())
        .bind(session.origin.address.map(|address| address.to_string()))
        .bind(&session.origin.user_agent);
    execute(db, row).await?;
    know_client(db, session).await
}

async fn know_client(db: &mut PgConnection, session: &Session) -> Result<(), StorageError> {
    let account_id = session.account_id.uuid();
    for mark in &session.origin.marks {
        let row = query(KNOW)
            .bind(account_id)
            .bind(mark.as_bytes())
            .bind(session.created_at.as_millis());
        execute(db, row).await?;
    }
    let forget = query(FORGET_CLIENTS)
        .bind(account_id)
        .bind(i64::from(MAX_KNOWN_CLIENTS));
    execute(db, forget).await.map(|_| ())
}

#[async_trait]
impl SessionStore for PostgresStore {
    async fn insert_session(
        &self,
        session: Session,
        password_hash: String,
        audit: AuditEntry,
    ) -> Result<bool, StorageError> {
        self.write(move |db| {
            async move {
                let account_id = session.account_id.uuid();
                let may = query(MAY_SIGN_IN).bind(account_id).bind(&password_hash);
                if !exists(db, may).await? {
                    return Ok(false);
                }
                let now = session.created_at.as_millis();
                execute(db, query(DELETE_OVER).bind(account_id).bind(now)).await?;
                insert(db, &session).await?;
                db.audit(&audit).await?;
                Ok(true)
            }
            .boxed()
        })
        .await
    }

    async fn knows_client(
        &self,
        account_id: AccountId,
        mark: ClientMark,
    ) -> Result<bool, StorageError> {
        self.read(move |db| {
            let knows = query(KNOWS)
                .bind(account_id.uuid())
                .bind(mark.as_bytes().to_vec());
            exists(db, knows).boxed()
        })
        .await
    }

    async fn lookup_session(
        &self,
        token_hash: TokenHash,
    ) -> Result<Option<(Session, Account)>, StorageError> {
        self.read(move |db| {
            let lookup = query(LOOKUP).bind(token_hash.as_bytes().to_vec());
            optional(db, lookup, |row| row.session()).boxed()
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
            let touch = query(TOUCH)
                .bind(id.uuid())
                .bind(seen_at.as_millis())
                .bind(idle_ends_at.as_millis());
            async move { execute(db, touch).await.map(|_| ()) }.boxed()
        })
        .await
    }

    async fn list_sessions(
        &self,
        account_id: AccountId,
        now: Timestamp,
    ) -> Result<Vec<Session>, StorageError> {
        self.read(move |db| {
            let list = query(LIST).bind(account_id.uuid()).bind(now.as_millis());
            all(db, list, |row| Ok(row.session()?.0)).boxed()
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
            async move {
                db.lock_accounts(account_id, &audit).await?;
                let lookup = query(EXISTS).bind(account_id.uuid()).bind(id.uuid());
                let found = exists(db, lookup).await?;
                if found {
                    // Before the session ends: it is the one that ends itself.
                    db.audit(&audit).await?;
                    execute(db, query(DELETE).bind(id.uuid())).await?;
                    if audit.actor.session_id() != Some(id) {
                        links::forget_of_session(db, id).await?;
                    }
                }
                Ok(found)
            }
            .boxed()
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
            async move {
                db.lock_accounts(account_id, &audit).await?;
                db.audit(&audit).await?;
                let delete = query(DELETE_OTHERS)
                    .bind(account_id.uuid())
                    .bind(kept.uuid());
                execute(db, delete).await?;
                links::forget_others(db, account_id, kept).await
            }
            .boxed()
        })
        .await
    }
}
