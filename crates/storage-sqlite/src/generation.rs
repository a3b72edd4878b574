//! Which states of its file a database's write-ahead log can be played onto.
//!
//! SQLite plays a log onto whatever file lies beside it. A backup that is copied over the file of a
//! program that was killed, beside the log of that program, becomes a mixture that never was. So each time
//! before the log is written back, the database gets a new generation, a random number in a row of its own,
//! and a file beside the database says which ones its file can have as long as this log lives. A copy
//! that was made since the log was begun has the right one, and the log makes of it what it makes of the
//! file itself.

use std::{
    fs::{File, Metadata, Permissions},
    io::Write,
    os::unix::fs::{MetadataExt, PermissionsExt, fchown},
    path::{Path, PathBuf},
};

use keygate_storage::StorageError;
use rusqlite::Connection;
use rustix::process::geteuid;

use crate::{
    connection::{has_log, open_unchanging, open_untouched},
    error::storage_error,
    files::{beside, folder_of, gone, sync_folder},
    lock::DatabaseLock,
};

/// What the file beside the database ends with.
pub(crate) const SUFFIX: &str = "-generation";
/// The same of the one that is to take its place.
const NEXT: &str = "-generation-next";
const CLOSED: &str = "closed";
const UNSAID: &str = "brought";
/// Stands for a file from before there were generations, or with nothing in it.
const NONE: &str = "none";

const READ: &str = "SELECT id FROM generation";
const DRAW: &str = "SELECT lower(hex(randomblob(16)))";
const SET: &str = "UPDATE generation SET id = ?";

/// What a database's file says of its past.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Origin {
    /// It is new, or the one that was last open here.
    Here,
    /// It was brought here: a backup that was restored, or a copy.
    Elsewhere,
}

/// The generations that the file of an open database can have.
#[derive(Clone)]
pub(crate) struct Generations {
    database: PathBuf,
    known: Vec<String>,
    pub(crate) origin: Origin,
    /// Whether it was said where it comes from, if that is elsewhere.
    pub(crate) is_said: bool,
    /// How the file was when it was last known to be its own.
    seen: Option<Stamp>,
}

/// By what it shows that a file was written to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stamp {
    bytes: u64,
    seconds: i64,
    nanoseconds: i64,
}

impl Stamp {
    fn of(file: &Metadata) -> Self {
        Self {
            bytes: file.len(),
            seconds: file.mtime(),
            nanoseconds: file.mtime_nsec(),
        }
    }
}

/// What the file beside a database says.
#[derive(Debug, Default, PartialEq, Eq)]
struct Record {
    generations: Vec<String>,
    /// Whether the database was closed, so that its file alone is all of it.
    is_closed: bool,
    /// Whether it is the very file that was written, and not a copy.
    is_original: bool,
    /// Whether the database was brought here, and no server has said so yet.
    is_unsaid: bool,
}

impl Generations {
    /// Looks at a database that this process alone has, before SQLite opens it.
    ///
    /// Fails, changing nothing, where the log beside it belongs to another file.
    pub(crate) fn of(database: &Path) -> Result<Self, StorageError> {
        let has_log = has_log(database);
        let record = Record::read(database);
        let found = match as_it_lies(database) {
            Ok(found) => found,
            // Power may have failed while this very page was written. The log then has it whole.
            Err(error) if has_log => {
                refuse_mixture(database).map_err(|_| error)?;
                return Ok(Self::begun(
                    database,
                    record.unwrap_or_default(),
                    Origin::Here,
                ));
            }
            Err(error) => return Err(error),
        };
        let Some(mut record) = record else {
            if found == NONE {
                return Ok(Self::begun(database, Record::of(found), Origin::Here));
            }
            // Of a folder that was copied, it may be what was left out.
            if has_log {
                refuse_mixture(database)?;
            }
            return Ok(Self::begun(database, Record::of(found), Origin::Elsewhere));
        };
        if record.generations.contains(&found) {
            let is_here = record.is_original && !record.is_unsaid && (record.is_closed || has_log);
            let origin = if is_here {
                Origin::Here
            } else {
                Origin::Elsewhere
            };
            return Ok(Self::begun(database, record, origin));
        }
        if has_log {
            return Err(StorageError::Mixed(database.display().to_string()));
        }
        let is_new = found == NONE && database.metadata().is_ok_and(|file| file.len() == 0);
        record = Record::of(found);
        let origin = if is_new {
            Origin::Here
        } else {
            Origin::Elsewhere
        };
        Ok(Self::begun(database, record, origin))
    }

    fn begun(database: &Path, record: Record, origin: Origin) -> Self {
        Self {
            database: database.to_owned(),
            known: record.generations,
            origin,
            is_said: false,
            seen: None,
        }
    }

    /// Notes that the database is open, once its schema is up to date.
    pub(crate) fn open(&mut self, connection: &Connection) -> Result<(), StorageError> {
        let current = read(connection)?;
        if !self.known.contains(&current) {
            self.known.push(current);
        }
        // It was looked at before it was opened, and what power has torn there is mended by its log.
        self.seen = self.database.metadata().ok().map(|file| Stamp::of(&file));
        self.note(false)
    }

    /// To be called before the log is written back. What fails here must keep it from being so.
    pub(crate) fn renew(&mut self, connection: &Connection) -> Result<(), StorageError> {
        let next: String = connection
            .query_row(DRAW, [], |row| row.get(0))
            .map_err(storage_error)?;
        self.known.push(next.clone());
        self.note(false)?;
        connection.execute(SET, [next]).map_err(storage_error)?;
        Ok(())
    }

    /// Refuses where another file was copied over the open one. It has a generation of its own, whoever else
    /// may have written the log back.
    pub(crate) fn refuse_overwritten(&mut self, file: &Metadata) -> Result<(), StorageError> {
        let stamp = Stamp::of(file);
        if self.seen == Some(stamp) {
            return Ok(());
        }
        let path = &self.database;
        let found = as_it_lies(path).map_err(|error| gone(path, &error.to_string()))?;
        if !self.known.contains(&found) {
            return Err(gone(path, "another file was copied over it"));
        }
        self.seen = Some(stamp);
        Ok(())
    }

    /// To be called when all of the log is written back, before anything else is written to it.
    pub(crate) fn settle(&mut self) -> Result<(), StorageError> {
        self.keep_last();
        self.note(false)
    }

    /// To be called when all of the log is written back for the last time.
    pub(crate) fn close(&mut self) -> Result<(), StorageError> {
        self.keep_last();
        self.note(true)
    }

    fn keep_last(&mut self) {
        self.known.drain(..self.known.len().saturating_sub(1));
    }

    fn note(&self, is_closed: bool) -> Result<(), StorageError> {
        let record = Record {
            generations: self.known.clone(),
            is_closed,
            is_original: true,
            is_unsaid: self.origin == Origin::Elsewhere && !self.is_said,
        };
        record.write(&self.database)
    }
}

/// Notes a backup that was put in a database's place. The next server says so.
pub(crate) fn note_restored(database: &Path, generation: String) -> Result<(), StorageError> {
    let record = Record {
        is_closed: true,
        is_unsaid: true,
        ..Record::of(generation)
    };
    record.write(database)
}

/// Gives a copy a generation that no log belongs to.
pub(crate) fn renew_copy(connection: &Connection) -> Result<String, StorageError> {
    let next: String = connection
        .query_row(DRAW, [], |row| row.get(0))
        .map_err(storage_error)?;
    connection.execute(SET, [&next]).map_err(storage_error)?;
    Ok(next)
}

fn read(connection: &Connection) -> Result<String, StorageError> {
    connection
        .query_row(READ, [], |row| row.get(0))
        .map_err(storage_error)
}

/// Whether a database has generations: its schema is not older than they are.
pub(crate) fn has_generation(connection: &Connection) -> Result<bool, StorageError> {
    connection
        .table_exists(None, "generation")
        .map_err(storage_error)
}

/// Refuses a database beside the log of another one. Whoever has it open has looked before; whether
/// anybody has.
pub(crate) fn refuse_foreign_log(database: &Path) -> Result<bool, StorageError> {
    match DatabaseLock::take(database) {
        Ok(_lock) => Generations::of(database).map(|_| false),
        Err(StorageError::InUse(_)) => Ok(true),
        Err(error) => Err(error),
    }
}

/// The generation of the file alone, whatever its log says.
fn as_it_lies(database: &Path) -> Result<String, StorageError> {
    let connection = open_unchanging(database)?;
    // What is no database at all is refused by who opens it.
    let is_sqlite = connection.query_row("PRAGMA schema_version", [], |_| Ok(()));
    if is_sqlite.is_err() && beside(database, "-wal").metadata().is_err() {
        return Ok(NONE.to_owned());
    }
    if has_generation(&connection)? {
        read(&connection)
    } else {
        Ok(NONE.to_owned())
    }
}

/// Refuses a file and a log that do not go together, as far as that shows in what they make.
fn refuse_mixture(database: &Path) -> Result<(), StorageError> {
    let mixed = |_| StorageError::Mixed(database.display().to_string());
    let connection = open_untouched(database)?;
    let said: String = connection
        .query_row("PRAGMA integrity_check(1)", [], |row| row.get(0))
        .map_err(mixed)?;
    if said == "ok" {
        return Ok(());
    }
    Err(StorageError::Mixed(database.display().to_string()))
}

impl Record {
    fn of(generation: String) -> Self {
        Self {
            generations: vec![generation],
            ..Self::default()
        }
    }

    /// None, where there is none that can be read.
    fn read(database: &Path) -> Option<Self> {
        let path = beside(database, SUFFIX);
        let text = std::fs::read_to_string(&path).ok()?;
        let inode = path.metadata().ok()?.ino();
        let mut lines = text.lines();
        let mut head = lines.next()?.split(' ');
        Some(Self {
            is_closed: head.next()? == CLOSED,
            is_original: head.next()?.parse() == Ok(inode),
            is_unsaid: head.next() == Some(UNSAID),
            generations: lines.map(str::to_owned).collect(),
        })
    }

    /// Writes the file anew, whole or not at all. Whoever has the database has its name for this alone.
    fn write(&self, database: &Path) -> Result<(), StorageError> {
        let path = beside(database, SUFFIX);
        let next = beside(database, NEXT);
        let write = || {
            let mut file = File::create(&next)?;
            give_to_owner(&file, database)?;
            let inode = file.metadata()?.ino();
            let state = if self.is_closed { CLOSED } else { "open" };
            let unsaid = if self.is_unsaid { UNSAID } else { "" };
            writeln!(file, "{}", format!("{state} {inode} {unsaid}").trim_end())?;
            for generation in &self.generations {
                writeln!(file, "{generation}")?;
            }
            file.sync_all()?;
            std::fs::rename(&next, &path)?;
            sync_folder(folder_of(database))
        };
        write().map_err(|error: std::io::Error| {
            StorageError::unavailable(format!("{} cannot be written: {error}", path.display()))
        })
    }
}

/// Gives a file the mode of the database, and its owner: a command that root runs beside it makes none that
/// the server cannot read.
fn give_to_owner(file: &File, database: &Path) -> std::io::Result<()> {
    let owner = database.metadata()?;
    file.set_permissions(Permissions::from_mode(owner.mode() & 0o777))?;
    if geteuid().is_root() {
        // There are disks on which root may not. The file is as good as another there.
        let _ = fchown(file, Some(owner.uid()), Some(owner.gid()));
    }
    Ok(())
}

/// Whether a keygate has had a database there.
pub(crate) fn is_recorded(database: &Path) -> bool {
    let record = Record::read(database);
    record.is_some_and(|record| record.generations.iter().any(|found| found != NONE))
}

/// Refuses a file in which there is nothing any more, as if it were a new one, and a log without its file.
pub(crate) fn refuse_emptied(database: &Path) -> Result<(), StorageError> {
    match database.metadata() {
        Err(_) if has_log(database) => Err(StorageError::Mixed(database.display().to_string())),
        Ok(file) if file.len() == 0 && !has_log(database) && is_recorded(database) => {
            Err(StorageError::damaged(format!(
                "{} is empty, and by {} it was not (to begin anew, remove both)",
                database.display(),
                beside(database, SUFFIX).display()
            )))
        }
        _ => Ok(()),
    }
}
