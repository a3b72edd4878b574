use async_trait::async_trait;
use futures_util::FutureExt;
use keygate_core::AccountId;
use keygate_storage::{Actor, AuditEntry, AuditStore, Columns, StorageError, statements};
use sqlx::{PgConnection, query};

use crate::{
    PostgresStore,
    query::{all, execute, exists},
    row::ToUuid,
};

statements! {
    INSERT = "INSERT INTO audit_entries \
        (at, actor, actor_id, action, account_id, subject_id, detail) \
        VALUES ($1, $2, $3, $4, $5, $6, $7)";
    /// Locked, so that the session cannot end before the change that it makes.
    LIVE_SESSION = "SELECT 1 FROM sessions \
        WHERE id = $1 AND least(idle_ends_at, ends_at) > $2 FOR NO KEY UPDATE";
    LIST = "SELECT * FROM audit_entries WHERE $1::uuid IS NULL OR account_id = $1 \
        ORDER BY id DESC LIMIT $2";
}

/// Writes an entry, if its actor may still act.
pub(crate) async fn insert(db: &mut PgConnection, entry: &AuditEntry) -> Result<(), StorageError> {
    if let Actor::Session(_, session_id) = &entry.actor {
        let live = query(LIVE_SESSION)
            .bind(session_id.uuid())
            .bind(entry.at.as_millis());
        if !exists(db, live).await? {
            return Err(StorageError::SessionOver);
        }
    }
    let (actor, actor_id) = match &entry.actor {
        Actor::Account(id) | Actor::Session(id, _) => ("account", Some(id.uuid())),
        Actor::Operator => ("operator", None),
    };
    let row = query(INSERT)
        .bind(entry.at.as_millis())
        .bind(actor)
        .bind(actor_id)
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
        account_id: Option<AccountId>,
        limit: u32,
    ) -> Result<Vec<AuditEntry>, StorageError> {
        self.read(move |db| {
            let list = query(LIST)
                .bind(account_id.map(|id| id.uuid()))
                .bind(i64::from(limit));
            all(db, list, |row| row.audit_entry()).boxed()
        })
        .await
    }
}
