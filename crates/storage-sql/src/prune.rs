//! Forgetting what is over.

use async_trait::async_trait;
use futures_util::FutureExt;
use keygate_storage::{Prunable, PruneStore, StorageError};

use crate::{
    Engine, SqlStore, Statement, Tx,
    statement::{each, statements},
    value::values,
};

/// Rows whose time is over by the database's clock, which is the machine's in SQLite. In PostgreSQL, but for those
/// that somebody holds. Each kind has an index of its times, but for flushes, of which there are few.
macro_rules! prune {
    ($table:literal, $key:literal, $ends_at:literal) => {
        prune!($table, $key, $ends_at, $ends_at)
    };
    ($table:literal, $key:literal, $sqlite_ends_at:literal, $postgres_ends_at:literal) => {
        each!(
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
                $sqlite_ends_at,
                " < CAST(unixepoch('subsec') * 1000 AS INTEGER) - $1 LIMIT $2)"
            ),
            concat!(
                "DELETE FROM ",
                $table,
                " WHERE ctid = ANY (ARRAY (SELECT ctid FROM ",
                $table,
                " WHERE ",
                $postgres_ends_at,
                " < (extract(epoch FROM now()) * 1000)::bigint - $1::bigint \
                LIMIT $2 FOR UPDATE SKIP LOCKED))"
            )
        )
    };
}

statements! {
    SESSIONS = prune!(
        "sessions", "id", "min(idle_ends_at, ends_at)", "least(idle_ends_at, ends_at)"
    );
    INVITATIONS = prune!("invitations", "token_hash", "expires_at");
    PASSWORD_RESETS = prune!("password_resets", "account_id", "expires_at");
    FORMS = prune!("key_forms", "account_id, form_id", "sent_at");
    /// In the order in which they were made, so that an index of times is not needed.
    AUDIT_ENTRIES = each!(
        "DELETE FROM audit_entries WHERE id IN \
         (SELECT id FROM audit_entries ORDER BY id LIMIT $2) \
         AND at < CAST(unixepoch('subsec') * 1000 AS INTEGER) - $1",
        "DELETE FROM audit_entries WHERE ctid = ANY (ARRAY ( \
         SELECT ctid FROM (SELECT ctid, at FROM audit_entries ORDER BY id LIMIT $2 \
             FOR UPDATE SKIP LOCKED) AS oldest \
         WHERE at < (extract(epoch FROM now()) * 1000)::bigint - $1::bigint))"
    );
    FLUSHES = prune!("usage_flushes", "recorder_id", "flushed_at");
}

const fn statement(what: Prunable) -> &'static Statement {
    match what {
        Prunable::Session => &SESSIONS,
        Prunable::Invitation => &INVITATIONS,
        Prunable::PasswordReset => &PASSWORD_RESETS,
        Prunable::Form => &FORMS,
        Prunable::Flush => &FLUSHES,
        Prunable::AuditEntry(_) => &AUDIT_ENTRIES,
    }
}

async fn prune(tx: &mut dyn Tx, what: Prunable, limit: u32) -> Result<u64, StorageError> {
    let values = values![what.kept_millis(), limit];
    tx.execute(statement(what), values).await
}

#[async_trait]
impl<E: Engine> PruneStore for SqlStore<E> {
    async fn prune(&self, what: Prunable, limit: u32) -> Result<u64, StorageError> {
        self.write(move |tx| prune(tx, what, limit).boxed()).await
    }
}
