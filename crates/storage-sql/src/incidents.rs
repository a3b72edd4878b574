//! Incidents and maintenance, with their updates.

use keygate_core::{ComponentId, Incident, IncidentId, IncidentKind, IncidentUpdate, Timestamp};
use keygate_storage::{AuditEntry, ChangeIncident, IncidentPage, IncidentRule, StorageError};

use crate::{
    Columns, Read, Statement, Tx, Value, all, audit,
    readable::readable,
    statement::{both, each, postgres, statements},
    undone::Undone,
    value::values,
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
    LOOKUP = both!(incidents!("WHERE id = $1"));
    LOOKUP_OUTAGE = both!(incidents!(
        "WHERE kind = 'outage' AND ends_at IS NULL AND components = $1"
    ));
    LIST = each!(
        incidents!("WHERE ($1 IS NULL OR id < $1) ORDER BY id DESC LIMIT $2"),
        incidents!("WHERE ($1::uuid IS NULL OR id < $1) ORDER BY id DESC LIMIT $2")
    );
    /// Each half by an index.
    LIST_OPEN = each!(
        incidents!(
            "WHERE id IN (SELECT id FROM incidents WHERE ends_at IS NULL \
             UNION ALL SELECT id FROM incidents WHERE ends_at > $1)"
        ),
        incidents!("WHERE ends_at IS NULL UNION ALL SELECT * FROM incidents WHERE ends_at > $1")
    );
    LIST_ENDED = both!(incidents!(
        "WHERE kind = $1 AND ends_at > $2 AND ends_at <= $3 ORDER BY ends_at DESC LIMIT $4"
    ));
    INSERT = both!("INSERT INTO incidents (id, kind, title, components, starts_at, ends_at) \
        VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING");
    PUT_UPDATE = both!("INSERT INTO incident_updates (id, incident_id, at, state, message) \
        VALUES ($1, $2, $3, $4, $5) ON CONFLICT (id) DO UPDATE SET message = excluded.message");
    /// Taken before the incident is read, so that what is read is what the change is made of.
    LOCK = postgres!("SELECT 1 FROM incidents WHERE id = $1 FOR UPDATE");
    UPDATE = both!("UPDATE incidents \
        SET title = $2, components = $3, starts_at = $4, ends_at = $5 WHERE id = $1");
    FORGET_OUTAGES = each!(
        "DELETE FROM incidents WHERE id IN (SELECT id FROM incidents \
         WHERE kind = 'outage' AND ends_at < $1 ORDER BY ends_at LIMIT $2)",
        "DELETE FROM incidents WHERE ctid = ANY (ARRAY (SELECT ctid FROM incidents \
         WHERE kind = 'outage' AND ends_at < $1 ORDER BY ends_at LIMIT $2 FOR UPDATE SKIP LOCKED))"
    );
}

pub(crate) async fn insert(
    tx: &mut dyn Tx,
    incident: Incident,
    audit: AuditEntry,
) -> Result<bool, Undone> {
    let components = components_text(&incident.components);
    let row = values![
        incident.id,
        incident.kind.as_str(),
        incident.title.as_str(),
        &components,
        incident.starts_at,
        incident.ends_at,
    ];
    if tx.execute(&INSERT, row).await? == 0 {
        return Ok(false);
    }
    for update in &incident.updates {
        put_update(tx, incident.id, update).await?;
    }
    audit::insert(tx, &audit).await?;
    Ok(true)
}

/// Makes of an incident what `rule` says. Nobody else changes it meanwhile.
pub(crate) async fn change(
    tx: &mut dyn Tx,
    id: IncidentId,
    rule: IncidentRule,
) -> Result<ChangeIncident, Undone> {
    tx.lock(&LOCK, values![id]).await?;
    let Some(before) = lookup(tx, id).await? else {
        return Ok(ChangeIncident::NotFound);
    };
    let (after, audit) = match rule(&before) {
        Ok(changed) => changed,
        Err(problem) => return Ok(ChangeIncident::Refused(problem)),
    };
    let components = components_text(&after.components);
    let row = values![
        id,
        after.title.as_str(),
        &components,
        after.starts_at,
        after.ends_at
    ];
    tx.execute(&UPDATE, row).await?;
    for update in after.updates_beyond(&before) {
        put_update(tx, id, update).await?;
    }
    audit::insert(tx, &audit).await?;
    Ok(ChangeIncident::Changed(after))
}

async fn put_update(
    tx: &mut dyn Tx,
    id: IncidentId,
    update: &IncidentUpdate,
) -> Result<(), StorageError> {
    let row = values![
        update.id,
        id,
        update.at,
        update.state.as_str(),
        update.message.as_str(),
    ];
    tx.execute(&PUT_UPDATE, row).await.map(|_| ())
}

pub(crate) async fn lookup(
    db: &mut dyn Read,
    id: IncidentId,
) -> Result<Option<Incident>, StorageError> {
    let id = values![id];
    let rows = all(db, &LOOKUP, id, |row| {
        Ok(Some((row.incident()?, row.incident_update()?)))
    });
    Ok(gather_incidents(rows.await?).pop())
}

pub(crate) async fn lookup_outage(
    db: &mut dyn Read,
    component: ComponentId,
) -> Result<Option<Incident>, StorageError> {
    let component = values![component.as_str()];
    Ok(gather(db, &LOOKUP_OUTAGE, component).await?.pop())
}

pub(crate) async fn list(
    db: &mut dyn Read,
    page: IncidentPage,
) -> Result<Vec<Incident>, StorageError> {
    gather(db, &LIST, values![page.before, page.limit]).await
}

pub(crate) async fn list_open(
    db: &mut dyn Read,
    then: Timestamp,
) -> Result<Vec<Incident>, StorageError> {
    gather(db, &LIST_OPEN, values![then]).await
}

pub(crate) async fn list_ended(
    db: &mut dyn Read,
    kind: IncidentKind,
    [after, until]: [Timestamp; 2],
    limit: u32,
) -> Result<Vec<Incident>, StorageError> {
    let values = values![kind.as_str(), after, until, limit];
    gather(db, &LIST_ENDED, values).await
}

/// Forgets outages that were over before this; at most so many.
pub(crate) async fn forget_outages(
    tx: &mut dyn Tx,
    before: Timestamp,
    limit: u32,
) -> Result<(), StorageError> {
    tx.execute(&FORGET_OUTAGES, values![before, limit])
        .await
        .map(|_| ())
}

/// Incidents, without what cannot be read.
async fn gather(
    db: &mut dyn Read,
    statement: &'static Statement,
    values: &[Value<'_>],
) -> Result<Vec<Incident>, StorageError> {
    let rows = all(db, statement, values, |row| readable(readable_row(row))).await?;
    Ok(gather_incidents(rows))
}

/// An incident that can be read, without an update that cannot.
fn readable_row(row: &dyn Columns) -> Result<(Incident, Option<IncidentUpdate>), StorageError> {
    Ok((row.incident()?, readable(row.incident_update())?.flatten()))
}

/// Puts rows that each have an incident and something that was said of it together, those that could be
/// read.
fn gather_incidents(
    rows: impl IntoIterator<Item = Option<(Incident, Option<IncidentUpdate>)>>,
) -> Vec<Incident> {
    let mut incidents: Vec<Incident> = Vec::new();
    for (incident, update) in rows.into_iter().flatten() {
        if incidents.last().is_none_or(|last| last.id != incident.id) {
            incidents.push(incident);
        }
        let last = incidents.last_mut().expect("it was added");
        last.updates.extend(update);
    }
    incidents
}

/// How a set of components is kept.
fn components_text(components: &[ComponentId]) -> String {
    let names: Vec<&str> = components.iter().map(ComponentId::as_str).collect();
    names.join(" ")
}
