//! The database on a server.

use std::time::Duration;

use keygate_core::{Clock, SystemClock};
use keygate_storage_postgres::{Capacity, Inspection, LossRisk, PostgresOptions};

use super::{Clocks, DATABASE, Finding, Reading, sqlite::schema};

const SERVER: &str = "database server";
const CONNECTIONS: &str = "database connections";
/// How far apart the server's clock and this machine's may be.
const TOLERANCE: Duration = Duration::from_secs(1);

pub(super) async fn check(options: &PostgresOptions, clocks: &mut Clocks) -> Vec<Finding> {
    let began = SystemClock.monotonic();
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
        // It was read at any time of the inspection.
        tolerance: TOLERANCE + SystemClock.monotonic().saturating_sub(began),
    });
    let mut found = vec![schema(&name, inspection.version, inspection.known)];
    if inspection.version < inspection.known && !inspection.can_create {
        found.push(Finding::wrong(
            DATABASE,
            format!("{name} has to get tables, which this user may not make."),
            "Make the user its owner: ALTER DATABASE name OWNER TO user",
        ));
    }
    found.extend(server(&inspection));
    found.push(connections(options, inspection.capacity));
    found
}

/// A node that runs already is looked at beside itself, so what is free may be too little and enough.
fn connections(options: &PostgresOptions, Capacity { most, free }: Capacity) -> Finding {
    let needed = u64::from(options.connections());
    let more = "Raise max_connections in postgresql.conf or the user's limit (ALTER ROLE name \
        CONNECTION LIMIT n), or lower storage.pool_size.";
    if needed > most {
        return Finding::wrong(
            CONNECTIONS,
            format!("This node makes up to {needed}, and the server gives its user {most}."),
            more,
        );
    }
    if needed > free {
        return Finding::warning(
            CONNECTIONS,
            format!(
                "This node makes up to {needed}, and of {most} there are {free} left, besides its \
                 own if it runs."
            ),
            more,
        );
    }
    Finding::ok(
        CONNECTIONS,
        format!("This node makes up to {needed}, and of {most} there are {free} left."),
    )
}

fn server(inspection: &Inspection) -> Vec<Finding> {
    let version = &inspection.server;
    if !inspection.is_unicode {
        return vec![Finding::wrong(
            SERVER,
            "The database's encoding is not UTF8.",
            "Make another: CREATE DATABASE keygate TEMPLATE template0 ENCODING 'UTF8'",
        )];
    }
    if inspection.risks.is_empty() {
        return vec![Finding::ok(
            SERVER,
            format!("PostgreSQL {version}, UTF8, and what it acknowledges is on the disk."),
        )];
    }
    let risk = |risk: &LossRisk| {
        let message = format!(
            "PostgreSQL {version} can lose a revocation that it has acknowledged: {}",
            risk.why
        );
        Finding::warning(SERVER, message, risk.advice)
    };
    inspection.risks.iter().map(risk).collect()
}
