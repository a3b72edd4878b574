//! The changes of all nodes, in their order.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use futures_util::FutureExt;
use keygate_core::{Timestamp, key::KeyHash};
use keygate_storage::{ChangeFeed, ChangeMark, Continuity, FeedPage, FeedPosition, StorageError};
use keygate_storage_sql::{Columns, signed};
use sqlx::{Acquire, postgres::PgListener, query, types::Uuid};
use tokio::{sync::Notify, time};

use crate::{
    database::Database,
    error::storage_error,
    in_task,
    query::{all, execute, optional},
    row::PostgresRow,
    statements::statements,
    usage_lock,
};

statements! {
    /// One statement, hence one snapshot: what is forgotten, what is not yet, and the end belong
    /// together.
    /// Whoever restarts or replaces a server changes `server`; whoever writes rows anew changes their
    /// `xmin`.
    READ = "SELECT forgotten_through, \
            extract(epoch FROM pg_postmaster_start_time()) || '/' || pg_relation_filenode('changes') AS server, \
            seen.identity AS seen_identity, seen.inserted_by AS seen_inserted_by, \
            newest.revision AS last, newest.identity AS last_identity, newest.inserted_by AS last_inserted_by, \
            page.revision, page.identity, page.inserted_by, page.key_hash \
        FROM feed LEFT JOIN LATERAL ( \
            SELECT identity, xmin::text AS inserted_by FROM changes WHERE revision = $1 \
        ) AS seen ON true LEFT JOIN LATERAL ( \
            SELECT revision, identity, xmin::text AS inserted_by FROM changes ORDER BY revision DESC LIMIT 1 \
        ) AS newest ON true LEFT JOIN LATERAL ( \
            SELECT revision, identity, xmin::text AS inserted_by, key_hash FROM changes \
            WHERE revision > $1 ORDER BY revision LIMIT $2 \
        ) AS page ON true";
    NEWEST_OF = "SELECT revision, identity, (extract(epoch FROM changed_at) * 1000)::bigint AS at \
        FROM changes JOIN unnest($1::bigint[], $2::uuid[]) AS known (revision, identity) \
            USING (revision, identity) \
        ORDER BY revision DESC LIMIT 1";
    /// The newest change stays: a trigger sees to that, whichever version deletes.
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
struct Row {
    forgotten_through: u64,
    /// The change up to which was read, as it is now, and the newest there is.
    seen: Option<FeedPosition>,
    newest: Option<FeedPosition>,
    change: Option<(FeedPosition, Option<KeyHash>)>,
}

fn read(row: &PostgresRow<'_>, asked: u64) -> Result<Row, StorageError> {
    let server: String = row.some_text("server")?;
    let position = |revision: Option<u64>, identity, inserted_by| {
        let (Some(revision), Some(identity)) = (revision, row.id(identity)?) else {
            return Ok(None);
        };
        let inserted_by = row.some_text(inserted_by)?;
        Ok::<_, StorageError>(Some(FeedPosition {
            mark: ChangeMark {
                revision,
                identity: u128::from_be_bytes(identity),
            },
            origin: format!("{server}/{inserted_by}"),
        }))
    };
    let revision = |name| {
        let revision = row.number(name)?;
        Ok::<_, StorageError>(revision.and_then(|revision| u64::try_from(revision).ok()))
    };
    let change = position(revision("revision")?, "identity", "inserted_by")?;
    let hash = row.hash("key_hash")?.map(KeyHash::from_bytes);
    Ok(Row {
        forgotten_through: row.count("forgotten_through")?,
        seen: position(Some(asked), "seen_identity", "seen_inserted_by")?,
        newest: position(revision("last")?, "last_identity", "last_inserted_by")?,
        change: change.map(|change| (change, hash)),
    })
}

impl Row {
    /// Where the feed ends.
    fn end(&self) -> FeedPosition {
        self.newest.clone().unwrap_or_else(|| FeedPosition {
            mark: ChangeMark {
                revision: self.forgotten_through,
                identity: 0,
            },
            origin: String::new(),
        })
    }

    fn continuity(&self, after: &FeedPosition) -> Continuity {
        let revision = after.mark.revision;
        match &self.seen {
            Some(seen) if seen == after => Continuity::Same,
            Some(seen) if seen.mark == after.mark => Continuity::Moved,
            // Forgotten, and others came after it.
            None if revision <= self.forgotten_through && revision < self.end().mark.revision => {
                Continuity::Same
            }
            // There was no change yet, and there is none.
            None if self.end() == *after => Continuity::Same,
            _ => Continuity::Lost,
        }
    }
}

fn page(rows: Vec<Row>, after: &FeedPosition) -> Result<FeedPage, StorageError> {
    let first = rows.first().ok_or(StorageError::Corrupt("feed"))?;
    let continuity = first.continuity(after);
    if continuity != Continuity::Same || first.forgotten_through > after.mark.revision {
        let end = first.end();
        return Ok(FeedPage {
            continuity,
            changed: Vec::new(),
            marks: vec![end.mark],
            position: end,
            is_last: true,
            is_complete: false,
        });
    }
    let changes: Vec<_> = rows.into_iter().filter_map(|row| row.change).collect();
    let hashes: Vec<KeyHash> = changes.iter().filter_map(|(_, hash)| *hash).collect();
    Ok(FeedPage {
        continuity,
        is_last: changes.len() < PAGE,
        is_complete: hashes.len() == changes.len(),
        changed: hashes,
        marks: changes.iter().map(|(change, _)| change.mark).collect(),
        position: changes
            .into_iter()
            .next_back()
            .map_or_else(|| after.clone(), |(change, _)| change),
    })
}

#[async_trait]
impl ChangeFeed for Feed {
    async fn read(&self, after: &FeedPosition) -> Result<FeedPage, StorageError> {
        page(self.rows(after.mark.revision).await?, after)
    }

    async fn newest_of(
        &self,
        marks: Vec<ChangeMark>,
    ) -> Result<Option<(ChangeMark, Timestamp)>, StorageError> {
        let revisions: Vec<i64> = marks.iter().map(|mark| signed(mark.revision)).collect();
        let identities = marks.iter().map(|mark| Uuid::from_u128(mark.identity));
        let identities: Vec<Uuid> = identities.collect();
        let read = self.0.read(move |db| {
            let find = query(NEWEST_OF)
                .bind(revisions.clone())
                .bind(identities.clone());
            let found = optional(db, find, |row| {
                let identity = row.id("identity")?.unwrap_or_default();
                let mark = ChangeMark {
                    revision: row.count("revision")?,
                    identity: u128::from_be_bytes(identity),
                };
                Ok((mark, row.timestamp("at")?))
            });
            found.boxed()
        });
        read.await
    }
}

impl Feed {
    async fn rows(&self, after: u64) -> Result<Vec<Row>, StorageError> {
        let limit = i64::try_from(PAGE).expect("a small number");
        let feed = self.0.clone();
        // In a task of its own: who gives up waiting does not stop a connection from being made.
        let rows = in_task(async move {
            let rows = feed.read(move |db| {
                let statement = query(READ).bind(signed(after)).bind(limit);
                all(db, statement, move |row| read(row, after)).boxed()
            });
            rows.await
        });
        rows.await
    }

    /// Where the feed ends now.
    pub(crate) async fn end(&self) -> Result<FeedPosition, StorageError> {
        let rows = self.rows(u64::MAX).await?;
        let first = rows.first().ok_or(StorageError::Corrupt("feed"))?;
        Ok(first.end())
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
    let connected = database.in_time(connect.map(|made| made.map_err(storage_error)));
    let mut listener = connected.await?;
    // It lasts as long as the node does, so it says that the database is in use.
    let share = async {
        let connection = listener.acquire().await.map_err(storage_error)?;
        usage_lock::share(connection).await
    };
    database.in_time(share).await?;
    loop {
        wake.notify_one();
        match time::timeout(PROBE_EVERY, listener.try_recv()).await {
            Ok(Ok(Some(_))) => {}
            Ok(Ok(None)) => return Err(StorageError::unavailable("cut off")),
            Ok(Err(error)) => return Err(storage_error(error)),
            Err(_) => {
                let probe = query("SELECT 1").execute(&mut listener);
                let probe = probe.map(|probed| probed.map_err(storage_error));
                database.in_time(probe).await?;
            }
        }
    }
}
