//! What probes say.

use async_trait::async_trait;
use keygate_core::{
    ComponentId, Incident, IncidentId, IncidentMessage, IncidentUpdate, ProberId, Timestamp,
    UpdateId,
};
use keygate_storage::{
    AuditEntry, Columns, IncidentEdit, IncidentPage, LatestProbe, Period, Probe, ProbeClaim,
    ProbeRecord, Rollup, StatusHistory, StatusStore, StorageError, statements,
};
use rusqlite::{Connection, params};

use crate::{SqliteStore, incidents, query};

statements! {
    CLAIMS = "SELECT component, prober_id, beat FROM probe_claims";
    CLAIM = "INSERT INTO probe_claims (component, prober_id, beat) VALUES (?1, ?2, 0) \
        ON CONFLICT (component) DO UPDATE SET prober_id = excluded.prober_id, beat = beat + 1 \
        WHERE prober_id = ?3 AND beat = ?4";
    RELEASE = "DELETE FROM probe_claims WHERE prober_id = ?";
    /// The process that made them is gone: this one has the database to itself.
    RELEASE_ALL = "DELETE FROM probe_claims";
    BEAT = "UPDATE probe_claims SET beat = beat + 1 WHERE component = ? AND prober_id = ?";
    CLAIM_OF = "SELECT component, prober_id, beat FROM probe_claims WHERE component = ?";
    PREVIOUS = "SELECT max(at) AS at FROM probes WHERE component = ?";
    INSERT = "INSERT INTO probes (component, at, is_up, duration_ms) VALUES (?, ?, ?, ?) \
        ON CONFLICT DO NOTHING";
    ROLL_UP = "INSERT INTO probe_rollups \
        (component, period, starts_at, up, down, known_ms, up_duration_ms) VALUES (?, ?, ?, ?, ?, ?, ?) \
        ON CONFLICT (component, period, starts_at) DO UPDATE SET up = up + excluded.up, \
        down = down + excluded.down, known_ms = known_ms + excluded.known_ms, \
        up_duration_ms = up_duration_ms + excluded.up_duration_ms";
    HAS_DAY = "SELECT 1 FROM probe_rollups WHERE component = ? AND period = ? AND starts_at = ?";
    FORGET_LATER = "DELETE FROM probes WHERE component = ? AND at > ?";
    FORGET_PROBES = "DELETE FROM probes WHERE at < ?";
    FORGET_ROLLUPS = "DELETE FROM probe_rollups WHERE starts_at < ?";
    NEWEST = "SELECT component, at, is_up, duration_ms FROM probes WHERE component = ? \
        ORDER BY at DESC LIMIT 3";
    LATEST = "SELECT component, at, is_up, duration_ms FROM probes \
        JOIN (SELECT component, max(at) AS at FROM probes GROUP BY component) USING (component, at) \
        ORDER BY component";
    LAST_DAY = "SELECT component, sum(is_up) AS up, sum(1 - is_up) AS down FROM probes \
        WHERE at > ? GROUP BY component ORDER BY component";
    ROLLUPS = "SELECT component, starts_at, up, down, known_ms, up_duration_ms FROM probe_rollups \
        WHERE period = ? AND starts_at > ? ORDER BY component, starts_at";
}

#[async_trait]
impl StatusStore for SqliteStore {
    async fn list_claims(&self) -> Result<Vec<ProbeClaim>, StorageError> {
        self.read(|db| query::all(db, CLAIMS, [], |row| row.probe_claim()))
            .await
    }

    async fn claim_component(
        &self,
        component: ComponentId,
        prober: ProberId,
        seen: Option<ProbeClaim>,
    ) -> Result<bool, StorageError> {
        self.write(move |db| {
            let seen_prober = seen.as_ref().map(|seen| seen.prober.as_bytes());
            let seen_beat = seen.as_ref().map(|seen| seen.beat);
            let params = params![
                component.as_str(),
                prober.as_bytes(),
                seen_prober,
                seen_beat
            ];
            Ok(query::execute(db, CLAIM, params)? > 0)
        })
        .await
    }

    async fn release_claims(&self, prober: ProberId) -> Result<(), StorageError> {
        self.write(move |db| query::execute(db, RELEASE, [prober.as_bytes()]).map(|_| ()))
            .await
    }

    async fn write_and_read(&self, prober: ProberId) -> Result<(), StorageError> {
        let storage = ComponentId::storage();
        self.write(move |db| {
            let params = params![storage.as_str(), prober.as_bytes()];
            query::execute(db, BEAT, params).map(|_| ())
        })
        .await?;
        let storage = ComponentId::storage();
        self.read(move |db| query::exists(db, CLAIM_OF, [storage.as_str()]).map(|_| ()))
            .await
    }

    async fn record_probe(
        &self,
        prober: ProberId,
        probe: Probe,
    ) -> Result<Option<Vec<LatestProbe>>, StorageError> {
        self.write(move |db| {
            let component = probe.component.as_str();
            if query::execute(db, BEAT, params![component, prober.as_bytes()])? == 0 {
                return Ok(None);
            }
            add(db, &probe)?;
            let newest = query::all(db, NEWEST, [component], |row| row.latest_probe())?;
            Ok(Some(newest))
        })
        .await
    }

    async fn read_history(&self, now: Timestamp) -> Result<StatusHistory, StorageError> {
        let [day_ago, week_ago, quarter_ago] = StatusHistory::since(now).map(Timestamp::as_millis);
        self.read(move |db| {
            Ok(StatusHistory {
                latest: query::all(db, LATEST, [], |row| row.latest_probe())?,
                last_day: query::all(db, LAST_DAY, [day_ago], |row| {
                    Ok((row.component()?, row.tally()?))
                })?,
                hours: rollups(db, Period::Hour, week_ago)?,
                days: rollups(db, Period::Day, quarter_ago)?,
            })
        })
        .await
    }

    async fn insert_incident(
        &self,
        incident: Incident,
        audit: AuditEntry,
    ) -> Result<bool, StorageError> {
        self.write(move |db| incidents::insert(db, &incident, &audit))
            .await
    }

    async fn add_incident_update(
        &self,
        id: IncidentId,
        update: IncidentUpdate,
        ends_at: Option<Timestamp>,
        audit: AuditEntry,
    ) -> Result<bool, StorageError> {
        self.write(move |db| incidents::add_update(db, id, &update, ends_at, &audit))
            .await
    }

    async fn edit_incident(
        &self,
        id: IncidentId,
        edit: IncidentEdit,
        audit: AuditEntry,
    ) -> Result<bool, StorageError> {
        self.write(move |db| incidents::edit(db, id, &edit, &audit))
            .await
    }

    async fn edit_incident_update(
        &self,
        incident_id: IncidentId,
        id: UpdateId,
        message: IncidentMessage,
        audit: AuditEntry,
    ) -> Result<bool, StorageError> {
        self.write(move |db| incidents::edit_update(db, incident_id, id, &message, &audit))
            .await
    }

    async fn lookup_incident(&self, id: IncidentId) -> Result<Option<Incident>, StorageError> {
        self.read(move |db| incidents::lookup(db, id)).await
    }

    async fn lookup_outage(
        &self,
        component: ComponentId,
    ) -> Result<Option<Incident>, StorageError> {
        self.read(move |db| incidents::lookup_outage(db, &component))
            .await
    }

    async fn list_incidents(&self, page: IncidentPage) -> Result<Vec<Incident>, StorageError> {
        self.read(move |db| incidents::list(db, page)).await
    }
}

/// Forgets who probed what before.
pub(crate) fn release_all(db: &Connection) -> Result<(), StorageError> {
    query::execute(db, RELEASE_ALL, []).map(|_| ())
}

/// Keeps a probe and adds it up, unless it is there already.
fn add(db: &Connection, probe: &Probe) -> Result<(), StorageError> {
    let component = probe.component.as_str();
    let previous = query::optional(db, PREVIOUS, [component], |row| {
        row.optional_timestamp("at")
    })?;
    let record = ProbeRecord::of(probe, previous.flatten());
    if record.is_earlier {
        let later = params![component, probe.at.as_millis()];
        query::execute(db, FORGET_LATER, later)?;
    }
    let row = params![
        component,
        probe.at.as_millis(),
        probe.is_up,
        probe.duration_ms
    ];
    if query::execute(db, INSERT, row)? == 0 {
        return Ok(());
    }
    let up_duration_ms = if probe.is_up { probe.duration_ms } else { 0 };
    for period in Period::ALL {
        let row = params![
            component,
            period.as_str(),
            period.start_of(probe.at).as_millis(),
            probe.is_up,
            !probe.is_up,
            record.known_ms,
            up_duration_ms,
        ];
        query::execute(db, ROLL_UP, row)?;
    }
    let day_before = params![
        component,
        Period::Day.as_str(),
        ProbeRecord::day_before(probe).as_millis()
    ];
    if record.begins_hour && query::exists(db, HAS_DAY, day_before)? {
        let [probes, rollups] = ProbeRecord::keep_since(probe).map(Timestamp::as_millis);
        query::execute(db, FORGET_PROBES, [probes])?;
        query::execute(db, FORGET_ROLLUPS, [rollups])?;
        incidents::forget_outages(db, rollups)?;
    }
    Ok(())
}

fn rollups(db: &Connection, period: Period, after: i64) -> Result<Vec<Rollup>, StorageError> {
    query::all(db, ROLLUPS, params![period.as_str(), after], |row| {
        row.rollup()
    })
}
