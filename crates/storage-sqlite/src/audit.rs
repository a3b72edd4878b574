use async_trait::async_trait;
use keygate_core::AccountId;
use keygate_storage::{Actor, AuditEntry, AuditStore, Columns, StorageError, statements};
use rusqlite::{Connection, params};

use crate::{SqliteStore, query};

statements! {
    INSERT = "INSERT INTO audit_entries \
        (at, actor, actor_id, action, account_id, subject_id, detail) VALUES (?, ?, ?, ?, ?, ?, ?)";
    LIVE_SESSION = "SELECT 1 FROM sessions WHERE id = ?1 AND min(idle_ends_at, ends_at) > ?2";
    LIST = "SELECT * FROM audit_entries ORDER BY id DESC LIMIT ?";
    LIST_OF_ACCOUNT = "SELECT * FROM audit_entries WHERE account_id = ? ORDER BY id DESC LIMIT ?";
}

/// Writes an entry, if its actor may still act.
pub(crate) fn insert(db: &Connection, entry: &AuditEntry) -> Result<(), StorageError> {
    if let Actor::Session(_, session_id) = &entry.actor {
        let params = params![session_id.as_bytes(), entry.at.as_millis()];
        if !query::exists(db, LIVE_SESSION, params)? {
            return Err(StorageError::SessionOver);
        }
    }
    let (actor, actor_id) = match &entry.actor {
        Actor::Account(id) | Actor::Session(id, _) => ("account", Some(id.as_bytes())),
        Actor::Operator => ("operator", None),
    };
    let params = params![
        entry.at.as_millis(),
        actor,
        actor_id,
        entry.action.as_str(),
        entry.account_id.as_ref().map(AccountId::as_bytes),
        entry.subject_id,
        entry.detail,
    ];
    query::execute(db, INSERT, params).map(|_| ())
}

#[async_trait]
impl AuditStore for SqliteStore {
    async fn list_audit_entries(
        &self,
        account_id: Option<AccountId>,
        limit: u32,
    ) -> Result<Vec<AuditEntry>, StorageError> {
        self.read(move |db| match account_id {
            Some(id) => query::all(db, LIST_OF_ACCOUNT, params![id.as_bytes(), limit], |row| {
                row.audit_entry()
            }),
            None => query::all(db, LIST, [limit], |row| row.audit_entry()),
        })
        .await
    }
}
