use async_trait::async_trait;
use keygate_core::AccountId;
use keygate_storage::{
    Action, Actor, AuditEntry, AuditPage, AuditStore, Columns, RecordedEntry, StorageError,
    statements,
};
use rusqlite::{Connection, params};

use crate::{SqliteStore, query};

/// Entries with the addresses of the accounts in them, by one index; what is left out filters nothing.
macro_rules! entries {
    ($condition:literal) => {
        concat!(
            "SELECT e.*, owner.email AS account_email, agent.email AS actor_email \
             FROM audit_entries AS e LEFT JOIN accounts AS owner ON owner.id = e.account_id \
             LEFT JOIN accounts AS agent ON agent.id = e.actor_id WHERE ",
            $condition,
            " AND e.id < ?4 ORDER BY e.id DESC LIMIT ?5"
        )
    };
}

statements! {
    INSERT = "INSERT INTO audit_entries \
        (at, actor, actor_id, action, account_id, subject_id, detail) VALUES (?, ?, ?, ?, ?, ?, ?)";
    LIVE_SESSION = "SELECT 1 FROM sessions WHERE id = ?1 AND min(idle_ends_at, ends_at) > ?2";
    LIST = entries!("?1 IS NULL AND ?2 IS NULL AND ?3 IS NULL");
    LIST_OF_ACTION = entries!("?1 IS NULL AND ?2 IS NULL AND action = ?3");
    LIST_OF_ACCOUNT = entries!("?1 IS NULL AND e.account_id = ?2 AND ?3 IS NULL");
    LIST_OF_ACCOUNT_AND_ACTION =
        entries!("?1 IS NULL AND e.account_id = ?2 AND action = ?3");
    LIST_OF_SUBJECT = entries!(
        "subject_id = ?1 AND (?2 IS NULL OR e.account_id = ?2) AND (?3 IS NULL OR action = ?3)"
    );
}

/// Writes an entry, if its actor may still act.
pub(crate) fn insert(db: &Connection, entry: &AuditEntry) -> Result<(), StorageError> {
    if let Actor::Session(_, session_id) = &entry.actor {
        let params = params![session_id.as_bytes(), entry.at.as_millis()];
        if !query::exists(db, LIVE_SESSION, params)? {
            return Err(StorageError::SessionOver);
        }
    }
    let actor_id = entry.actor.account_id();
    let params = params![
        entry.at.as_millis(),
        entry.actor.as_str(),
        actor_id.as_ref().map(AccountId::as_bytes),
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
            let params = params![
                page.subject_id,
                page.account_id.as_ref().map(AccountId::as_bytes),
                page.action.map(Action::as_str),
                i64::try_from(page.before.unwrap_or(u64::MAX)).unwrap_or(i64::MAX),
                page.limit,
            ];
            query::all(db, sql, params, |row| row.recorded_entry())
        })
        .await
    }
}
