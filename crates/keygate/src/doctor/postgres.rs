//! The database on a server.

use keygate_core::{Clock, SystemClock};
use keygate_storage_postgres::{Inspection, PostgresOptions};

use super::{Clocks, DATABASE, Finding, Reading, sqlite::schema};

const SERVER: &str = "database server";

pub(super) async fn check(options: &PostgresOptions, clocks: &mut Clocks) -> Vec<Finding> {
    let inspection = match Inspection::of(options).await {
        Ok(inspection) => inspection,
        Err(error) => return vec![Finding::storage(error)],
    };
    let name = options.name();
    clocks.newest_entry = inspection.newest_entry;
    clocks.readings.push(Reading {
        whose: name.clone(),
        theirs: inspection.now,
        ours: SystemClock.now(),
    });
    let mut found = vec![schema(&name, inspection.version, inspection.known)];
    if inspection.version < inspection.known && !inspection.can_create {
        found.push(Finding::wrong(
            DATABASE,
            format!("{name} has to get tables, which this user may not make."),
            "Make the user its owner: ALTER DATABASE name OWNER TO user",
        ));
    }
    found.push(server(&inspection));
    found
}

fn server(inspection: &Inspection) -> Finding {
    let version = &inspection.server;
    if !inspection.is_unicode {
        return Finding::wrong(
            SERVER,
            "The database's encoding is not UTF8.",
            "Make another: CREATE DATABASE keygate TEMPLATE template0 ENCODING 'UTF8'",
        );
    }
    if !inspection.is_durable {
        return Finding::warning(
            SERVER,
            format!(
                "PostgreSQL {version} runs with fsync or full_page_writes off: what it acknowledges can be lost."
            ),
            "Set both to on in postgresql.conf.",
        );
    }
    Finding::ok(
        SERVER,
        format!("PostgreSQL {version}, UTF8, and what it acknowledges is on the disk."),
    )
}
