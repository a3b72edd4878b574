//! What is said of a database that a server would open.

mod postgres;
mod sqlite;

use super::{Clocks, Finding, Reading};
use crate::{config::Database, preflight::Inspected};

pub(super) async fn check(
    database: &Database,
    inspected: &Inspected,
    clocks: &mut Clocks,
) -> Vec<Finding> {
    match (database, inspected) {
        (Database::Sqlite(path), Inspected::Sqlite(Some(inspection))) => {
            clocks.newest_entry = inspection.newest_entry;
            sqlite::check(path).await
        }
        (
            Database::Postgres(options),
            Inspected::Postgres {
                inspection,
                answered_at,
                took,
            },
        ) => {
            clocks.newest_entry = inspection.newest_entry;
            clocks.readings.push(Reading {
                whose: options.name(),
                theirs: inspection.now,
                ours: *answered_at,
                // It was read at any time of the inspection.
                tolerance: postgres::TOLERANCE + *took,
            });
            postgres::check(options, inspection)
        }
        _ => Vec::new(),
    }
}
