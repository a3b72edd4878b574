//! The writing connection, and the time in which there is none.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use keygate_storage::{Concerns, StorageError};
use rusqlite::{Connection, config::DbConfig};

use crate::{
    checkpoints::Checkpoints,
    connection::{OpenReader, open_as_it_lies, open_reader, open_writer},
    files::{DatabaseFiles, FileId, same},
    generation::Generations,
    lookups::Lookups,
    migrations, query,
    readers::Readers,
};

/// Changes a byte each time: SQLite does not write a page that is as it was.
pub(crate) const PROBE: &str = "UPDATE write_probe SET writes = writes + 1";

/// The process that probed what before is gone: this one has the database to itself.
const RELEASE_CLAIMS: &str = "DELETE FROM probe_claims";

/// Opens the database for writing, at once or later: where no write can be made at the start, on a full
/// disk or a read-only one, keys are looked up all the same, and writing begins when it can.
pub(crate) struct Database {
    path: PathBuf,
    file: FileId,
    readers: Arc<Readers>,
    lookups: Arc<Lookups>,
    concerns: Arc<Concerns>,
    generations: Generations,
    open: Option<OpenDatabase>,
}

pub(crate) struct OpenDatabase {
    pub(crate) connection: Connection,
    pub(crate) checkpoints: Checkpoints,
    files: DatabaseFiles,
}

impl OpenDatabase {
    /// Opens the database and brings its schema up to date.
    fn open(
        path: &Path,
        file: FileId,
        concerns: Arc<Concerns>,
        mut generations: Generations,
    ) -> Result<Self, StorageError> {
        same(path, file)?;
        let mut connection = open_writer(path)?;
        migrations::run(&mut connection, path)?;
        // A log is what tells a database that was killed from a copy without its log.
        let _ = connection.execute(PROBE, []);
        // On a full disk it is noted before the log is written back, or that is not done.
        let _ = generations.open(&connection);
        // Nothing is lost where they stay: they are taken over once they have not moved for a while.
        let _ = query::execute(&connection, RELEASE_CLAIMS, []);
        Ok(Self {
            checkpoints: Checkpoints::new(&connection, concerns, generations)?,
            files: DatabaseFiles::of_open(path, file)?,
            connection,
        })
    }

    /// Refuses where what is written would be in files that nobody finds any more.
    pub(crate) fn check_files(&mut self) -> Result<(), StorageError> {
        let file = self.files.check()?;
        self.checkpoints.refuse_overwritten(&file)
    }
}

impl Database {
    pub(crate) fn open(
        path: &Path,
        file: FileId,
        concerns: Arc<Concerns>,
        generations: Generations,
    ) -> Result<Self, StorageError> {
        let opened = OpenDatabase::open(path, file, concerns.clone(), generations.clone());
        let reading: OpenReader = match &opened {
            Ok(_) => open_reader,
            Err(error) => {
                refuse_unless_readable(path, error)?;
                tracing::error!(%error, "nothing can be written; keys are checked all the same");
                open_as_it_lies
            }
        };
        Ok(Self {
            path: path.to_owned(),
            file,
            readers: Arc::new(Readers::open(path, reading)?),
            lookups: Arc::new(Lookups::start(path, reading)?),
            concerns,
            generations,
            open: opened.ok(),
        })
    }

    pub(crate) fn readers(&self) -> Arc<Readers> {
        self.readers.clone()
    }

    pub(crate) fn lookups(&self) -> Arc<Lookups> {
        self.lookups.clone()
    }

    /// Writes the log back, so that the file alone is all of the database, if nobody else reads it.
    pub(crate) fn close(&mut self) {
        let keeps_log = DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE;
        let is_whole = self
            .writable()
            .is_ok_and(|open| open.checkpoints.close(&open.connection));
        if !is_whole
            && let Some(open) = &self.open
            && let Err(error) = open.connection.set_db_config(keeps_log, true)
        {
            // SQLite will write it back, be it into a file to which it does not belong.
            tracing::error!(%error, "the write-ahead log cannot be kept as it is");
        }
    }

    /// The database, open for writing; it is opened where it is not.
    pub(crate) fn writable(&mut self) -> Result<&mut OpenDatabase, StorageError> {
        if self.open.is_none() {
            let (concerns, generations) = (self.concerns.clone(), self.generations.clone());
            let opened = OpenDatabase::open(&self.path, self.file, concerns, generations)?;
            // Before anything is written: connections that read the file as it lay would not see it.
            self.readers.reopen(&self.path, open_reader)?;
            self.lookups.reopen(&self.path, open_reader)?;
            self.open = Some(opened);
        }
        let open = self.open.as_mut().expect("it was just opened");
        open.check_files()?;
        Ok(open)
    }
}

/// Gives the error back, unless the database is whole and this program's, and it is only writing that fails.
/// That is the disk's fault then: who may not write was refused before.
fn refuse_unless_readable(path: &Path, error: &StorageError) -> Result<(), StorageError> {
    let is_about_writing = matches!(error, StorageError::Unavailable(_));
    let readable = || {
        let connection = open_as_it_lies(path).ok()?;
        migrations::refuse_other_version(&connection, path).ok()
    };
    if is_about_writing && readable().is_some() {
        return Ok(());
    }
    Err(error.clone())
}
