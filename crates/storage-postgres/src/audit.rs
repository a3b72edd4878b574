use async_trait::async_trait;
use futures_util::FutureExt;
use keygate_storage::{
    Action, Actor, AuditEntry, AuditPage, AuditStore, Columns, RecordedEntry, StorageError,
    statements,
};
use sqlx::{PgConnection, query};

use crate::{
    PostgresStore,
    query::{all, execute, exists},
    row::{ToUuid, signed},
};

/// Entries with the addresses of the accounts in them; what is left out filters nothing. By an order that only
/// one index has: by the numbers alone, the server may go through all entries for a few rare ones.
macro_rules! entries {
    ($condition:literal, $order:literal) => {
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

statements! {
    INSERT = "INSERT INTO audit_entries \
        (at, actor, actor_id, action, account_id, subject_id, detail) \
        VALUES ($1, $2, $3, $4, $5, $6, $7)";
    /// Locked, so that the session cannot end before the change that it makes.
    LIVE_SESSION = "SELECT 1 FROM sessions \
        WHERE id = $1 AND least(idle_ends_at, ends_at) > $2 FOR NO KEY UPDATE";
    LIST = entries!(
        "$1::text IS NULL AND $2::uuid IS NULL AND $3::text IS NULL AND e.id < $4",
        "e.id DESC"
    );
    LIST_OF_ACTION = entries!(
        "$1::text IS NULL AND $2::uuid IS NULL AND action >= $3 AND (action, e.id) < ($3, $4)",
        "action DESC, e.id DESC"
    );
    LIST_OF_ACCOUNT = entries!(
        "$1::text IS NULL AND $3::text IS NULL AND e.account_id >= $2 \
         AND (e.account_id, e.id) < ($2, $4)",
        "e.account_id DESC, e.id DESC"
    );
    LIST_OF_ACCOUNT_AND_ACTION = entries!(
        "$1::text IS NULL AND (e.account_id, action) >= ($2, $3) \
         AND (e.account_id, action, e.id) < ($2, $3, $4)",
        "e.account_id DESC, action DESC, e.id DESC"
    );
    LIST_OF_SUBJECT = entries!(
        "subject_id >= $1 AND (subject_id, e.id) < ($1, $4) \
         AND ($2::uuid IS NULL OR e.account_id = $2) AND ($3::text IS NULL OR action = $3)",
        "subject_id DESC, e.id DESC"
    );
}

/// Fails if the session is over by which an entry's actor acts.
pub(crate) async fn require_live_session(
    db: &mut PgConnection,
    entry: &AuditEntry,
) -> Result<(), StorageError> {
    if let Actor::Session(_, session_id) = &entry.actor {
        let live = query(LIVE_SESSION)
            .bind(session_id.uuid())
            .bind(entry.at.as_millis());
        if !exists(db, live).await? {
            return Err(StorageError::SessionOver);
        }
    }
    Ok(())
}

/// Writes an entry, if its actor may still act.
pub(crate) async fn insert(db: &mut PgConnection, entry: &AuditEntry) -> Result<(), StorageError> {
    require_live_session(db, entry).await?;
    let actor_id = entry.actor.account_id();
    let row = query(INSERT)
        .bind(entry.at.as_millis())
        .bind(entry.actor.as_str())
        .bind(actor_id.map(|id| id.uuid()))
        .bind(entry.action.as_str())
        .bind(entry.account_id.map(|id| id.uuid()))
        .bind(&entry.subject_id)
        .bind(&entry.detail);
    execute(db, row).await.map(|_| ())
}

#[async_trait]
impl AuditStore for PostgresStore {
    async fn list_audit_entries(
        &self,
        page: AuditPage,
    ) -> Result<Vec<RecordedEntry>, StorageError> {
        let sql = match (&page.subject_id, page.account_id, page.action) {
            (Some(_), ..) => LIST_OF_SUBJECT,
            (None, Some(_), Some(_)) => LIST_OF_ACCOUNT_AND_ACTION,
            (None, Some(_), None) => LIST_OF_ACCOUNT,
            (None, None, Some(_)) => LIST_OF_ACTION,
            (None, None, None) => LIST,
        };
        self.read(move |db| {
            let list = query(sql)
                .bind(page.subject_id.clone())
                .bind(page.account_id.map(|id| id.uuid()))
                .bind(page.action.map(Action::as_str))
                .bind(page.before.map_or(i64::MAX, signed))
                .bind(i64::from(page.limit));
            all(db, list, |row| row.recorded_entry()).boxed()
        })
        .await
    }
}
