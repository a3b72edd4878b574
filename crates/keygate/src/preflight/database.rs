//! The database, before anything is made or changed in it.

use std::{
    path::{Component, Path, PathBuf},
    time::Duration,
};

use keygate_core::{Clock, SystemClock, Timestamp};
use keygate_storage::{KeyBindings, StorageError};
use keygate_storage_postgres as postgres;
use keygate_storage_sqlite as sqlite;

use super::{DATABASE, Viewer};
use crate::{
    config::{Database, Settings},
    finding::Finding,
    operator::RunningKeygate,
    use_cases::refuse_other_keys,
};

/// What there is to know of a database.
pub(crate) enum Inspected {
    /// Nothing, where it is still to be made.
    Sqlite(Option<sqlite::Inspection>),
    Postgres {
        inspection: Box<postgres::Inspection>,
        /// When it was there, by this machine's clock.
        answered_at: Timestamp,
        /// How long it took.
        took: Duration,
    },
}

impl Inspected {
    async fn of(database: &Database, data: &Path) -> Result<Self, StorageError> {
        Ok(match database {
            Database::Sqlite(path) if is_in_folder_to_be_made(path, data) => Self::Sqlite(None),
            Database::Sqlite(path) => Self::Sqlite(sqlite::Inspection::of(&found(path, data))?),
            Database::Postgres(options) => {
                let began = SystemClock.monotonic();
                let inspection = Box::new(postgres::Inspection::of(options).await?);
                Self::Postgres {
                    inspection,
                    answered_at: SystemClock.now(),
                    took: SystemClock.monotonic().saturating_sub(began),
                }
            }
        })
    }

    /// The schema version that it has, and the one that this program knows.
    fn versions(&self) -> Option<(i64, i64)> {
        match self {
            Self::Sqlite(found) => found.as_ref().map(|found| (found.version, found.known)),
            Self::Postgres { inspection, .. } => Some((inspection.version, inspection.known)),
        }
    }

    fn bindings(&self) -> Option<&KeyBindings> {
        match self {
            Self::Sqlite(found) => found.as_ref().map(|found| &found.bindings),
            Self::Postgres { inspection, .. } => Some(&inspection.bindings),
        }
    }

    /// Whether another process has it for itself.
    fn is_in_use(&self) -> bool {
        matches!(self, Self::Sqlite(Some(found)) if found.is_in_use)
    }
}

/// How often, and how long apart, a server looks again while a command has the database.
const TRIES: u32 = 30;
const PAUSE: Duration = Duration::from_millis(100);

/// Looks until no other process has it, or what has it is no command.
async fn inspect(settings: &Settings, may_pass: bool) -> Result<Inspected, StorageError> {
    for _ in 1..TRIES {
        let inspected = Inspected::of(&settings.database, &settings.data).await?;
        if !may_pass || !inspected.is_in_use() {
            return Ok(inspected);
        }
        tokio::time::sleep(PAUSE).await;
    }
    Inspected::of(&settings.database, &settings.data).await
}

/// Looks at the database that is configured, beside a keygate that runs there.
pub(super) async fn look(
    settings: &Settings,
    viewer: Viewer,
    running: Option<&RunningKeygate>,
    found: &mut Vec<Finding>,
) -> Option<Inspected> {
    let name = settings.database.to_string();
    let may_pass = viewer == Viewer::Server && running.is_none();
    let inspected = match inspect(settings, may_pass).await {
        Ok(inspected) => inspected,
        Err(error) => {
            found.push(Finding::failure(DATABASE, &error.into()));
            return None;
        }
    };
    if inspected.is_in_use() && !running.is_some_and(|running| running.is_of_database) {
        let in_use = StorageError::InUse(name.clone());
        found.push(Finding::failure(DATABASE, &in_use.into()));
    }
    found.push(schema(&name, inspected.versions()));
    if let Some(bindings) = inspected.bindings() {
        let hasher = bindings.hasher(&settings.hasher.fingerprint());
        let prefix = bindings.prefix(settings.format.prefix());
        if let Err(failure) = refuse_other_keys(hasher, prefix) {
            found.push(Finding::failure("keys", &failure));
        }
    }
    Some(inspected)
}

/// Whether the folder of a file is the data folder, or one that is made with it.
fn is_in_folder_to_be_made(file: &Path, data: &Path) -> bool {
    let (Some(folder), Some(data_folder)) = (file.parent().and_then(plain), plain(data)) else {
        return false;
    };
    !data.exists() && data_folder.starts_with(folder)
}

/// A file by a path that leads there already, and not only once the data folder is made.
fn found(file: &Path, data: &Path) -> PathBuf {
    let detour = (!data.exists()).then(|| plain(file)).flatten();
    detour.unwrap_or_else(|| file.to_owned())
}

/// A path without detours.
fn plain(path: &Path) -> Option<PathBuf> {
    let mut plain = PathBuf::new();
    for part in std::path::absolute(path).ok()?.components() {
        match part {
            Component::ParentDir => {
                plain.pop();
            }
            part => plain.push(part),
        }
    }
    Some(plain)
}

/// What the schema version means for this program. That of a later one is an error before this.
fn schema(database: &str, versions: Option<(i64, i64)>) -> Finding {
    let Some((version, known)) = versions else {
        let message = format!("{database} does not exist yet; keygate creates it when it starts.");
        return Finding::ok(DATABASE, message);
    };
    if version == 0 {
        let message = format!("{database} is empty; keygate creates its schema when it starts.");
        return Finding::ok(DATABASE, message);
    }
    if version < known {
        return Finding::warning(
            DATABASE,
            format!(
                "{database} has schema version {version}; this keygate upgrades it to {known} when it starts."
            ),
            "Make a backup first: an older keygate does not run on it afterwards.",
        );
    }
    Finding::ok(
        DATABASE,
        format!("{database} can be read and has schema version {version}."),
    )
}
