//! `keygate doctor`: looks at everything that keygate stands on, and changes nothing.

mod clock;
mod configuration;
mod data_folder;
mod disk;
mod permissions;
mod ports;
mod postgres;
mod sqlite;
mod upstreams;

use std::{path::Path, time::Duration};

use keygate_core::Timestamp;
use keygate_storage::StorageError;

use crate::{
    config::{Database, Flags, MetricsListen, Settings},
    failure::Failure,
};

/// What a check came to.
#[derive(Debug)]
pub(crate) struct Finding {
    /// What was looked at.
    pub(crate) check: &'static str,
    pub(crate) state: State,
    /// What there is.
    pub(crate) message: String,
    /// What to do.
    pub(crate) advice: Option<String>,
}

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    Ok,
    /// It may be meant so.
    Warning,
    /// Something does not work, or is not safe.
    Wrong,
}

impl State {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warning => "warning",
            Self::Wrong => "wrong",
        }
    }
}

impl Finding {
    fn ok(check: &'static str, message: impl Into<String>) -> Self {
        Self {
            check,
            state: State::Ok,
            message: message.into(),
            advice: None,
        }
    }

    fn warning(check: &'static str, message: impl Into<String>, advice: impl Into<String>) -> Self {
        Self {
            state: State::Warning,
            advice: Some(advice.into()),
            ..Self::ok(check, message)
        }
    }

    fn wrong(check: &'static str, message: impl Into<String>, advice: impl Into<String>) -> Self {
        Self {
            state: State::Wrong,
            advice: Some(advice.into()),
            ..Self::ok(check, message)
        }
    }

    /// What a command would have failed with, which says what to do as well.
    fn failure(check: &'static str, failure: &Failure) -> Self {
        let text = failure.to_string();
        // The first sentence says what there is.
        match text.split_once(". ") {
            Some((message, advice)) => Self::wrong(check, format!("{message}."), advice),
            None => Self {
                state: State::Wrong,
                ..Self::ok(check, text)
            },
        }
    }

    fn storage(error: StorageError) -> Self {
        Self::failure(DATABASE, &error.into())
    }
}

const DATABASE: &str = "database";

/// What another clock said, and what ours said then.
struct Reading {
    whose: String,
    theirs: Timestamp,
    ours: Timestamp,
    /// How far apart they may be.
    tolerance: Duration,
}

/// What there is to say of the clock, besides what is wrong.
#[derive(Default)]
struct Clocks {
    readings: Vec<Reading>,
    newest_entry: Option<Timestamp>,
}

/// Makes every check that can be made, one after another.
pub(crate) async fn examine(flags: &Flags) -> Vec<Finding> {
    let mut clocks = Clocks::default();
    let (mut found, settings) = configuration::check(flags);
    let data = settings.as_ref().map_or_else(
        || flags.data.clone().unwrap_or_else(Settings::default_data),
        |settings| settings.data.clone(),
    );
    found.extend(data_folder::check(&data));
    if let Some(settings) = settings {
        found.extend(database(&settings.database, &mut clocks).await);
        found.extend(upstreams::check(&settings.upstreams, &mut clocks).await);
        let metrics = match settings.metrics_listen {
            MetricsListen::At(address) => Some(address),
            // Nothing fails where nobody has asked for them.
            MetricsListen::Default(_) | MetricsListen::Off => None,
        };
        let addresses = [Some(settings.listen), settings.ext_authz_listen, metrics];
        for address in addresses.into_iter().flatten() {
            found.push(ports::check(address, &data).await);
        }
        found.extend(clock::check(&clocks));
    }
    found.push(disk::check(nearest(&data)));
    found
}

async fn database(database: &Database, clocks: &mut Clocks) -> Vec<Finding> {
    match database {
        Database::Sqlite(path) => sqlite::check(path, clocks),
        Database::Postgres(options) => postgres::check(options, clocks).await,
    }
}

/// The folder itself, or the one in which it would be made.
fn nearest(folder: &Path) -> &Path {
    let there = folder.ancestors().find(|folder| folder.exists());
    // The folder in which the program runs has no name in a relative path.
    there.unwrap_or(Path::new("."))
}
