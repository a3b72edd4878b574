//! What went wrong or is planned, and what is said of it.

use keygate_core::{ComponentId, Incident, IncidentId, IncidentKind, IncidentUpdate, Timestamp};
use keygate_storage::{
    AuditEntry, ChangeIncident, Columns, IncidentPage, IncidentRule, StorageError, components_text,
    gather_incidents, readable, statements,
};
use sqlx::{PgConnection, query};

use crate::{
    query::{Statement, all, execute},
    row::{PostgresRow, ToUuid},
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
        "WHERE ($1::uuid IS NULL OR id < $1) ORDER BY id DESC LIMIT $2"
    );
    LIST_OPEN = incidents!(
        "WHERE ends_at IS NULL UNION ALL SELECT * FROM incidents WHERE ends_at > $1"
    );
    LIST_ENDED = incidents!(
        "WHERE kind = $1 AND ends_at > $2 AND ends_at <= $3 ORDER BY ends_at DESC LIMIT $4"
    );
    INSERT = "INSERT INTO incidents (id, kind, title, components, starts_at, ends_at) \
        VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING";
    PUT_UPDATE = "INSERT INTO incident_updates (id, incident_id, at, state, message) \
        VALUES ($1, $2, $3, $4, $5) ON CONFLICT (id) DO UPDATE SET message = excluded.message";
    /// Taken before the incident is read, so that what is read is what the change is made of.
    LOCK = "SELECT 1 FROM incidents WHERE id = $1 FOR UPDATE";
    UPDATE = "UPDATE incidents SET title = $2, components = $3, starts_at = $4, ends_at = $5 \
        WHERE id = $1";
    FORGET_OUTAGES = "DELETE FROM incidents WHERE ctid = ANY (ARRAY (SELECT ctid FROM incidents \
        WHERE kind = 'outage' AND ends_at < $1 ORDER BY ends_at LIMIT $2 FOR UPDATE SKIP LOCKED))";
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
        put_update(db, incident.id, update).await?;
    }
    db.audit(audit).await?;
    Ok(true)
}

/// Makes of an incident what `rule` says. Nobody else changes it meanwhile.
pub(crate) async fn change(
    db: &mut Write,
    id: IncidentId,
    rule: &IncidentRule,
) -> Result<ChangeIncident, StorageError> {
    execute(db, query(LOCK).bind(id.uuid())).await?;
    let Some(before) = lookup(db, id).await? else {
        return Ok(ChangeIncident::NotFound);
    };
    let (after, audit) = match rule(&before) {
        Ok(changed) => changed,
        Err(problem) => return Ok(ChangeIncident::Refused(problem)),
    };
    let row = query(UPDATE)
        .bind(id.uuid())
        .bind(after.title.as_str())
        .bind(components_text(&after.components))
        .bind(after.starts_at.as_millis())
        .bind(after.ends_at.map(Timestamp::as_millis));
    execute(db, row).await?;
    for update in after.updates_beyond(&before) {
        put_update(db, id, update).await?;
    }
    db.audit(&audit).await?;
    Ok(ChangeIncident::Changed(after))
}

async fn put_update(
    db: &mut PgConnection,
    id: IncidentId,
    update: &IncidentUpdate,
) -> Result<(), StorageError> {
    let row = query(PUT_UPDATE)
        .bind(update.id.uuid())
        .bind(id.uuid())
        .bind(update.at.as_millis())
        .bind(update.state.as_str())
        .bind(update.message.as_str());
    execute(db, row).await.map(|_| ())
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
    Ok(gather_readable(db, lookup).await?.pop())
}

pub(crate) async fn list(
    db: &mut PgConnection,
    page: IncidentPage,
) -> Result<Vec<Incident>, StorageError> {
    let list = query(LIST)
        .bind(page.before.map(|before| before.uuid()))
        .bind(i64::from(page.limit));
    gather_readable(db, list).await
}

pub(crate) async fn list_open(
    db: &mut PgConnection,
    then: Timestamp,
) -> Result<Vec<Incident>, StorageError> {
    gather_readable(db, query(LIST_OPEN).bind(then.as_millis())).await
}

pub(crate) async fn list_ended(
    db: &mut PgConnection,
    kind: IncidentKind,
    [after, until]: [Timestamp; 2],
    limit: u32,
) -> Result<Vec<Incident>, StorageError> {
    let list = query(LIST_ENDED)
        .bind(kind.as_str())
        .bind(after.as_millis())
        .bind(until.as_millis())
        .bind(i64::from(limit));
    gather_readable(db, list).await
}

/// Forgets outages that were over before this, in milliseconds since the epoch; at most so many.
pub(crate) async fn forget_outages(
    db: &mut PgConnection,
    before: i64,
    limit: i64,
) -> Result<(), StorageError> {
    let forget = query(FORGET_OUTAGES).bind(before).bind(limit);
    execute(db, forget).await.map(|_| ())
}

fn row(row: &PostgresRow<'_>) -> Result<(Incident, Option<IncidentUpdate>), StorageError> {
    Ok((row.incident()?, row.incident_update()?))
}

async fn gather(
    db: &mut PgConnection,
    statement: Statement<'_>,
) -> Result<Vec<Incident>, StorageError> {
    let rows = all(db, statement, |found| row(found).map(Some)).await?;
    Ok(gather_incidents(rows))
}

/// An incident that can be read, without an update that cannot.
fn readable_row(row: &PostgresRow<'_>) -> Result<(Incident, Option<IncidentUpdate>), StorageError> {
    Ok((row.incident()?, readable(row.incident_update())?.flatten()))
}

/// The same without what cannot be read.
async fn gather_readable(
    db: &mut PgConnection,
    statement: Statement<'_>,
) -> Result<Vec<Incident>, StorageError> {
    let rows = all(db, statement, |found| readable(readable_row(found))).await?;
    Ok(gather_incidents(rows))
}
