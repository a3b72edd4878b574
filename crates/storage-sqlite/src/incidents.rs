//! What went wrong or is planned, and what is said of it.

use keygate_core::{ComponentId, Incident, IncidentId, IncidentKind, IncidentUpdate, Timestamp};
use keygate_storage::{
    AuditEntry, ChangeIncident, Columns, IncidentPage, IncidentRule, StorageError, components_text,
    gather_incidents, readable, statements,
};
use rusqlite::{Connection, Params, params};

use crate::{query, row::Row, writer::Write};

/// Incidents with what was said of them, of which some are to be chosen.
macro_rules! incidents {
    ($chosen:literal) => {
        concat!(
            "SELECT chosen.id AS incident_id, kind, title, components, starts_at, ends_at, \
             u.id AS update_id, u.at, u.state, u.message FROM (SELECT * FROM incidents ",
            $chosen,
            ") AS chosen LEFT JOIN incident_updates AS u ON u.incident_id = chosen.id \
             ORDER BY chosen.id DESC, u.id"
        )
    };
}

statements! {
    LOOKUP = incidents!("WHERE id = ?");
    LOOKUP_OUTAGE = incidents!("WHERE kind = 'outage' AND ends_at IS NULL AND components = ?");
    LIST = incidents!(
        "WHERE (?1 IS NULL OR id < ?1) ORDER BY id DESC LIMIT ?2"
    );
    LIST_OPEN = incidents!(
        "WHERE id IN (SELECT id FROM incidents WHERE ends_at IS NULL \
         UNION ALL SELECT id FROM incidents WHERE ends_at > ?1)"
    );
    LIST_ENDED = incidents!(
        "WHERE kind = ?1 AND ends_at > ?2 AND ends_at <= ?3 ORDER BY ends_at DESC LIMIT ?4"
    );
    INSERT = "INSERT INTO incidents (id, kind, title, components, starts_at, ends_at) \
        VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING";
    PUT_UPDATE = "INSERT INTO incident_updates (id, incident_id, at, state, message) \
        VALUES (?, ?, ?, ?, ?) ON CONFLICT (id) DO UPDATE SET message = excluded.message";
    UPDATE = "UPDATE incidents SET title = ?2, components = ?3, starts_at = ?4, ends_at = ?5 \
        WHERE id = ?1";
    FORGET_OUTAGES = "DELETE FROM incidents WHERE id IN (SELECT id FROM incidents \
        WHERE kind = 'outage' AND ends_at < ?1 ORDER BY ends_at LIMIT ?2)";
}

pub(crate) fn insert(
    db: &Write<'_>,
    incident: &Incident,
    audit: &AuditEntry,
) -> Result<bool, StorageError> {
    let row = params![
        incident.id.as_bytes(),
        incident.kind.as_str(),
        incident.title.as_str(),
        components_text(&incident.components),
        incident.starts_at.as_millis(),
        incident.ends_at.map(Timestamp::as_millis),
    ];
    if query::execute(db, INSERT, row)? == 0 {
        return Ok(false);
    }
    for update in &incident.updates {
        put_update(db, incident.id, update)?;
    }
    db.audit(audit)?;
    Ok(true)
}

/// Makes of an incident what `rule` says. Nobody else writes meanwhile.
pub(crate) fn change(
    db: &Write<'_>,
    id: IncidentId,
    rule: &IncidentRule,
) -> Result<ChangeIncident, StorageError> {
    let Some(before) = lookup(db, id)? else {
        return Ok(ChangeIncident::NotFound);
    };
    let (after, audit) = match rule(&before) {
        Ok(changed) => changed,
        Err(problem) => return Ok(ChangeIncident::Refused(problem)),
    };
    let row = params![
        id.as_bytes(),
        after.title.as_str(),
        components_text(&after.components),
        after.starts_at.as_millis(),
        after.ends_at.map(Timestamp::as_millis),
    ];
    query::execute(db, UPDATE, row)?;
    for update in after.updates_beyond(&before) {
        put_update(db, id, update)?;
    }
    db.audit(&audit)?;
    Ok(ChangeIncident::Changed(after))
}

fn put_update(
    db: &Connection,
    id: IncidentId,
    update: &IncidentUpdate,
) -> Result<(), StorageError> {
    let row = params![
        update.id.as_bytes(),
        id.as_bytes(),
        update.at.as_millis(),
        update.state.as_str(),
        update.message.as_str(),
    ];
    query::execute(db, PUT_UPDATE, row).map(|_| ())
}

pub(crate) fn lookup(db: &Connection, id: IncidentId) -> Result<Option<Incident>, StorageError> {
    Ok(gather(db, LOOKUP, [id.as_bytes()])?.pop())
}

pub(crate) fn lookup_outage(
    db: &Connection,
    component: &ComponentId,
) -> Result<Option<Incident>, StorageError> {
    Ok(gather_readable(db, LOOKUP_OUTAGE, [component.as_str()])?.pop())
}

pub(crate) fn list(db: &Connection, page: IncidentPage) -> Result<Vec<Incident>, StorageError> {
    let before = page.before.as_ref().map(IncidentId::as_bytes);
    gather_readable(db, LIST, params![before, page.limit])
}

pub(crate) fn list_open(db: &Connection, then: Timestamp) -> Result<Vec<Incident>, StorageError> {
    gather_readable(db, LIST_OPEN, [then.as_millis()])
}

pub(crate) fn list_ended(
    db: &Connection,
    kind: IncidentKind,
    [after, until]: [Timestamp; 2],
    limit: u32,
) -> Result<Vec<Incident>, StorageError> {
    let params = params![kind.as_str(), after.as_millis(), until.as_millis(), limit];
    gather_readable(db, LIST_ENDED, params)
}

/// Forgets outages that were over before this, in milliseconds since the epoch; at most so many.
pub(crate) fn forget_outages(db: &Connection, before: i64, limit: i64) -> Result<(), StorageError> {
    query::execute(db, FORGET_OUTAGES, [before, limit]).map(|_| ())
}

fn row(row: &Row<'_>) -> Result<(Incident, Option<IncidentUpdate>), StorageError> {
    Ok((row.incident()?, row.incident_update()?))
}

fn gather(db: &Connection, sql: &str, params: impl Params) -> Result<Vec<Incident>, StorageError> {
    let rows = query::all(db, sql, params, |found| row(found).map(Some))?;
    Ok(gather_incidents(rows))
}

/// An incident that can be read, without an update that cannot.
fn readable_row(row: &Row<'_>) -> Result<(Incident, Option<IncidentUpdate>), StorageError> {
    Ok((row.incident()?, readable(row.incident_update())?.flatten()))
}

/// The same without what cannot be read.
fn gather_readable(
    db: &Connection,
    sql: &str,
    params: impl Params,
) -> Result<Vec<Incident>, StorageError> {
    let rows = query::all(db, sql, params, |found| readable(readable_row(found)))?;
    Ok(gather_incidents(rows))
}
