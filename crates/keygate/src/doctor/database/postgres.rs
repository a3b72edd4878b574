//! The database on a server.

use std::time::Duration;

use keygate_storage_postgres::{Capacity, Inspection, LossRisk, PostgresOptions};

use crate::finding::Finding;

const SERVER: &str = "database server";
const CONNECTIONS: &str = "database connections";
/// How far apart the server's clock and this machine's may be.
pub(super) const TOLERANCE: Duration = Duration::from_secs(1);

pub(super) fn check(options: &PostgresOptions, inspection: &Inspection) -> Vec<Finding> {
    let mut found = server(inspection);
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
    if inspection.risks.is_empty() {
        return vec![Finding::ok(
            SERVER,
            format!("PostgreSQL {version}, UTF8, and acknowledged changes are on the disk."),
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
