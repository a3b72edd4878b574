//! What went wrong or is planned, and what is said of it.

use keygate_core::{
    ComponentId, Incident, IncidentId, IncidentMessage, IncidentTitle, IncidentUpdate, Timestamp,
    UpdateId,
};
use keygate_storage::{
    AuditEntry, Columns, IncidentEdit, IncidentPage, StorageError, components_text,
    gather_incidents, statements,
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
        "WHERE (?1 IS NULL OR ends_at IS NULL OR ends_at > ?1) AND (?2 IS NULL OR id < ?2) \
         ORDER BY id DESC LIMIT ?3"
    );
    INSERT = "INSERT INTO incidents (id, kind, title, components, starts_at, ends_at) \
        VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING";
    INSERT_UPDATE = "INSERT INTO incident_updates (id, incident_id, at, state, message) \
        VALUES (?, ?, ?, ?, ?)";
    SET_END = "UPDATE incidents SET ends_at = coalesce(?2, ends_at) WHERE id = ?1";
    EDIT = "UPDATE incidents SET title = coalesce(?2, title), components = coalesce(?3, components), \
        starts_at = coalesce(?4, starts_at), ends_at = coalesce(?5, ends_at) WHERE id = ?1";
    EDIT_UPDATE = "UPDATE incident_updates SET message = ?3 WHERE incident_id = ?1 AND id = ?2";
    FORGET_OUTAGES = "DELETE FROM incidents WHERE kind = 'outage' AND ends_at < ?";
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
        insert_update(db, incident.id, update)?;
    }
    db.audit(audit)?;
    Ok(true)
}

pub(crate) fn add_update(
    db: &Write<'_>,
    id: IncidentId,
    update: &IncidentUpdate,
    ends_at: Option<Timestamp>,
    audit: &AuditEntry,
) -> Result<bool, StorageError> {
    let end = params![id.as_bytes(), ends_at.map(Timestamp::as_millis)];
    if query::execute(db, SET_END, end)? == 0 {
        return Ok(false);
    }
    insert_update(db, id, update)?;
    db.audit(audit)?;
    Ok(true)
}

fn insert_update(
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
    query::execute(db, INSERT_UPDATE, row).map(|_| ())
}

pub(crate) fn edit(
    db: &Write<'_>,
    id: IncidentId,
    edit: &IncidentEdit,
    audit: &AuditEntry,
) -> Result<bool, StorageError> {
    let row = params![
        id.as_bytes(),
        edit.title.as_ref().map(IncidentTitle::as_str),
        edit.components.as_deref().map(components_text),
        edit.starts_at.map(Timestamp::as_millis),
        edit.ends_at.map(Timestamp::as_millis),
    ];
    changed(db, query::execute(db, EDIT, row)?, audit)
}

pub(crate) fn edit_update(
    db: &Write<'_>,
    incident_id: IncidentId,
    id: UpdateId,
    message: &IncidentMessage,
    audit: &AuditEntry,
) -> Result<bool, StorageError> {
    let row = params![incident_id.as_bytes(), id.as_bytes(), message.as_str()];
    changed(db, query::execute(db, EDIT_UPDATE, row)?, audit)
}

fn changed(db: &Write<'_>, rows: usize, audit: &AuditEntry) -> Result<bool, StorageError> {
    if rows > 0 {
        db.audit(audit)?;
    }
    Ok(rows > 0)
}

pub(crate) fn lookup(db: &Connection, id: IncidentId) -> Result<Option<Incident>, StorageError> {
    Ok(gather(db, LOOKUP, [id.as_bytes()])?.pop())
}

pub(crate) fn lookup_outage(
    db: &Connection,
    component: &ComponentId,
) -> Result<Option<Incident>, StorageError> {
    Ok(gather(db, LOOKUP_OUTAGE, [component.as_str()])?.pop())
}

pub(crate) fn list(db: &Connection, page: IncidentPage) -> Result<Vec<Incident>, StorageError> {
    let params = params![
        page.ended_after.map(Timestamp::as_millis),
        page.before.as_ref().map(IncidentId::as_bytes),
        page.limit,
    ];
    gather(db, LIST, params)
}

/// Forgets outages that were over before this, in milliseconds since the epoch.
pub(crate) fn forget_outages(db: &Connection, before: i64) -> Result<(), StorageError> {
    query::execute(db, FORGET_OUTAGES, [before]).map(|_| ())
}

fn gather(db: &Connection, sql: &str, params: impl Params) -> Result<Vec<Incident>, StorageError> {
    let read = |row: &Row<'_>| Ok((row.incident()?, row.incident_update()?));
    Ok(gather_incidents(query::all(db, sql, params, read)?))
}
