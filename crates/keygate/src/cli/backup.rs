use std::path::PathBuf;

use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use keygate_storage_sqlite::back_up;
use serde_json::json;

use super::account::Format;
use crate::{
    config::{Database, Settings},
    failure::Failure,
    operator,
};

#[derive(Args)]
pub(super) struct Backup {
    /// Where to write it
    file: PathBuf,
    /// Replace an older backup
    #[arg(long)]
    force: bool,
    #[command(flatten)]
    format: Format,
}

impl Backup {
    pub(super) async fn run(self, settings: &mut Settings) -> Result<(), Failure> {
        let Self {
            file,
            force,
            format,
        } = self;
        let database = match operator::locate(settings).await? {
            Database::Sqlite(path) => path,
            Database::Postgres(options) => {
                return Err(Failure::new(format!(
                    "keygate's data is in PostgreSQL at {0}, whose own tools make a backup of it: pg_dump --format=custom --file={1} postgres://user@{0}",
                    options.name(),
                    file.display()
                )));
            }
        };
        if !database.exists() {
            return Err(Failure::new(format!(
                "There is no database {}. Choose its folder with --data.",
                database.display()
            )));
        }
        // Found out before the work, and once more by the file system after it.
        if !force && file.exists() {
            return Err(Failure::new(format!(
                "{} already exists. Choose another name, or replace it with --force.",
                file.display()
            )));
        }
        let target = file.clone();
        let written = tokio::task::spawn_blocking(move || {
            let bar = bar();
            let written = back_up(&database, &target, force, &mut |done, of| {
                bar.set_length(of);
                bar.set_position(done);
            });
            bar.finish_and_clear();
            written
        });
        let written = written.await;
        written.map_err(|panic| Failure::new(format!("The backup failed ({panic}).")))??;
        let file = file.display().to_string();
        format.print(&json!({ "file": file }), "{file} is written and checked.")
    }
}

fn bar() -> ProgressBar {
    let style = ProgressStyle::with_template("{bar:40} {pos} of {len} pages ({eta})");
    ProgressBar::no_length().with_style(style.expect("a template"))
}
