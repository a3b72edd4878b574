//! The changes of all nodes, in their order.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use futures_util::FutureExt;
use keygate_storage::{ChangeFeed, FeedPage, StorageError, statements};
use sqlx::{
    postgres::{PgListener, PgRow},
    query,
};
use tokio::{sync::Notify, time};

use crate::{
    database::Database,
    query::{all, execute, optional},
    row::{Columns, signed},
};

statements! {
    /// One statement, hence one snapshot: what is forgotten and what is not yet belong together.
    READ = "SELECT forgotten_through, revision, key_hash \
        FROM feed LEFT JOIN LATERAL ( \
            SELECT revision, key_hash FROM changes WHERE revision > $1 ORDER BY revision LIMIT $2 \
        ) AS page ON true";
    END = "SELECT greatest(forgotten_through, (SELECT max(revision) FROM changes)) AS revision \
        FROM feed";
    FORGET = "WITH forgotten AS ( \
            DELETE FROM changes WHERE changed_at < now() - interval '1 hour' RETURNING revision \
        ) \
        UPDATE feed SET forgotten_through = greatest(forgotten_through, \
            (SELECT max(revision) FROM forgotten)) \
        WHERE EXISTS (SELECT 1 FROM forgotten)";
}

/// How many changes are read at once.
const PAGE: usize = 10_000;
/// How often changes are forgotten that every node has read, or has to start anew.
const FORGET_EVERY: Duration = Duration::from_mins(10);

/// How long to wait before the next attempt to listen.
const LISTEN_AGAIN_AFTER: Duration = Duration::from_millis(500);
/// How often to look whether the connection on which nothing is heard is there.
const PROBE_EVERY: Duration = Duration::from_secs(2);

#[derive(Clone)]
pub(crate) struct Feed(pub(crate) Database);

/// A row of a page, or of an empty one.
type Change = Option<(u64, keygate_core::key::KeyHash)>;

fn read(row: &PgRow) -> Result<(u64, Change), StorageError> {
    let revision: Option<i64> = row.column("revision")?;
    let change = match revision {
        Some(_) => Some((row.count("revision")?, row.key_hash("key_hash")?)),
        None => None,
    };
    Ok((row.count("forgotten_through")?, change))
}

#[async_trait]
impl ChangeFeed for Feed {
    async fn read(&self, after: u64) -> Result<FeedPage, StorageError> {
        let page = i64::try_from(PAGE).expect("a small number");
        let rows = self
            .0
            .read(move |db| all(db, query(READ).bind(signed(after)).bind(page), read).boxed())
            .await?;
        let forgotten_through = rows.first().map_or(0, |(forgotten, _)| *forgotten);
        let changes: Vec<_> = rows.into_iter().filter_map(|(_, change)| change).collect();
        let last = changes.last().map(|(revision, _)| *revision);
        Ok(FeedPage {
            is_last: changes.len() < PAGE,
            is_continuous: forgotten_through <= after,
            position: last.unwrap_or(after.max(forgotten_through)),
            changed: changes.into_iter().map(|(_, hash)| hash).collect(),
        })
    }
}

impl Feed {
    /// The last revision that there is.
    pub(crate) async fn end(&self) -> Result<u64, StorageError> {
        let end = self
            .0
            .read(|db| optional(db, query(END), |row| row.count("revision")).boxed())
            .await?;
        end.ok_or(StorageError::Corrupt("feed"))
    }

    /// Forgets old changes again and again, without end.
    pub(crate) async fn forget_regularly(self) {
        loop {
            time::sleep(FORGET_EVERY).await;
            let forgotten = self
                .0
                .read(|db| async move { execute(db, query(FORGET)).await }.boxed())
                .await;
            if let Err(error) = forgotten {
                tracing::warn!(%error, "old changes are not forgotten yet");
            }
        }
    }

    /// Wakes the reader whenever a node says that there is something new, without end. What is not
    /// heard, since the connection was broken or goes through a pool that shares it, the reader finds
    /// by itself.
    pub(crate) async fn listen(self, wake: Arc<Notify>) {
        loop {
            if let Err(error) = self.hear(&wake).await {
                tracing::debug!(%error, "listening for changes again");
            }
            time::sleep(LISTEN_AGAIN_AFTER).await;
        }
    }

    async fn hear(&self, wake: &Notify) -> Result<(), StorageError> {
        let unavailable = |error: sqlx::Error| StorageError::Unavailable(error.to_string());
        let connect = async {
            let mut listener = PgListener::connect_with(self.0.pool()).await?;
            listener.listen("keygate_changes").await?;
            Ok(listener)
        };
        let connected = self
            .0
            .in_time(connect.map(|made| made.map_err(unavailable)));
        let mut listener = connected.await?;
        loop {
            wake.notify_one();
            match time::timeout(PROBE_EVERY, listener.try_recv()).await {
                Ok(Ok(Some(_))) => {}
                Ok(Ok(None)) => return Err(StorageError::Unavailable("cut off".into())),
                Ok(Err(error)) => return Err(unavailable(error)),
                Err(_) => {
                    let probe = query("SELECT 1").execute(&mut listener);
                    let probe = probe.map(|probed| probed.map_err(unavailable));
                    self.0.in_time(probe).await?;
                }
            }
        }
    }
}
