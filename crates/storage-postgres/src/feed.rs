//! The changes of all nodes, in their order.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use futures_util::FutureExt;
use keygate_core::key::KeyHash;
use keygate_storage::{ChangeFeed, Columns, FeedPage, StorageError, statements};
use sqlx::{Acquire, postgres::PgListener, query};
use tokio::{sync::Notify, time};

use crate::{
    database::Database,
    error::unavailable,
    in_task,
    query::{all, execute, optional},
    row::{PostgresRow, signed},
    usage_lock,
};

statements! {
    /// One statement, hence one snapshot: what is forgotten, what is not yet, and the end belong
    /// together.
    READ = "SELECT forgotten_through, \
            greatest(forgotten_through, (SELECT max(revision) FROM changes)) AS last, \
            revision, key_hash \
        FROM feed LEFT JOIN LATERAL ( \
            SELECT revision, key_hash FROM changes WHERE revision > $1 ORDER BY revision LIMIT $2 \
        ) AS page ON true";
    END = "SELECT greatest(forgotten_through, (SELECT max(revision) FROM changes)) AS last \
        FROM feed";
    FORGET = "WITH forgotten AS ( \
            DELETE FROM changes WHERE revision IN ( \
                SELECT revision FROM changes WHERE revision <= ( \
                    SELECT max(revision) FROM changes WHERE changed_at < now() - interval '1 hour' \
                ) ORDER BY revision LIMIT $1 \
            ) RETURNING revision \
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

/// The feed, over connections of its own.
#[derive(Clone)]
pub(crate) struct Feed(pub(crate) Database);

/// A row of a page. An empty page has one too, without a change.
struct Change {
    forgotten_through: u64,
    last: u64,
    revision: Option<u64>,
    hash: Option<KeyHash>,
}

fn read(row: &PostgresRow<'_>) -> Result<Change, StorageError> {
    let revision = row.number("revision")?;
    let hash = row.hash("key_hash")?;
    Ok(Change {
        forgotten_through: row.count("forgotten_through")?,
        last: row.count("last")?,
        revision: revision.and_then(|revision| u64::try_from(revision).ok()),
        hash: hash.map(KeyHash::from_bytes),
    })
}

fn page(changes: &[Change], after: u64) -> Result<FeedPage, StorageError> {
    let first = changes.first().ok_or(StorageError::Corrupt("feed"))?;
    // The database has been set back: it knows less than what was read.
    if first.last < after {
        return Ok(FeedPage {
            changed: Vec::new(),
            position: first.last,
            is_last: true,
            is_complete: false,
        });
    }
    let revisions = || changes.iter().filter_map(|change| change.revision);
    let hashes: Vec<KeyHash> = changes.iter().filter_map(|change| change.hash).collect();
    Ok(FeedPage {
        position: revisions()
            .next_back()
            .unwrap_or(after.max(first.forgotten_through)),
        is_last: revisions().count() < PAGE,
        is_complete: first.forgotten_through <= after && hashes.len() == revisions().count(),
        changed: hashes,
    })
}

#[async_trait]
impl ChangeFeed for Feed {
    async fn read(&self, after: u64) -> Result<FeedPage, StorageError> {
        let limit = i64::try_from(PAGE).expect("a small number");
        let feed = self.0.clone();
        // In a task of its own: who gives up waiting does not stop a connection from being made.
        let changes = in_task(async move {
            let changes = feed.read(move |db| {
                let statement = query(READ).bind(signed(after)).bind(limit);
                all(db, statement, read).boxed()
            });
            changes.await
        });
        page(&changes.await?, after)
    }
}

impl Feed {
    /// The last revision that there is.
    pub(crate) async fn end(&self) -> Result<u64, StorageError> {
        let end = self
            .0
            .read(|db| optional(db, query(END), |row| row.count("last")).boxed())
            .await?;
        end.ok_or(StorageError::Corrupt("feed"))
    }
}

/// Forgets old changes again and again, without end.
pub(crate) async fn forget_regularly(database: Database) {
    loop {
        time::sleep(FORGET_EVERY).await;
        if let Err(error) = forget(&database).await {
            tracing::warn!(%error, "old changes are not forgotten yet");
        }
    }
}

async fn forget(database: &Database) -> Result<(), StorageError> {
    let limit = i64::try_from(PAGE).expect("a small number");
    let page = || {
        // One statement, which may well be run twice: it needs no more than a reading does.
        database.read(move |db| async move { execute(db, query(FORGET).bind(limit)).await }.boxed())
    };
    while page().await? > 0 {}
    Ok(())
}

/// Wakes the reader whenever a node says that there is something new, without end. What is not
/// heard, since the connection was broken or goes through a pool that shares it, the reader finds
/// by itself. Each attempt is made by `connect` with a connection of its own, as nobody knows when one
/// goes that is broken.
pub(crate) async fn listen(connect: impl Fn() -> Database, wake: Arc<Notify>) {
    loop {
        let database = connect();
        if let Err(error) = hear(&database, &wake).await {
            tracing::debug!(%error, "listening for changes again");
        }
        time::sleep(LISTEN_AGAIN_AFTER).await;
    }
}

async fn hear(database: &Database, wake: &Notify) -> Result<(), StorageError> {
    let connect = async {
        let mut listener = PgListener::connect_with(database.pool()).await?;
        listener.listen("keygate_changes").await?;
        Ok(listener)
    };
    let connected = database.in_time(connect.map(|made| made.map_err(unavailable)));
    let mut listener = connected.await?;
    // It lasts as long as the node does, so it says that the database is in use.
    let share = async {
        let connection = listener.acquire().await.map_err(unavailable)?;
        usage_lock::share(connection).await
    };
    database.in_time(share).await?;
    loop {
        wake.notify_one();
        match time::timeout(PROBE_EVERY, listener.try_recv()).await {
            Ok(Ok(Some(_))) => {}
            Ok(Ok(None)) => return Err(StorageError::Unavailable("cut off".into())),
            Ok(Err(error)) => return Err(unavailable(error)),
            Err(_) => {
                let probe = query("SELECT 1").execute(&mut listener);
                let probe = probe.map(|probed| probed.map_err(unavailable));
                database.in_time(probe).await?;
            }
        }
    }
}
