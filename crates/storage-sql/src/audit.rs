use async_trait::async_trait;
use futures_util::FutureExt;
use keygate_storage::{
    Action, Actor, AuditEntry, AuditPage, AuditStore, RecordedEntry, StorageError,
};

use crate::{
    Engine, Read, SqlStore, Tx, all, exists,
    statement::{both, each, statements},
    undone::Undone,
    value::values,
};

/// Entries with the addresses of the accounts in them; what is left out filters nothing.
macro_rules! entries {
    ($condition:expr, $order:literal) => {
        concat!(
            "SELECT e.*, owner.email AS account_email, agent.email AS actor_email \
             FROM audit_entries AS e LEFT JOIN accounts AS owner ON owner.id = e.account_id \
             LEFT JOIN accounts AS agent ON agent.id = e.actor_id WHERE ",
            $condition,
            " ORDER BY ",
            $order,
            " LIMIT $5"
        )
    };
}

/// The same in SQLite, which finds them by the index of what they have in common.
macro_rules! entries_with {
    ($condition:literal) => {
        entries!(concat!($condition, " AND e.id < $4"), "e.id DESC")
    };
}

macro_rules! live_session {
    ($least:literal, $suffix:literal) => {
        concat!(
            "SELECT 1 FROM sessions WHERE id = $1 AND ",
            $least,
            "(idle_ends_at, ends_at) > $2",
            $suffix
        )
    };
}

// PostgreSQL's lists have an order that only one index has: by the numbers alone, the server may go through all
// entries for a few rare ones.
statements! {
    INSERT = both!("INSERT INTO audit_entries \
        (at, actor, actor_id, action, account_id, subject_id, detail) \
        VALUES ($1, $2, $3, $4, $5, $6, $7)");
    /// Locked, so that the session cannot end before the change that it makes.
    LIVE_SESSION = each!(
        live_session!("min", ""),
        live_session!("least", " FOR NO KEY UPDATE")
    );
    LIST = each!(
        entries_with!("$1 IS NULL AND $2 IS NULL AND $3 IS NULL"),
        entries!(
            "$1::text IS NULL AND $2::uuid IS NULL AND $3::text IS NULL AND e.id < $4",
            "e.id DESC"
        )
    );
    LIST_OF_ACTION = each!(
        entries_with!("$1 IS NULL AND $2 IS NULL AND action = $3"),
        entries!(
            "$1::text IS NULL AND $2::uuid IS NULL AND action >= $3 AND (action, e.id) < ($3, $4)",
            "action DESC, e.id DESC"
        )
    );
    LIST_OF_ACCOUNT = each!(
        entries_with!("$1 IS NULL AND e.account_id = $2 AND $3 IS NULL"),
        entries!(
            "$1::text IS NULL AND $3::text IS NULL AND e.account_id >= $2 \
             AND (e.account_id, e.id) < ($2, $4)",
            "e.account_id DESC, e.id DESC"
        )
    );
    LIST_OF_ACCOUNT_AND_ACTION = each!(
        entries_with!("$1 IS NULL AND e.account_id = $2 AND action = $3"),
        entries!(
            "$1::text IS NULL AND (e.account_id, action) >= ($2, $3) \
             AND (e.account_id, action, e.id) < ($2, $3, $4)",
            "e.account_id DESC, action DESC, e.id DESC"
        )
    );
    LIST_OF_SUBJECT = each!(
        entries_with!(
            "subject_id = $1 AND ($2 IS NULL OR e.account_id = $2) AND ($3 IS NULL OR action = $3)"
        ),
        entries!(
            "subject_id >= $1 AND (subject_id, e.id) < ($1, $4) \
             AND ($2::uuid IS NULL OR e.account_id = $2) AND ($3::text IS NULL OR action = $3)",
            "subject_id DESC, e.id DESC"
        )
    );
}

/// Undoes the change if the session is over by which an entry's actor acts; else it is not before the change is made.
pub(crate) async fn require_live_session(
    tx: &mut dyn Tx,
    entry: &AuditEntry,
) -> Result<(), Undone> {
    if let Actor::Session(_, session_id) = &entry.actor
        && !exists(tx, &LIVE_SESSION, values![*session_id, entry.at]).await?
    {
        return Err(Undone::SessionOver);
    }
    Ok(())
}

/// Writes an entry beside the change that it records, if its actor may still act.
pub(crate) async fn insert(tx: &mut dyn Tx, entry: &AuditEntry) -> Result<(), Undone> {
    require_live_session(tx, entry).await?;
    record(tx, entry).await?;
    Ok(())
}

/// Writes an entry whose actor acts by no session.
pub async fn record(tx: &mut dyn Tx, entry: &AuditEntry) -> Result<(), StorageError> {
    let row = values![
        entry.at,
        entry.actor.as_str(),
        entry.actor.account_id(),
        entry.action.as_str(),
        entry.account_id,
        &entry.subject_id,
        &entry.detail,
    ];
    tx.execute(&INSERT, row).await.map(|_| ())
}

async fn list(db: &mut dyn Read, page: AuditPage) -> Result<Vec<RecordedEntry>, StorageError> {
    let list = match (&page.subject_id, page.account_id, page.action) {
        (Some(_), ..) => &LIST_OF_SUBJECT,
        (None, Some(_), Some(_)) => &LIST_OF_ACCOUNT_AND_ACTION,
        (None, Some(_), None) => &LIST_OF_ACCOUNT,
        (None, None, Some(_)) => &LIST_OF_ACTION,
        (None, None, None) => &LIST,
    };
    let values = values![
        &page.subject_id,
        page.account_id,
        page.action.map(Action::as_str),
        page.before.unwrap_or(u64::MAX),
        page.limit,
    ];
    all(db, list, values, |row| row.recorded_entry()).await
}

#[async_trait]
impl<E: Engine> AuditStore for SqlStore<E> {
    async fn list_audit_entries(
        &self,
        page: AuditPage,
    ) -> Result<Vec<RecordedEntry>, StorageError> {
        self.read(move |db| list(db, page.clone()).boxed()).await
    }
}
