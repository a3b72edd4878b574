use std::{path::Path, time::Duration};

use clap::{Args, Subcommand};
use indicatif::{ProgressBar, ProgressStyle};
use keygate_storage::{
    Store,
    copy::{CopiedTable, CopyError, CopyProgress, copy},
    tables::{TableReader, TableStore},
};
use keygate_storage_postgres::{PostgresOptions, PostgresReader, PostgresTarget, TargetError};
use keygate_storage_sqlite::SqliteReader;
use serde_json::{Value, json};

use super::{account::Format, output};
use crate::{
    config::Database,
    failure::Failure,
    store::{self, Opener},
};

#[derive(Subcommand)]
pub(super) enum Storage {
    /// Copy a database to another, from SQLite to PostgreSQL or back
    ///
    /// An interrupted copy continues where it stopped, and a second copy transfers only what has changed.
    /// The source may be in use: its state at the beginning is copied. The target must not be in use. At
    /// the end both sides are read again, and their rows and checksums must agree.
    Copy(Copy),
}

#[derive(Args)]
pub(super) struct Copy {
    /// The source, like sqlite:keygate-data/keygate.db
    #[arg(long, value_name = "DATABASE")]
    from: String,
    #[arg(
        long,
        value_name = "DATABASE",
        help = "The target, like postgres://user:password@host/keygate"
    )]
    to: String,
    #[command(flatten)]
    format: Format,
}

/// Pages are larger than what is asked of a database otherwise.
const STATEMENT_TIMEOUT: Duration = Duration::from_mins(2);

const COLUMNS: &[(&str, &str)] = &[
    ("TABLE", "table"),
    ("ROWS", "rows"),
    ("WRITTEN", "written"),
    ("DELETED", "deleted"),
    ("SHA-256", "checksum"),
];

impl Storage {
    pub(super) async fn run(self) -> Result<(), Failure> {
        let Self::Copy(Copy { from, to, format }) = self;
        // Not by the command line's parser, which would print a password that it does not understand.
        let [from, to] = [from, to].map(|place| Database::at(&place, Path::new("")));
        let (from, to) = (from?, to?);
        // That nothing answers there shows at once; the copy itself has all its time.
        let source = store::identity(&from).await?;
        let target = store::identity(&to).await?;
        if source.is_some() && source == target || from.to_string() == to.to_string() {
            return Err(Failure::new(format!("{from} cannot be copied to itself.")));
        }
        let source: Box<dyn TableReader> = match &from {
            Database::Sqlite(path) => Box::new(SqliteReader::open(path)?),
            Database::Postgres(options) => Box::new(PostgresReader::open(&patient(options)).await?),
        };
        let copied = match &to {
            Database::Sqlite(path) => {
                let target = keygate_storage_sqlite::open_for(Opener::Copy, path)?;
                let copied = copy_into(&*source, &*target).await;
                // So that all of it is in its file.
                target.close().await;
                copied
            }
            Database::Postgres(options) => {
                let target = PostgresTarget::open(&patient(options)).await?;
                let copied = copy_into(&*source, &target).await;
                target.close().await;
                copied
            }
        };
        let tables: Value = copied?.iter().map(table_json).collect();
        format.table(&tables, COLUMNS, "There are no tables.")?;
        output::hint(&format!("{to} is now the same as {from}."));
        Ok(())
    }
}

async fn copy_into(
    source: &dyn TableReader,
    target: &dyn TableStore,
) -> Result<Vec<CopiedTable>, CopyError> {
    let bar = Bar::new();
    let copied = copy(source, target, &mut |progress| bar.show(progress)).await;
    bar.0.finish_and_clear();
    copied
}

fn patient(options: &PostgresOptions) -> PostgresOptions {
    PostgresOptions {
        statement_timeout: STATEMENT_TIMEOUT,
        ..options.clone()
    }
}

fn table_json(copied: &CopiedTable) -> Value {
    json!({
        "table": copied.table,
        "rows": copied.rows,
        "written": copied.written,
        "deleted": copied.deleted,
        "checksum": copied.checksum,
    })
}

impl From<CopyError> for Failure {
    fn from(error: CopyError) -> Self {
        match error {
            CopyError::Storage(error) => error.into(),
            CopyError::OtherData => Self::new(format!(
                "Nothing was copied: {error}. Choose an empty database with --to, or one that was copied from this source before."
            )),
            CopyError::Differs(_) => Self::new(format!(
                "The target is not yet the same: {error}. Stop what writes to it, and copy again."
            )),
        }
    }
}

impl From<TargetError> for Failure {
    fn from(error: TargetError) -> Self {
        match error {
            TargetError::Storage(error) => error.into(),
            TargetError::InUse { .. } => Self::new(format!(
                "Nothing was copied: {error}, which would not notice the change. Stop them, and copy again."
            )),
            TargetError::Copying(_) => Self::new(format!(
                "Nothing was copied: {error}. Wait until it is done, or end it."
            )),
        }
    }
}

/// How far it is, on a terminal.
struct Bar(ProgressBar);

impl Bar {
    fn new() -> Self {
        let style = ProgressStyle::with_template("{msg:14} {bar:40} {pos} of {len} rows ({eta})");
        let bar = ProgressBar::no_length();
        Self(bar.with_style(style.expect("a template")))
    }

    fn show(&self, progress: CopyProgress) {
        if self.0.message() != progress.table {
            self.0.reset();
            self.0.set_message(progress.table);
        }
        self.0.set_length(progress.of);
        self.0.set_position(progress.done);
    }
}
