use std::{
    io::{IsTerminal, Write},
    path::PathBuf,
};

use clap::Args;
use keygate_core::{Clock, SystemClock};
use keygate_storage_sqlite::{Restoration, RestoreError, Revived};
use serde_json::{Value, json};

use super::{account::Format, output};
use crate::{
    config::{Database, Settings},
    failure::Failure,
    noted::choose_database,
    operator,
    server::create_data_folder,
};

#[derive(Args)]
pub(super) struct Restore {
    /// The backup
    file: PathBuf,
    /// Do not ask for confirmation
    #[arg(long)]
    yes: bool,
    #[command(flatten)]
    format: Format,
}

impl Restore {
    pub(super) async fn run(self, settings: &mut Settings) -> Result<(), Failure> {
        let Self { file, yes, format } = self;
        if operator::is_running(&settings.data).await {
            return Err(Failure::new(format!(
                "keygate is running on the data folder {}. Stop it first, then restore.",
                settings.data.display()
            )));
        }
        choose_database(settings)?;
        let database = match &settings.database {
            Database::Sqlite(path) => path.clone(),
            Database::Postgres(options) => {
                return Err(Failure::new(format!(
                    "keygate's data is in PostgreSQL at {0}, whose own tools restore it. Stop all nodes before: pg_restore --clean --if-exists --dbname=postgres://user@{0} {1}",
                    options.name(),
                    file.display()
                )));
            }
        };
        create_data_folder(&settings.data)?;
        let prepare = move || Restoration::prepare(&file, &database, SystemClock.now());
        let prepared = tokio::task::spawn_blocking(prepare).await;
        let broke_off = |panic| Failure::new(format!("The restore failed ({panic})."));
        let prepared = prepared.map_err(broke_off)??;
        let revived = described(prepared.revived.as_ref());
        if format.is_for_people() {
            for line in lines(&revived) {
                output::write_line(&line).map_err(|error| output::nothing_done(&error))?;
            }
        }
        if !yes {
            confirm()?;
        }
        let aside = prepared.complete()?.display().to_string();
        let done = json!({ "moved_aside": aside, "revived": revived });
        let sentence = "The backup is restored. The previous database is {moved_aside}.";
        format.print(&done, sentence)
    }
}

impl From<RestoreError> for Failure {
    fn from(error: RestoreError) -> Self {
        match error {
            RestoreError::Storage(error) => error.into(),
            RestoreError::Backup { .. } => Self::new(format!(
                "Nothing was changed: {error}. Choose another backup."
            )),
        }
    }
}

/// What comes back; nothing, where that cannot be told.
fn described(revived: Option<&Revived>) -> Value {
    revived.map_or(Value::Null, |revived| {
        json!({
            "keys": revived.keys,
            "accounts": revived.accounts,
            "admins": revived.admins,
            "passwords": revived.passwords,
            "lost_accounts": revived.lost_accounts,
            "lost_keys": revived.lost_keys,
        })
    })
}

const LISTS: &[(&str, &str)] = &[
    ("keys", "Keys that work again"),
    ("accounts", "Accounts that are no longer suspended"),
    ("admins", "Accounts that are admins again"),
    ("passwords", "Accounts with their earlier password"),
];

fn lines(revived: &Value) -> Vec<String> {
    if revived.is_null() {
        return vec!["The current database cannot be read, so it is not known which keys and accounts the backup brings back: check them afterwards.".to_owned()];
    }
    let mut lines = Vec::new();
    for (field, title) in LISTS {
        let items = revived[field].as_array().into_iter().flatten();
        let items: Vec<&str> = items.filter_map(Value::as_str).collect();
        if !items.is_empty() {
            lines.push(format!("{title} ({}):", items.len()));
            lines.extend(items.iter().map(|item| format!("  {item}")));
        }
    }
    if lines.is_empty() {
        lines.push("Nothing that was revoked or suspended since the backup comes back.".to_owned());
    }
    let (accounts, keys) = (&revived["lost_accounts"], &revived["lost_keys"]);
    lines.push(format!(
        "Not in the backup, and lost: {accounts} accounts, {keys} keys. All sessions and links end."
    ));
    lines
}

fn confirm() -> Result<(), Failure> {
    let not_done =
        || Failure::new("Nothing was changed. Use --yes to restore without this question.");
    if !std::io::stdin().is_terminal() {
        return Err(not_done());
    }
    let _ = write!(std::io::stderr(), "Restore the backup? [y/N] ");
    let mut answer = String::new();
    let read = std::io::stdin().read_line(&mut answer);
    if read.is_ok() && matches!(answer.trim(), "y" | "Y" | "yes") {
        return Ok(());
    }
    Err(not_done())
}
