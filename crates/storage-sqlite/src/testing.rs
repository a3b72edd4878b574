//! A past for tests and measurements, which would take long to live through.

use std::path::Path;

use keygate_core::{ComponentId, Timestamp};
use keygate_storage::Concern;
use rusqlite::{Connection, params};

use crate::SqliteStore;

const HOUR: i64 = 3_600_000;

/// Raises a concern as the store itself would.
pub fn raise_concern(store: &SqliteStore, concern: Concern) {
    store.concerns.raise(concern);
}

/// Takes the table of the sessions away from the database at `path`, so that whatever asks for one is
/// refused as a statement that cannot be run.
pub fn take_sessions_away(path: &Path) {
    let db = Connection::open(path).expect("the database opens");
    let renamed = db.execute_batch("ALTER TABLE sessions RENAME TO taken_away");
    renamed.expect("the table is there");
}

/// Gives keygate's own components, and these upstreams by their paths, the 90 days of probes, each half a
/// minute, that a database keeps: one by one those of the last 25 hours, hours and days in sum. Every 7,000
/// minutes, 40 of them failed. The database at `path` has to be closed.
pub fn fill_status(path: &Path, upstreams: &[String], now: Timestamp) {
    let own = [
        ComponentId::management_api(),
        ComponentId::data_plane(),
        ComponentId::storage(),
    ];
    let upstreams = upstreams.iter().map(|path| ComponentId::upstream(path));
    let db = Connection::open(path).expect("the database opens");
    db.execute_batch("BEGIN").expect("begun");
    for component in own.into_iter().chain(upstreams) {
        fill(&db, component.as_str(), now.as_millis()).expect("the tables are there");
    }
    db.execute_batch("COMMIT").expect("committed");
}

fn fill(db: &Connection, component: &str, now: i64) -> rusqlite::Result<()> {
    db.execute(
        "WITH RECURSIVE at (at) AS (SELECT ?2 - 25 * 3600000 UNION ALL SELECT at + 30000 FROM at WHERE at + 30000 <= ?2) \
         INSERT INTO probes SELECT ?1, at, at / 60000 % 7000 >= 40, 1 + at / 60000 % 17 FROM at",
        params![component, now],
    )?;
    for (period, length) in [("hour", HOUR), ("day", 24 * HOUR)] {
        db.execute(
            "WITH RECURSIVE \
             minute (at) AS (SELECT ?2 - 91 * 86400000 UNION ALL SELECT at + 60000 FROM minute WHERE at + 60000 <= ?2) \
             INSERT INTO probe_rollups \
             SELECT ?1, ?3, at - at % ?4, 2 * sum(at / 60000 % 7000 >= 40), 2 * sum(at / 60000 % 7000 < 40), \
               60000 * count(*), 2 * sum((at / 60000 % 7000 >= 40) * (1 + at / 60000 % 17)) \
             FROM minute GROUP BY at - at % ?4",
            params![component, now, period, length],
        )?;
    }
    Ok(())
}
