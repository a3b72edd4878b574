//! Which database a data folder was served from last, so that whoever names none does not make another.

use std::{
    io::{ErrorKind, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

use rustix::fs::{Access, access};
use serde::{Deserialize, Serialize};

use crate::{
    config::{Database, Settings},
    failure::Failure,
};

/// The file in the data folder.
const FILE: &str = "database.json";

#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Noted {
    /// A file, relative to the data folder where it is in it.
    File(PathBuf),
    /// `host:port/database`.
    Server(String),
}

/// What is to be noted of this database; nothing, where that is noted already.
fn new_note(data: &Path, database: &Database) -> Result<Option<Noted>, Failure> {
    let noted = match database {
        Database::Sqlite(path) => Noted::File(match path.strip_prefix(data) {
            Ok(inside) => inside.to_owned(),
            Err(_) => std::path::absolute(path).unwrap_or_else(|_| path.clone()),
        }),
        Database::Postgres(options) => Noted::Server(options.name()),
    };
    Ok((read(data)?.as_ref() != Some(&noted)).then_some(noted))
}

/// Refuses where it could not be noted that the folder is served from this database.
pub(crate) fn check_note(data: &Path, database: &Database) -> Result<(), Failure> {
    if !data.exists() || new_note(data, database)?.is_none() {
        return Ok(());
    }
    let path = data.join(FILE);
    let place = if path.exists() { &path } else { data };
    access(place, Access::WRITE_OK).map_err(|error| cannot_be_written(&path, &error.into()))
}

/// Notes that the folder is served from this database.
pub(crate) fn note_database(data: &Path, database: &Database) -> Result<(), Failure> {
    // On a full disk a server starts, too, if there is nothing new to note.
    let Some(noted) = new_note(data, database)? else {
        return Ok(());
    };
    let text = serde_json::to_string(&noted).expect("strings serialise");
    let path = data.join(FILE);
    let mut options = std::fs::File::options();
    options.write(true).create(true).truncate(true).mode(0o600);
    let written = options
        .open(&path)
        .and_then(|mut file| file.write_all((text + "\n").as_bytes()));
    written.map_err(|error| cannot_be_written(&path, &error))
}

fn cannot_be_written(path: &Path, error: &std::io::Error) -> Failure {
    Failure::new(format!(
        "The file {} cannot be written ({error}). It says from which database the data folder is served: make the disk writable, or give the file to the user that runs keygate.",
        path.display()
    ))
}

/// Where no database is named, that from which the folder was served last. A server cannot be reached
/// without its password, so it has to be named.
pub(crate) fn choose_database(settings: &mut Settings) -> Result<(), Failure> {
    if settings.database_is_named {
        return Ok(());
    }
    match read(&settings.data)? {
        None => Ok(()),
        Some(Noted::File(path)) => {
            settings.database = Database::Sqlite(settings.data.join(path));
            Ok(())
        }
        Some(Noted::Server(name)) => Err(Failure::new(format!(
            "The keygate of the data folder {} uses PostgreSQL at {name}, and no database is named. Name it with --database postgres://user:password@{name}, KEYGATE_DATABASE or --config. To use a file in this folder from now on, name that with --database keygate.db.",
            settings.data.display()
        ))),
    }
}

fn read(data: &Path) -> Result<Option<Noted>, Failure> {
    let path = data.join(FILE);
    match std::fs::read(&path) {
        // What was not written to its end, or by a later version, says nothing.
        Ok(text) => Ok(serde_json::from_slice(&text).ok()),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => {
            let path = path.display();
            Err(Failure::new(format!(
                "The file {path} cannot be read ({error}). Run this as the user that runs keygate."
            )))
        }
    }
}
