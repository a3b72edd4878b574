//! Forgetting what is over.

use async_trait::async_trait;
use futures_util::FutureExt;
use keygate_storage::{Prunable, PruneStore, StorageError, statements};
use sqlx::query;

use crate::{PostgresStore, query::execute};

/// Rows whose time is over by the server's clock, but for those that somebody holds. Each kind has an index
/// of its times, but for flushes, of which there are few.
macro_rules! prune {
    ($table:literal, $ends_at:literal) => {
        concat!(
            "DELETE FROM ",
            $table,
            " WHERE ctid = ANY (ARRAY (SELECT ctid FROM ",
            $table,
            " WHERE ",
            $ends_at,
            " < (extract(epoch FROM now()) * 1000)::bigint - $1::bigint \
            LIMIT $2 FOR UPDATE SKIP LOCKED))"
        )
    };
}

statements! {
    SESSIONS = prune!("sessions", "least(idle_ends_at, ends_at)");
    INVITATIONS = prune!("invitations", "expires_at");
    PASSWORD_RESETS = prune!("password_resets", "expires_at");
    FORMS = prune!("key_forms", "sent_at");
    /// In the order in which they were made, so that an index of times is not needed.
    AUDIT_ENTRIES = "DELETE FROM audit_entries WHERE ctid = ANY (ARRAY ( \
        SELECT ctid FROM (SELECT ctid, at FROM audit_entries ORDER BY id LIMIT $2 \
            FOR UPDATE SKIP LOCKED) AS oldest \
        WHERE at < (extract(epoch FROM now()) * 1000)::bigint - $1::bigint))";
    FLUSHES = prune!("usage_flushes", "flushed_at");
}

#[async_trait]
impl PruneStore for PostgresStore {
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
            let prune = query(sql).bind(what.kept_millis()).bind(i64::from(limit));
            async move { execute(db, prune).await }.boxed()
        })
        .await
    }
}
