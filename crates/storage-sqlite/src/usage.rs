use async_trait::async_trait;
use keygate_core::{KeyId, Timestamp};
use keygate_storage::{StorageError, UsageStore};
use rusqlite::params;

use crate::{SqliteStore, query};

const RECORD: &str =
    "UPDATE api_keys SET last_used_at = max(coalesce(last_used_at, 0), ?2) WHERE id = ?1";

#[async_trait]
impl UsageStore for SqliteStore {
    async fn record_last_used(
        &self,
        mut uses: Vec<(KeyId, Timestamp)>,
    ) -> Result<(), StorageError> {
        // In the order of the table, so that each of its pages is looked for once.
        uses.sort_unstable();
        self.write(move |db| {
            for (id, used_at) in &uses {
                query::execute(db, RECORD, params![id.as_bytes(), used_at.as_millis()])?;
            }
            Ok(())
        })
        .await
    }
}
