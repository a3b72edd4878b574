//! The embedded backend: SQLite in WAL mode with `synchronous=FULL`.
//!
//! One thread writes. It commits all work that is waiting as one group and acknowledges after the
//! commit, so that a sync of the disk is shared by everybody who waits for it. Another thread looks
//! keys up. All other readers have connections of their own, too, and never wait for the writer.

mod backup;
mod checkpoints;
mod connection;
mod database;
mod error;
mod failures;
mod files;
mod generation;
mod inspection;
mod lock;
mod lookups;
mod migrations;
#[cfg(test)]
mod plans;
mod query;
mod readers;
mod reading;
mod restore;
mod rights;
mod row;
mod tables;
#[cfg(feature = "testing")]
pub mod testing;
mod tx;
mod worker;
mod workspace;
mod writer;

use std::{path::Path, sync::Arc};

use futures_util::future::BoxFuture;
use keygate_core::{Credential, key::KeyHash};
use keygate_storage::{
    ChangeListener, Concern, Concerns, Latencies, Lease, Operation, StorageError,
};
use keygate_storage_sql::{Ending, Engine, Read, SqlStore, Tx};
use prometheus_client::registry::Registry;
use rusqlite::Connection;

use database::Database;
use generation::{Generations, Origin};
use lock::DatabaseLock;
use lookups::Lookups;
use readers::Readers;
use tx::{Reading, Write, at_once};
use writer::Writer;

pub use backup::{BackupProgress, back_up};
pub use inspection::{Inspection, find_damage};
pub use reading::SqliteReader;
pub use restore::{Restoration, RestoreError, Revived};

/// The code of the concern about a database that was brought here.
const RESTORED: &str = "database_restored";
const WAS_RESTORED: &str = "The database file is not the one that was last open here: it was restored from a backup, or copied. Keys that were revoked, and accounts that were suspended, after the copy was made are as they were before: end them again.";

/// What is kept in a SQLite database, open for this process alone.
pub type SqliteStore = SqlStore<SqliteEngine>;

/// SQLite as an engine.
pub struct SqliteEngine {
    writer: Writer,
    readers: Arc<Readers>,
    lookups: Arc<Lookups>,
    latencies: Latencies,
    concerns: Arc<Concerns>,
    _lock: DatabaseLock,
}

/// Opens or makes the database at `path` and brings its schema up to date.
///
/// Fails, changing nothing, where another process has it open, where it is no keygate
/// database, where a later version wrote it, where it is damaged, and where this user may not write
/// to it, and where a copy into it is unfinished. Where its disk cannot be written to, it is opened
/// for reading, and for writing as soon as it can be.
pub fn open(path: &Path) -> Result<SqliteStore, StorageError> {
    open_for(Opener::Server, path)
}

/// For what a database is opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Opener {
    /// To serve from it, and to say where it was brought here from elsewhere.
    Server,
    /// For one change, beside no server. What is to be said is left for the next one.
    Command,
    /// To copy another database into it, be it that an earlier copy was not finished.
    Copy,
}

/// As [`open`].
pub fn open_for(opener: Opener, path: &Path) -> Result<SqliteStore, StorageError> {
    connection::check_library_version(rusqlite::version_number())?;
    inspection::refuse_files(path)?;
    connection::make_private(path)?;
    let lock = DatabaseLock::take(path)?;
    let concerns = Arc::<Concerns>::default();
    let mut generations = Generations::of(path)?;
    let mut untouched = connection::open_untouched(path)?;
    let version = inspection::refuse_unreadable(&untouched, path)?;
    if opener != Opener::Copy {
        inspection::refuse_unfinished(&mut untouched, version)?;
    }
    drop(untouched);
    if generations.origin == Origin::Elsewhere {
        concerns.raise(Concern::warning(RESTORED, WAS_RESTORED));
        generations.is_said = opener == Opener::Server;
    }
    let database = Database::open(path, lock.file(), concerns.clone(), generations)?;
    let engine = SqliteEngine {
        readers: database.readers(),
        lookups: database.lookups(),
        writer: Writer::start(database)?,
        latencies: Latencies::default(),
        concerns,
        _lock: lock,
    };
    Ok(engine.into())
}

impl SqliteEngine {
    async fn on_writer<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Write<'_>) -> Result<Ending<T>, StorageError> + Send + 'static,
    ) -> Result<T, StorageError> {
        let written = self.writer.write(work);
        self.latencies.time(Operation::Write, written).await
    }

    async fn on_reader<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Connection) -> Result<T, StorageError> + Send + 'static,
    ) -> Result<T, StorageError> {
        let read = self.readers.read(work);
        self.latencies.time(Operation::Read, read).await
    }
}

impl Engine for SqliteEngine {
    async fn write<T: Send + 'static>(
        &self,
        work: impl for<'a> FnOnce(&'a mut dyn Tx) -> BoxFuture<'a, Result<Ending<T>, StorageError>>
        + Clone
        + Send
        + 'static,
    ) -> Result<T, StorageError> {
        self.on_writer(move |write| at_once(work(write))).await
    }

    async fn read<T: Send + 'static>(
        &self,
        work: impl for<'a> Fn(&'a mut dyn Read) -> BoxFuture<'a, Result<T, StorageError>>
        + Send
        + Sync
        + 'static,
    ) -> Result<T, StorageError> {
        self.on_reader(move |db| at_once(work(&mut Reading(db))))
            .await
    }

    async fn lookup_credential(&self, hash: KeyHash) -> Result<Option<Credential>, StorageError> {
        let found = self.lookups.credential(hash);
        self.latencies.time(Operation::Lookup, found).await
    }

    fn subscribe(&self, listener: Arc<dyn ChangeListener>) {
        self.writer.subscribe(listener);
    }

    fn lease(&self) -> Arc<Lease> {
        Arc::new(Lease::endless())
    }

    fn register_metrics(&self, registry: &mut Registry) {
        self.latencies.register(registry);
        self.concerns.register(registry);
    }

    fn concerns(&self) -> Vec<Concern> {
        self.concerns.list()
    }

    async fn check(&self) -> Result<(), StorageError> {
        self.writer.check().await?;
        self.on_reader(|db| query::exists(db, "SELECT 1", []).map(|_| ()))
            .await
    }

    async fn close(&self) {
        self.readers.close();
        self.lookups.close().await;
        self.writer.close().await;
    }
}

#[cfg(test)]
mod tests {
    use keygate_core::{ComponentId, Timestamp};
    use keygate_storage::{IncidentPage, StatusStore};

    use super::*;

    #[tokio::test]
    async fn every_statement_is_one_for_the_database() {
        let folder = tempfile::TempDir::new().expect("a temporary folder");
        let store = open(&folder.path().join("keygate.db")).expect("it opens");
        for statement in keygate_storage_sql::statements() {
            let sql = statement.sqlite;
            let prepared = store.on_reader(move |db| {
                db.prepare(sql).map_err(error::storage_error)?;
                Ok(())
            });
            prepared.await.expect(sql);
        }
    }

    #[tokio::test]
    async fn what_a_later_version_wrote_is_not_shown_and_hides_nothing() {
        let folder = tempfile::TempDir::new().expect("a temporary folder");
        let store = open(&folder.path().join("keygate.db")).expect("it opens");
        let written = store.on_writer(|db| {
            let rows = "INSERT INTO incidents (id, kind, title, components, starts_at) VALUES \
                    (zeroblob(16), 'incident', 'Read', 'storage', 0), \
                    (x'01000000000000000000000000000000', 'incident', 'Not read', 'später', 0); \
                INSERT INTO incident_updates (id, incident_id, at, state, message) VALUES \
                    (x'02000000000000000000000000000000', zeroblob(16), 0, 'identified', 'Read'), \
                    (x'03000000000000000000000000000000', zeroblob(16), 0, 'later', 'Not read'); \
                INSERT INTO probe_claims (component, prober_id, beat) VALUES \
                    ('storage', zeroblob(16), 0), ('später', zeroblob(16), 0); \
                INSERT INTO probe_rollups VALUES ('storage', 'hour', 3600000, 1, 0, 0, 0), \
                    ('storage', 'hour', 7200000, -1, 0, 0, 0);";
            db.execute_batch(rows).map_err(error::storage_error)?;
            Ok(Ending::Commit(()))
        });
        written.await.expect("written");
        let then = Timestamp::from_millis(7_200_000);
        let open = store.list_open_incidents(then).await.expect("listed");
        let page = IncidentPage {
            limit: 10,
            ..IncidentPage::default()
        };
        let all = store.list_incidents(page).await.expect("listed");
        for [incident] in [open, all].map(|found| <[_; 1]>::try_from(found).expect("one")) {
            assert_eq!(
                (incident.title.as_str(), incident.updates.len()),
                ("Read", 1)
            );
        }
        assert_eq!(store.list_claims().await.expect("listed").len(), 1);
        let history = store.read_history(vec![ComponentId::storage()], then).await;
        assert_eq!(history.expect("read").hours.len(), 1);
    }
}
