//! Putting a backup in the place of a database.

use std::path::{Path, PathBuf};

use keygate_core::Timestamp;
use keygate_storage::{Action, Actor, AuditEntry, StorageError};
use keygate_storage_sql::record;
use rusqlite::{Connection, params};

use crate::{
    backup,
    connection::{make_private, open_as_it_lies, path_uri},
    error::storage_error,
    files::{beside, folder_of, sync_folder},
    generation::{self, Generations},
    lock::DatabaseLock,
    migrations,
    tx::{Write, at_once},
    workspace::Workspace,
};

/// A backup that is ready to take the place of a database.
pub struct Restoration {
    /// What it brings back; none, where there is no database to compare it with, or where that cannot
    /// be read.
    pub revived: Option<Revived>,
    database: PathBuf,
    copy: Workspace,
    generation: String,
    _lock: DatabaseLock,
}

/// What was ended since the backup was made and comes back to life with it, and what goes.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Revived {
    /// Keys that work again, as `name (prefix…) of address`.
    pub keys: Vec<String>,
    /// Accounts that are no longer suspended, by their addresses.
    pub accounts: Vec<String>,
    /// Accounts that are admins again.
    pub admins: Vec<String>,
    /// Accounts whose passwords are those of before.
    pub passwords: Vec<String>,
    /// How many accounts there are that the backup does not have.
    pub lost_accounts: u64,
    /// How many keys there are that the backup does not have.
    pub lost_keys: u64,
}

impl Restoration {
    /// Checks the backup and makes ready a copy of it: of this program's schema, without the sessions
    /// and links that were alive when it was made, as they are rights from before.
    ///
    /// Fails, changing nothing, where the database is in use, or where the backup is none.
    pub fn prepare(backup: &Path, database: &Path, now: Timestamp) -> Result<Self, RestoreError> {
        let copied = copy_backup(backup, folder_of(database));
        let copied = copied.map_err(|error| RestoreError::of_backup(backup, error))?;
        make_private(database)?;
        let lock = DatabaseLock::take(database)?;
        let file = &copied.file;
        let mut copy = Connection::open(file.path()).map_err(storage_error)?;
        let revived = Generations::of(database)
            .ok()
            .and_then(|_| compare(&copy, database, now).ok());
        let generation = end_old_rights(&mut copy, now)?;
        copy.close().map_err(|(_, error)| storage_error(error))?;
        file.as_file()
            .sync_all()
            .map_err(|error| backup::cannot_write(file.path(), &error))?;
        Ok(Self {
            revived,
            database: database.to_owned(),
            copy: copied,
            generation,
            _lock: lock,
        })
    }

    /// Puts it in its place. What was there is moved aside, with its log; where to.
    pub fn complete(self) -> Result<PathBuf, StorageError> {
        let Self {
            database,
            copy,
            generation,
            _lock: lock,
            ..
        } = self;
        let aside = free_name(&database);
        let replace = || {
            // Whenever this is broken off, a log lies beside its own file, or is refused beside the other.
            std::fs::hard_link(&database, &aside)
                .or_else(|_| std::fs::rename(&database, &aside))?;
            copy.persist(&database, true)?;
            for suffix in ["-wal", "-shm"] {
                let old = beside(&database, suffix);
                if old.exists() {
                    std::fs::rename(old, beside(&aside, suffix))?;
                }
            }
            sync_folder(folder_of(&database))
        };
        replace().map_err(|error: std::io::Error| backup::cannot_write(&database, &error))?;
        generation::note_restored(&database, generation)?;
        drop(lock);
        Ok(aside)
    }
}

/// Why no backup was put in a database's place.
#[derive(Debug, thiserror::Error)]
pub enum RestoreError {
    /// It is about the backup.
    #[error("the backup {file} cannot be restored: {why}")]
    Backup {
        /// Where it is.
        file: String,
        /// What is wrong with it.
        why: String,
    },
    /// It is about the database.
    #[error(transparent)]
    Storage(#[from] StorageError),
}

impl RestoreError {
    fn of_backup(file: &Path, error: StorageError) -> Self {
        let why = match error {
            // Elsewhere these speak of the database.
            StorageError::Damaged(cause) | StorageError::Unavailable(cause) => cause.to_string(),
            StorageError::Corrupt(_) => "it is damaged".to_owned(),
            error => error.to_string(),
        };
        Self::Backup {
            file: file.display().to_string(),
            why,
        }
    }
}

/// Copies a backup into a folder, and brings the copy's schema up to date.
fn copy_backup(backup: &Path, folder: &Path) -> Result<Workspace, StorageError> {
    refuse_unfinished(backup)?;
    let source = open_as_it_lies(backup)?;
    migrations::refuse_unknown_or_empty(&source, backup)?;
    let copied = backup::copy(&source, folder, &mut |_, _| {})?;
    let mut copy = Connection::open(copied.file.path()).map_err(storage_error)?;
    migrations::run(&mut copy, backup)?;
    copy.pragma_update(None, "journal_mode", "delete")
        .map_err(storage_error)?;
    copy.close().map_err(|(_, error)| storage_error(error))?;
    Ok(copied)
}

/// Refuses a file that is not all of a database.
fn refuse_unfinished(backup: &Path) -> Result<(), StorageError> {
    match backup.metadata() {
        Ok(found) if !found.is_file() => return Err(StorageError::unavailable("it is not a file")),
        Err(error) => return Err(StorageError::unavailable(error)),
        Ok(_) => {}
    }
    for suffix in ["-wal", "-journal"] {
        let log = beside(backup, suffix);
        if log.metadata().is_ok_and(|log| log.len() > 0) {
            return Err(StorageError::unavailable(format!(
                "{} lies beside it: {} alone is not all of that database, and it cannot be told whether they belong together",
                log.display(),
                backup.display()
            )));
        }
    }
    Ok(())
}

/// A name beside the database that is not taken.
fn free_name(database: &Path) -> PathBuf {
    (1..=u32::MAX)
        .map(|number| beside(database, &format!(".before-restore-{number}")))
        .find(|path| !path.exists())
        .expect("not all names are taken")
}

const ATTACH: &str = "ATTACH ? AS current";

/// The keys that open something at `?1`, by themselves and by their accounts.
macro_rules! live_keys {
    ($database:literal) => {
        concat!(
            "SELECT key.* FROM ",
            $database,
            ".api_keys AS key JOIN ",
            $database,
            ".accounts AS owner \
             ON owner.id = key.account_id WHERE key.is_active AND owner.suspended_at IS NULL \
             AND (key.expires_at IS NULL OR key.expires_at > ?1)"
        )
    };
}

/// What was never there is no revival, but a key that is on record as issued was.
const KEYS: &str = concat!(
    "SELECT old.name || ' (' || old.key_prefix || '…) of ' || accounts.email \
     FROM (",
    live_keys!("main"),
    ") AS old JOIN main.accounts ON accounts.id = old.account_id \
     WHERE old.hash NOT IN (SELECT hash FROM (",
    live_keys!("current"),
    ")) ORDER BY old.id"
);
const ACCOUNTS: &str = "SELECT old.email FROM main.accounts AS old \
    JOIN current.accounts AS now ON now.id = old.id \
    WHERE now.suspended_at IS NOT NULL AND old.suspended_at IS NULL AND ?1 IS NOT NULL ORDER BY old.id";
const ADMINS: &str = "SELECT old.email FROM main.accounts AS old \
    JOIN current.accounts AS now ON now.id = old.id \
    WHERE now.role <> 'admin' AND old.role = 'admin' AND ?1 IS NOT NULL ORDER BY old.id";
const PASSWORDS: &str = "SELECT old.email FROM main.accounts AS old \
    JOIN current.accounts AS now ON now.id = old.id \
    WHERE now.password_hash <> old.password_hash AND ?1 IS NOT NULL ORDER BY old.id";
const LOST_ACCOUNTS: &str = "SELECT count(*) FROM current.accounts \
    WHERE id NOT IN (SELECT id FROM main.accounts)";
const LOST_KEYS: &str = "SELECT count(*) FROM current.api_keys \
    WHERE hash NOT IN (SELECT hash FROM main.api_keys)";

fn compare(copy: &Connection, database: &Path, now: Timestamp) -> Result<Revived, rusqlite::Error> {
    copy.execute(ATTACH, [path_uri(database, "mode=ro")])?;
    let compared = compare_attached(copy, now);
    copy.execute_batch("DETACH current")?;
    compared
}

fn compare_attached(copy: &Connection, now: Timestamp) -> Result<Revived, rusqlite::Error> {
    let list = |sql: &str| -> rusqlite::Result<Vec<String>> {
        let mut statement = copy.prepare(sql)?;
        let rows = statement.query_map(params![now.as_millis()], |row| row.get(0))?;
        rows.collect()
    };
    let count = |sql: &str| copy.query_row(sql, [], |row| row.get(0));
    Ok(Revived {
        keys: list(KEYS)?,
        accounts: list(ACCOUNTS)?,
        admins: list(ADMINS)?,
        passwords: list(PASSWORDS)?,
        lost_accounts: count(LOST_ACCOUNTS)?,
        lost_keys: count(LOST_KEYS)?,
    })
}

const END_RIGHTS: &str = "DELETE FROM sessions; DELETE FROM invitations; \
    DELETE FROM password_resets; DELETE FROM probe_claims";

/// Ends sessions and links, puts that on record, and gives the copy a generation of its own.
fn end_old_rights(copy: &mut Connection, now: Timestamp) -> Result<String, StorageError> {
    let entry = AuditEntry {
        at: now,
        actor: Actor::Operator,
        action: Action::DatabaseRestore,
        account_id: None,
        subject_id: None,
        detail: None,
    };
    // Where it fails, the copy goes.
    copy.execute_batch("BEGIN").map_err(storage_error)?;
    copy.execute_batch(END_RIGHTS).map_err(storage_error)?;
    at_once(record(&mut Write::new(copy), &entry))?;
    let generation = generation::renew_copy(copy)?;
    copy.execute_batch("COMMIT").map_err(storage_error)?;
    Ok(generation)
}
