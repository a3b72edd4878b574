use std::sync::Arc;

use async_trait::async_trait;
use futures_util::FutureExt;
use keygate_storage::{StorageError, UsageFlush, UsageStore, statements};
use sqlx::{query, types::Uuid};

use crate::{
    PostgresStore,
    query::execute,
    row::{ToUuid, signed},
};

statements! {
    BEGIN = "INSERT INTO usage_flushes (recorder_id, number, flushed_at) VALUES ($1, $2, (extract(epoch FROM now()) * 1000)::bigint) \
        ON CONFLICT (recorder_id) DO UPDATE \
        SET number = excluded.number, flushed_at = excluded.flushed_at \
        WHERE usage_flushes.number < excluded.number";
    /// A row for each key that has none. The key is locked, so that it is not deleted meanwhile.
    ADD = "INSERT INTO key_uses (key_id, last_used_at, request_count) \
        SELECT id, 0, 0 FROM api_keys WHERE id = ANY($1) \
        AND NOT EXISTS (SELECT 1 FROM key_uses WHERE key_id = id) \
        ORDER BY id FOR KEY SHARE OF api_keys ON CONFLICT DO NOTHING";
    /// Rows are locked in the order of their ids, so that flushes of several nodes wait for each
    /// other instead of getting stuck.
    RECORD = "WITH uses AS ( \
            SELECT * FROM unnest($1::uuid[], $2::bigint[], $3::bigint[]) \
            AS uses (key_id, last_used_at, requests) \
        ), locked AS ( \
            SELECT key_id FROM key_uses WHERE key_id = ANY($1) ORDER BY key_id FOR NO KEY UPDATE \
        ) \
        UPDATE key_uses SET last_used_at = greatest(key_uses.last_used_at, uses.last_used_at), \
            request_count = request_count + uses.requests \
        FROM uses JOIN locked USING (key_id) WHERE key_uses.key_id = uses.key_id";
}

#[async_trait]
impl UsageStore for PostgresStore {
    async fn record_uses(&self, flush: Arc<UsageFlush>) -> Result<(), StorageError> {
        self.write(move |db| {
            async move {
                let number = signed(flush.number);
                let begin = query(BEGIN).bind(flush.recorder.uuid()).bind(number);
                if execute(db, begin).await? == 0 {
                    return Ok(());
                }
                let uses = &flush.uses;
                let ids: Vec<Uuid> = uses.iter().map(|one| one.key_id.uuid()).collect();
                let at: Vec<i64> = uses
                    .iter()
                    .map(|one| one.last_used_at.as_millis())
                    .collect();
                let requests: Vec<i64> = uses.iter().map(|one| signed(one.requests)).collect();
                execute(db, query(ADD).bind(ids.clone())).await?;
                let record = query(RECORD).bind(ids).bind(at).bind(requests);
                execute(db, record).await.map(|_| ())
            }
            .boxed()
        })
        .await
    }
}
