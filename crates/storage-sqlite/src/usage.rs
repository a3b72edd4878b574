use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use keygate_storage::{StorageError, UsageFlush, UsageStore, statements};
use rusqlite::params;

use crate::{SqliteStore, query};

statements! {
    BEGIN = "INSERT INTO usage_flushes (recorder_id, number, flushed_at) VALUES (?, ?, ?) \
        ON CONFLICT (recorder_id) DO UPDATE SET number = excluded.number, flushed_at = excluded.flushed_at \
        WHERE number < excluded.number";
    RECORD = "UPDATE api_keys SET last_used_at = max(coalesce(last_used_at, 0), ?2), \
        request_count = request_count + ?3 WHERE id = ?1";
    FORGET = "DELETE FROM usage_flushes WHERE flushed_at < ?";
}

/// After this long without a flush a recorder is gone, and tries none again.
const FORGET_AFTER: Duration = Duration::from_hours(7 * 24);

#[async_trait]
impl UsageStore for SqliteStore {
    async fn record_uses(&self, flush: Arc<UsageFlush>) -> Result<(), StorageError> {
        self.write(move |db| {
            let UsageFlush {
                recorder,
                number,
                at,
                uses,
            } = &*flush;
            let row = params![recorder.as_bytes(), number, at.as_millis()];
            if query::execute(db, BEGIN, row)? == 0 {
                return Ok(());
            }
            for one in uses {
                let row = params![
                    one.key_id.as_bytes(),
                    one.last_used_at.as_millis(),
                    one.requests
                ];
                query::execute(db, RECORD, row)?;
            }
            if *number == 1 {
                query::execute(db, FORGET, [at.minus(FORGET_AFTER).as_millis()])?;
            }
            Ok(())
        })
        .await
    }
}
