use async_trait::async_trait;
use futures_util::FutureExt;
use keygate_core::{Account, AccountId, ClientMark, SessionId, Timestamp, TokenHash};
use keygate_storage::{
    AuditEntry, MAX_KNOWN_CLIENTS, MAX_SESSIONS, Made, Session, SessionStore, StorageError,
};

use crate::{
    Engine, Read, SqlStore, Tx, all, audit,
    columns::{account_columns, session_columns},
    exists, links, optional, owners,
    statement::{both, each, locked, statements},
    undone::Undone,
    value::values,
};

/// Sessions and their accounts, of which some are to be chosen.
macro_rules! sessions {
    ($condition:expr) => {
        concat!(
            "SELECT ",
            session_columns!(),
            " FROM sessions JOIN accounts ON accounts.id = sessions.account_id WHERE ",
            $condition
        )
    };
}

macro_rules! list {
    ($least:literal) => {
        sessions!(concat!(
            "account_id = $1 AND ",
            $least,
            "(idle_ends_at, ends_at) > $2 ORDER BY last_seen_at DESC, sessions.id DESC LIMIT 100"
        ))
    };
}

statements! {
    LOOKUP = both!(sessions!("token_hash = $1"));
    LIST = each!(list!("min"), list!("least"));
    /// Locked, so that neither changes before the session is there to be ended by it.
    MAY_SIGN_IN = locked!(
        "SELECT 1 FROM accounts WHERE id = $1 AND password_hash = $2 AND suspended_at IS NULL",
        "FOR NO KEY UPDATE"
    );
    INSERT = both!("INSERT INTO sessions (id, account_id, token_hash, created_at, last_seen_at, \
        idle_ends_at, ends_at, address, user_agent) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)");
    DELETE_OVER = each!(
        "DELETE FROM sessions WHERE account_id = $1 AND min(idle_ends_at, ends_at) <= $2",
        "DELETE FROM sessions WHERE account_id = $1 AND least(idle_ends_at, ends_at) <= $2"
    );
    /// All but those that were used last. SQLite has no offset without a limit.
    DELETE_LEAST_USED = both!("DELETE FROM sessions WHERE id IN (SELECT id FROM sessions \
        WHERE account_id = $1 ORDER BY last_seen_at DESC, id DESC LIMIT 1000000 OFFSET $2)");
    KNOWS = both!("SELECT 1 FROM known_clients WHERE account_id = $1 AND mark = $2");
    KNOW = both!("INSERT INTO known_clients (account_id, mark, signed_in_at) VALUES ($1, $2, $3) \
        ON CONFLICT (account_id, mark) DO UPDATE SET signed_in_at = excluded.signed_in_at");
    FORGET_CLIENTS = both!("DELETE FROM known_clients WHERE account_id = $1 AND mark NOT IN \
        (SELECT mark FROM known_clients WHERE account_id = $1 \
        ORDER BY signed_in_at DESC, mark LIMIT $2)");
    /// Where somebody else is about it already, that is enough.
    TOUCH = each!(
        "UPDATE sessions \
         SET last_seen_at = max(last_seen_at, $2), idle_ends_at = max(idle_ends_at, $3) \
         WHERE id = $1 AND min(idle_ends_at, ends_at) > $2",
        "UPDATE sessions SET last_seen_at = greatest(last_seen_at, $2), \
         idle_ends_at = greatest(idle_ends_at, $3) \
         WHERE id = (SELECT id FROM sessions WHERE id = $1 \
         AND least(idle_ends_at, ends_at) > $2 FOR NO KEY UPDATE SKIP LOCKED)"
    );
    EXISTS = locked!(
        "SELECT 1 FROM sessions WHERE account_id = $1 AND id = $2",
        "FOR UPDATE"
    );
    DELETE = both!("DELETE FROM sessions WHERE id = $1");
    DELETE_OTHERS = both!("DELETE FROM sessions WHERE account_id = $1 AND id <> $2");
}

/// Keeps a session of an account that is known to be there.
pub(crate) async fn insert(tx: &mut dyn Tx, session: &Session) -> Result<(), StorageError> {
    let account_id = session.account_id;
    let kept = values![account_id, MAX_SESSIONS - 1];
    tx.execute(&DELETE_LEAST_USED, kept).await?;
    let address = session.origin.address.map(|address| address.to_string());
    let row = values![
        session.id,
        account_id,
        &session.token_hash,
        session.created_at,
        session.last_seen_at,
        session.idle_ends_at,
        session.ends_at,
        &address,
        &session.origin.user_agent,
    ];
    tx.execute(&INSERT, row).await?;
    know_client(tx, session).await
}

async fn know_client(tx: &mut dyn Tx, session: &Session) -> Result<(), StorageError> {
    let account_id = session.account_id;
    for mark in &session.origin.marks {
        let row = values![account_id, mark, session.created_at];
        tx.execute(&KNOW, row).await?;
    }
    let kept = values![account_id, MAX_KNOWN_CLIENTS];
    tx.execute(&FORGET_CLIENTS, kept).await.map(|_| ())
}

async fn sign_in(
    tx: &mut dyn Tx,
    session: Session,
    password_hash: String,
    audit: AuditEntry,
) -> Result<bool, Undone> {
    let account_id = session.account_id;
    if !exists(tx, &MAY_SIGN_IN, values![account_id, &password_hash]).await? {
        return Ok(false);
    }
    let over = values![account_id, session.created_at];
    tx.execute(&DELETE_OVER, over).await?;
    insert(tx, &session).await?;
    audit::insert(tx, &audit).await?;
    Ok(true)
}

async fn delete(
    tx: &mut dyn Tx,
    account_id: AccountId,
    id: SessionId,
    audit: AuditEntry,
) -> Result<bool, Undone> {
    owners::lock(tx, account_id, &audit).await?;
    if !exists(tx, &EXISTS, values![account_id, id]).await? {
        return Ok(false);
    }
    // Before the session ends: it is the one that ends itself.
    audit::insert(tx, &audit).await?;
    tx.execute(&DELETE, values![id]).await?;
    if audit.actor.session_id() != Some(id) {
        links::forget_of_session(tx, id).await?;
    }
    Ok(true)
}

async fn delete_others(
    tx: &mut dyn Tx,
    account_id: AccountId,
    kept: SessionId,
    audit: AuditEntry,
) -> Result<(), Undone> {
    owners::lock(tx, account_id, &audit).await?;
    audit::insert(tx, &audit).await?;
    tx.execute(&DELETE_OTHERS, values![account_id, kept])
        .await?;
    links::forget_others(tx, account_id, kept).await?;
    Ok(())
}

async fn touch(
    tx: &mut dyn Tx,
    id: SessionId,
    seen_at: Timestamp,
    idle_ends_at: Timestamp,
) -> Result<(), StorageError> {
    let touch = values![id, seen_at, idle_ends_at];
    tx.execute(&TOUCH, touch).await.map(|_| ())
}

async fn knows(
    db: &mut dyn Read,
    account_id: AccountId,
    mark: ClientMark,
) -> Result<bool, StorageError> {
    exists(db, &KNOWS, values![account_id, &mark]).await
}

async fn lookup(
    db: &mut dyn Read,
    token_hash: TokenHash,
) -> Result<Option<(Session, Account)>, StorageError> {
    optional(db, &LOOKUP, values![&token_hash], |row| row.session()).await
}

async fn list(
    db: &mut dyn Read,
    account_id: AccountId,
    now: Timestamp,
) -> Result<Vec<Session>, StorageError> {
    all(db, &LIST, values![account_id, now], |row| {
        Ok(row.session()?.0)
    })
    .await
}

#[async_trait]
impl<E: Engine> SessionStore for SqlStore<E> {
    async fn insert_session(
        &self,
        session: Session,
        password_hash: String,
        audit: AuditEntry,
    ) -> Result<Made<bool>, StorageError> {
        self.change(move |tx| sign_in(tx, session, password_hash, audit).boxed())
            .await
    }

    async fn knows_client(
        &self,
        account_id: AccountId,
        mark: ClientMark,
    ) -> Result<bool, StorageError> {
        self.read(move |db| knows(db, account_id, mark).boxed())
            .await
    }

    async fn lookup_session(
        &self,
        token_hash: TokenHash,
    ) -> Result<Option<(Session, Account)>, StorageError> {
        self.read(move |db| lookup(db, token_hash).boxed()).await
    }

    async fn touch_session(
        &self,
        id: SessionId,
        seen_at: Timestamp,
        idle_ends_at: Timestamp,
    ) -> Result<(), StorageError> {
        self.write(move |tx| touch(tx, id, seen_at, idle_ends_at).boxed())
            .await
    }

    async fn list_sessions(
        &self,
        account_id: AccountId,
        now: Timestamp,
    ) -> Result<Vec<Session>, StorageError> {
        self.read(move |db| list(db, account_id, now).boxed()).await
    }

    async fn delete_session(
        &self,
        account_id: AccountId,
        id: SessionId,
        audit: AuditEntry,
    ) -> Result<Made<bool>, StorageError> {
        self.change(move |tx| delete(tx, account_id, id, audit).boxed())
            .await
    }

    async fn delete_other_sessions(
        &self,
        account_id: AccountId,
        kept: SessionId,
        audit: AuditEntry,
    ) -> Result<Made<()>, StorageError> {
        self.change(move |tx| delete_others(tx, account_id, kept, audit).boxed())
            .await
    }
}
