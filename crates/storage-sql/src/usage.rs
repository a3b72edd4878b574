use std::sync::Arc;

use async_trait::async_trait;
use futures_util::FutureExt;
use keygate_storage::{KeyUse, StorageError, UsageFlush, UsageStore};

use crate::{
    Dialect, Engine, SqlStore, Tx, Value,
    statement::{each, postgres, sqlite, statements},
    value::{signed, values},
};

macro_rules! begin {
    ($now:literal) => {
        concat!(
            "INSERT INTO usage_flushes (recorder_id, number, flushed_at) VALUES ($1, $2, ",
            $now,
            ") ON CONFLICT (recorder_id) DO UPDATE \
             SET number = excluded.number, flushed_at = excluded.flushed_at \
             WHERE usage_flushes.number < excluded.number"
        )
    };
}

statements! {
    BEGIN = each!(
        begin!("CAST(unixepoch('subsec') * 1000 AS INTEGER)"),
        begin!("(extract(epoch FROM now()) * 1000)::bigint")
    );
    RECORD_ONE = sqlite!("UPDATE key_uses SET last_used_at = max(last_used_at, $2), \
        request_count = request_count + $3 WHERE key_id = $1");
    RECORD_FIRST = sqlite!("INSERT INTO key_uses (key_id, last_used_at, request_count) \
        SELECT id, $2, $3 FROM api_keys WHERE id = $1");
    /// A row for each key that has none. The key is locked, so that it is not deleted meanwhile.
    ADD_ALL = postgres!("INSERT INTO key_uses (key_id, last_used_at, request_count) \
        SELECT id, 0, 0 FROM api_keys WHERE id = ANY($1) \
        AND NOT EXISTS (SELECT 1 FROM key_uses WHERE key_id = id) \
        ORDER BY id FOR KEY SHARE OF api_keys ON CONFLICT DO NOTHING");
    /// Rows are locked in the order of their ids, so that flushes of several nodes wait for each other instead
    /// of getting stuck.
    RECORD_ALL = postgres!("WITH uses AS ( \
            SELECT * FROM unnest($1::uuid[], $2::bigint[], $3::bigint[]) \
            AS uses (key_id, last_used_at, requests) \
        ), locked AS ( \
            SELECT key_id FROM key_uses WHERE key_id = ANY($1) ORDER BY key_id FOR NO KEY UPDATE \
        ) \
        UPDATE key_uses SET last_used_at = greatest(key_uses.last_used_at, uses.last_used_at), \
            request_count = request_count + uses.requests \
        FROM uses JOIN locked USING (key_id) WHERE key_uses.key_id = uses.key_id");
}

async fn record(tx: &mut dyn Tx, flush: Arc<UsageFlush>) -> Result<(), StorageError> {
    let begin = values![flush.recorder, flush.number];
    if tx.execute(&BEGIN, begin).await? == 0 {
        return Ok(());
    }
    match tx.dialect() {
        Dialect::Sqlite => record_each(tx, &flush.uses).await,
        Dialect::Postgres => record_all(tx, &flush.uses).await,
    }
}

/// One by one, where a statement costs no way to a server.
async fn record_each(tx: &mut dyn Tx, uses: &[KeyUse]) -> Result<(), StorageError> {
    for one in uses {
        let row = values![one.key_id, one.last_used_at, one.requests];
        if tx.execute(&RECORD_ONE, row).await? == 0 {
            tx.execute(&RECORD_FIRST, row).await?;
        }
    }
    Ok(())
}

/// All at once, as arrays.
async fn record_all(tx: &mut dyn Tx, uses: &[KeyUse]) -> Result<(), StorageError> {
    let ids: Vec<[u8; 16]> = uses.iter().map(|one| *one.key_id.as_bytes()).collect();
    let at: Vec<i64> = uses
        .iter()
        .map(|one| one.last_used_at.as_millis())
        .collect();
    let requests: Vec<i64> = uses.iter().map(|one| signed(one.requests)).collect();
    tx.execute(&ADD_ALL, &[Value::Ids(&ids)]).await?;
    let rows = &[
        Value::Ids(&ids),
        Value::Numbers(&at),
        Value::Numbers(&requests),
    ];
    tx.execute(&RECORD_ALL, rows).await.map(|_| ())
}

#[async_trait]
impl<E: Engine> UsageStore for SqlStore<E> {
    async fn record_uses(&self, flush: Arc<UsageFlush>) -> Result<(), StorageError> {
        self.write(move |tx| record(tx, flush).boxed()).await
    }
}
