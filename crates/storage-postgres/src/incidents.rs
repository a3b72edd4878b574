//! What went wrong or is planned, and what is said of it.

use keygate_core::{
    ComponentId, Incident, IncidentId, IncidentMessage, IncidentTitle, IncidentUpdate, Timestamp,
    UpdateId,
};
use keygate_storage::{
    AuditEntry, Columns, IncidentEdit, IncidentPage, StorageError, components_text,
    gather_incidents, statements,
};
use sqlx::{PgConnection, query};

use crate::{
    query::{Statement, all, execute},
    row::ToUuid,
    write::Write,
};

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
    LOOKUP = incidents!("WHERE id = $1");
    LOOKUP_OUTAGE = incidents!("WHERE kind = 'outage' AND ends_at IS NULL AND components = $1");
    LIST = incidents!(
        "WHERE ($1::bigint IS NULL OR ends_at IS NULL OR ends_at > $1) \
         AND ($2::uuid IS NULL OR id < $2) ORDER BY id DESC LIMIT $3"
    );
    INSERT = "INSERT INTO incidents (id, kind, title, components, starts_at, ends_at) \
        VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING";
    INSERT_UPDATE = "INSERT INTO incident_updates (id, incident_id, at, state, message) \
        VALUES ($1, $2, $3, $4, $5)";
    SET_END = "UPDATE incidents SET ends_at = coalesce($2, ends_at) WHERE id = $1";
    EDIT = "UPDATE incidents SET title = coalesce($2, title), components = coalesce($3, components), \
        starts_at = coalesce($4, starts_at), ends_at = coalesce($5, ends_at) WHERE id = $1";
    EDIT_UPDATE = "UPDATE incident_updates SET message = $3 WHERE incident_id = $1 AND id = $2";
    FORGET_OUTAGES = "DELETE FROM incidents WHERE kind = 'outage' AND ends_at < $1";
}

pub(crate) async fn insert(
    db: &mut Write,
    incident: &Incident,
    audit: &AuditEntry,
) -> Result<bool, StorageError> {
    let row = query(INSERT)
        .bind(incident.id.uuid())
        .bind(incident.kind.as_str())
        .bind(incident.title.as_str())
        .bind(components_text(&incident.components))
        .bind(incident.starts_at.as_millis())
        .bind(incident.ends_at.map(Timestamp::as_millis));
    if execute(db, row).await? == 0 {
        return Ok(false);
    }
    for update in &incident.updates {
        insert_update(db, incident.id, update).await?;
    }
    db.audit(audit).await?;
    Ok(true)
}

pub(crate) async fn add_update(
    db: &mut Write,
    id: IncidentId,
    update: &IncidentUpdate,
    ends_at: Option<Timestamp>,
    audit: &AuditEntry,
) -> Result<bool, StorageError> {
    let end = query(SET_END)
        .bind(id.uuid())
        .bind(ends_at.map(Timestamp::as_millis));
    if execute(db, end).await? == 0 {
        return Ok(false);
    }
    insert_update(db, id, update).await?;
    db.audit(audit).await?;
    Ok(true)
}

async fn insert_update(
    db: &mut PgConnection,
    id: IncidentId,
    update: &IncidentUpdate,
) -> Result<(), StorageError> {
    let row = query(INSERT_UPDATE)
        .bind(update.id.uuid())
        .bind(id.uuid())
        .bind(update.at.as_millis())
        .bind(update.state.as_str())
        .bind(update.message.as_str());
    execute(db, row).await.map(|_| ())
}

pub(crate) async fn edit(
    db: &mut Write,
    id: IncidentId,
    edit: &IncidentEdit,
    audit: &AuditEntry,
) -> Result<bool, StorageError> {
    let row = query(EDIT)
        .bind(id.uuid())
        .bind(edit.title.as_ref().map(IncidentTitle::as_str))
        .bind(edit.components.as_deref().map(components_text))
        .bind(edit.starts_at.map(Timestamp::as_millis))
        .bind(edit.ends_at.map(Timestamp::as_millis));
    change(db, row, audit).await
}

pub(crate) async fn edit_update(
    db: &mut Write,
    incident_id: IncidentId,
    id: UpdateId,
    message: &IncidentMessage,
    audit: &AuditEntry,
) -> Result<bool, StorageError> {
    let row = query(EDIT_UPDATE)
        .bind(incident_id.uuid())
        .bind(id.uuid())
        .bind(message.as_str());
    change(db, row, audit).await
}

async fn change(
    db: &mut Write,
    statement: Statement<'_>,
    audit: &AuditEntry,
) -> Result<bool, StorageError> {
    let is_there = execute(db, statement).await? > 0;
    if is_there {
        db.audit(audit).await?;
    }
    Ok(is_there)
}

pub(crate) async fn lookup(
    db: &mut PgConnection,
    id: IncidentId,
) -> Result<Option<Incident>, StorageError> {
    Ok(gather(db, query(LOOKUP).bind(id.uuid())).await?.pop())
}

pub(crate) async fn lookup_outage(
    db: &mut PgConnection,
    component: ComponentId,
) -> Result<Option<Incident>, StorageError> {
    let lookup = query(LOOKUP_OUTAGE).bind(component.as_str());
    Ok(gather(db, lookup).await?.pop())
}

pub(crate) async fn list(
    db: &mut PgConnection,
    page: IncidentPage,
) -> Result<Vec<Incident>, StorageError> {
    let list = query(LIST)
        .bind(page.ended_after.map(Timestamp::as_millis))
        .bind(page.before.map(|before| before.uuid()))
        .bind(i64::from(page.limit));
    gather(db, list).await
}

/// Forgets outages that were over before this, in milliseconds since the epoch.
pub(crate) async fn forget_outages(db: &mut PgConnection, before: i64) -> Result<(), StorageError> {
    execute(db, query(FORGET_OUTAGES).bind(before))
        .await
        .map(|_| ())
}

async fn gather(
    db: &mut PgConnection,
    statement: Statement<'_>,
) -> Result<Vec<Incident>, StorageError> {
    let rows = all(db, statement, |row| {
        Ok((row.incident()?, row.incident_update()?))
    });
    Ok(gather_incidents(rows.await?))
}
