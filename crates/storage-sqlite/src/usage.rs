use std::sync::Arc;

use async_trait::async_trait;
use keygate_storage::{StorageError, UsageFlush, UsageStore, statements};
use rusqlite::params;

use crate::{SqliteStore, query};

statements! {
    BEGIN = "INSERT INTO usage_flushes (recorder_id, number, flushed_at) \
        VALUES (?, ?, CAST(unixepoch('subsec') * 1000 AS INTEGER)) \
        ON CONFLICT (recorder_id) DO UPDATE SET number = excluded.number, flushed_at = excluded.flushed_at \
        WHERE number < excluded.number";
    RECORD = "UPDATE key_uses SET last_used_at = max(last_used_at, ?2), \
        request_count = request_count + ?3 WHERE key_id = ?1";
    RECORD_FIRST = "INSERT INTO key_uses (key_id, last_used_at, request_count) \
        SELECT id, ?2, ?3 FROM api_keys WHERE id = ?1";
}

#[async_trait]
impl UsageStore for SqliteStore {
    async fn record_uses(&self, flush: Arc<UsageFlush>) -> Result<(), StorageError> {
        self.write(move |db| {
            let UsageFlush {
                recorder,
                number,
                uses,
            } = &*flush;
            let row = params![recorder.as_bytes(), number];
            if query::execute(db, BEGIN, row)? == 0 {
                return Ok(());
            }
            for one in uses {
                let row = params![
                    one.key_id.as_bytes(),
                    one.last_used_at.as_millis(),
                    one.requests
                ];
                if query::execute(db, RECORD, row)? == 0 {
                    query::execute(db, RECORD_FIRST, row)?;
                }
            }
            Ok(())
        })
        .await
    }
}
