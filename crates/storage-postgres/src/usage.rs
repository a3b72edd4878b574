use std::{sync::Arc, time::Duration};

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
    BEGIN = "INSERT INTO usage_flushes (recorder_id, number, flushed_at) VALUES ($1, $2, $3) \
        ON CONFLICT (recorder_id) DO UPDATE \
        SET number = excluded.number, flushed_at = excluded.flushed_at \
        WHERE usage_flushes.number < excluded.number";
    /// Keys are locked in the order of their ids, so that flushes of several nodes wait for each
    /// other instead of getting stuck.
    RECORD = "WITH uses AS ( \
            SELECT * FROM unnest($1::uuid[], $2::bigint[], $3::bigint[]) \
            AS uses (id, last_used_at, requests) \
        ), locked AS ( \
            SELECT api_keys.id FROM api_keys JOIN uses USING (id) ORDER BY id \
            FOR NO KEY UPDATE OF api_keys \
        ) \
        UPDATE api_keys SET last_used_at = greatest(api_keys.last_used_at, uses.last_used_at), \
            request_count = request_count + uses.requests \
        FROM uses JOIN locked USING (id) WHERE api_keys.id = uses.id";
    FORGET = "DELETE FROM usage_flushes WHERE flushed_at < $1";
}

/// After this long without a flush a recorder is gone, and tries none again.
const FORGET_AFTER: Duration = Duration::from_hours(7 * 24);

#[async_trait]
impl UsageStore for PostgresStore {
    async fn record_uses(&self, flush: Arc<UsageFlush>) -> Result<(), StorageError> {
        self.write(move |db| {
            async move {
                let number = signed(flush.number);
                let begin = query(BEGIN)
                    .bind(flush.recorder.uuid())
                    .bind(number)
                    .bind(flush.at.as_millis());
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
                execute(db, query(RECORD).bind(ids).bind(at).bind(requests)).await?;
                if number == 1 {
                    let long_ago = flush.at.minus(FORGET_AFTER).as_millis();
                    execute(db, query(FORGET).bind(long_ago)).await?;
                }
                Ok(())
            }
            .boxed()
        })
        .await
    }
}
