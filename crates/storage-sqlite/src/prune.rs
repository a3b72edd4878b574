//! Forgetting what is over.

use async_trait::async_trait;
use keygate_storage::{Prunable, PruneStore, StorageError, statements};
use rusqlite::params;

use crate::{SqliteStore, query};

/// Rows whose time is over by the database's clock, which is the machine's. Each kind has an index of its
/// times, but for flushes, of which there are few.
macro_rules! prune {
    ($table:literal, $key:literal, $ends_at:literal) => {
        concat!(
            "DELETE FROM ",
            $table,
            " WHERE (",
            $key,
            ") IN (SELECT ",
            $key,
            " FROM ",
            $table,
            " WHERE ",
            $ends_at,
            " < CAST(unixepoch('subsec') * 1000 AS INTEGER) - ?1 LIMIT ?2)"
        )
    };
}

statements! {
    SESSIONS = prune!("sessions", "id", "min(idle_ends_at, ends_at)");
    INVITATIONS = prune!("invitations", "token_hash", "expires_at");
    PASSWORD_RESETS = prune!("password_resets", "account_id", "expires_at");
    FORMS = prune!("key_forms", "account_id, form_id", "sent_at");
    /// In the order in which they were made, so that an index of times is not needed.
    AUDIT_ENTRIES = "DELETE FROM audit_entries WHERE id IN \
        (SELECT id FROM audit_entries ORDER BY id LIMIT ?2) \
        AND at < CAST(unixepoch('subsec') * 1000 AS INTEGER) - ?1";
    FLUSHES = prune!("usage_flushes", "recorder_id", "flushed_at");
}

#[async_trait]
impl PruneStore for SqliteStore {
    async fn prune(&self, what: Prunable, limit: u32) -> Result<u64, StorageError> {
        let sql = match what {
            Prunable::Session => SESSIONS,
            Prunable::Invitation => INVITATIONS,
            Prunable::PasswordReset => PASSWORD_RESETS,
            Prunable::Form => FORMS,
            Prunable::Flush => FLUSHES,
            Prunable::AuditEntry(_) => AUDIT_ENTRIES,
        };
        self.write(move |db| {
            let pruned = query::execute(db, sql, params![what.kept_millis(), limit])?;
            Ok(pruned as u64)
        })
        .await
    }
}
