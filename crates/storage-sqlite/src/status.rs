//! What probes say.

use async_trait::async_trait;
use keygate_core::{ComponentId, Incident, IncidentId, IncidentKind, ProberId, Timestamp};
use keygate_storage::{
    AuditEntry, ChangeIncident, Columns, IncidentPage, IncidentRule, LastDay, LatestProbe, Period,
    Probe, ProbeClaim, ProbeRecord, Rollup, StatusHistory, StatusStore, StorageError, readable,
    statements,
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
    /// The component after this one, without reading all rows of those between.
    NEXT_COMPONENT = "SELECT min(component) AS component FROM probe_rollups WHERE component > ?1";
    FORGET_PROBES = "DELETE FROM probes WHERE component = ?1 AND at IN (SELECT at FROM probes \
        WHERE component = ?1 AND at < ?2 ORDER BY at LIMIT ?3)";
    FORGET_ROLLUPS = "DELETE FROM probe_rollups \
        WHERE component = ?1 AND period = ?2 AND starts_at < ?3";
    NEWEST = "SELECT component, at, is_up, duration_ms FROM probes WHERE component = ? \
        ORDER BY at DESC LIMIT 3";
    LATEST = "SELECT component, at, is_up, duration_ms FROM probes WHERE component = ?1 \
        ORDER BY at DESC LIMIT 1";
    TALLY = "SELECT coalesce(sum(is_up), 0) AS up, \
        coalesce(sum(1 - is_up), 0) AS down FROM probes \
        WHERE component = ?1 AND at BETWEEN ?2 AND ?3";
    ROLLUPS = "SELECT component, starts_at, up, down, known_ms, up_duration_ms FROM probe_rollups \
        WHERE component = ?1 AND period = ?2 AND starts_at > ?3 ORDER BY starts_at";
}

/// How many probes of a component, and how many outages, are forgotten at once at most.
const MAX_FORGOTTEN: i64 = 40_000;

#[async_trait]
impl StatusStore for SqliteStore {
    async fn list_claims(&self) -> Result<Vec<ProbeClaim>, StorageError> {
        let read = self.read(|db| query::all(db, CLAIMS, [], |row| readable(row.probe_claim())));
        Ok(read.await?.into_iter().flatten().collect())
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

    async fn read_history(
        &self,
        components: Vec<ComponentId>,
        now: Timestamp,
    ) -> Result<StatusHistory, StorageError> {
        self.read(move |db| {
            let mut history = StatusHistory::default();
            for component in components {
                read_component(db, component, now, &mut history)?;
            }
            Ok(history)
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

    async fn change_incident(
        &self,
        id: IncidentId,
        rule: IncidentRule,
    ) -> Result<ChangeIncident, StorageError> {
        self.write(move |db| incidents::change(db, id, &rule)).await
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

    async fn list_open_incidents(&self, then: Timestamp) -> Result<Vec<Incident>, StorageError> {
        self.read(move |db| incidents::list_open(db, then)).await
    }

    async fn list_ended_incidents(
        &self,
        kind: IncidentKind,
        after: Timestamp,
        until: Timestamp,
        limit: u32,
    ) -> Result<Vec<Incident>, StorageError> {
        self.read(move |db| incidents::list_ended(db, kind, [after, until], limit))
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
    if record.is_time_to_forget && query::exists(db, HAS_DAY, day_before)? {
        forget(db, ProbeRecord::keep_since(probe))?;
    }
    Ok(())
}

/// Forgets what is older than it has to be, of all components: nobody may probe some of them any more.
fn forget(db: &Connection, keep_since: [Timestamp; 2]) -> Result<(), StorageError> {
    let [probes, rollups] = keep_since.map(Timestamp::as_millis);
    let mut component = String::new();
    loop {
        let next = query::optional(db, NEXT_COMPONENT, [component], |row| row.text("component"))?;
        let Some(next) = next.flatten() else { break };
        query::execute(db, FORGET_PROBES, params![next, probes, MAX_FORGOTTEN])?;
        for period in Period::ALL {
            query::execute(db, FORGET_ROLLUPS, params![next, period.as_str(), rollups])?;
        }
        component = next;
    }
    incidents::forget_outages(db, rollups, MAX_FORGOTTEN)
}

/// Adds what the probes of a component say.
fn read_component(
    db: &Connection,
    component: ComponentId,
    now: Timestamp,
    history: &mut StatusHistory,
) -> Result<(), StorageError> {
    let [_, week_ago, quarter_ago] = StatusHistory::since(now).map(Timestamp::as_millis);
    let last_day = LastDay::until(now);
    let [first, last] = last_day.counted.map(Timestamp::as_millis);
    let id = component.as_str();
    let latest = query::optional(db, LATEST, [id], |row| readable(row.latest_probe()))?;
    let counted = query::optional(db, TALLY, params![id, first, last], |row| row.tally())?;
    let hours = rollups(db, id, Period::Hour, week_ago)?;
    let last_day = last_day.sum(&hours, counted.unwrap_or_default());
    history.latest.extend(latest.flatten());
    history.hours.extend(hours);
    history
        .days
        .extend(rollups(db, id, Period::Day, quarter_ago)?);
    history.last_day.push((component, last_day));
    Ok(())
}

fn rollups(
    db: &Connection,
    component: &str,
    period: Period,
    after: i64,
) -> Result<Vec<Rollup>, StorageError> {
    let params = params![component, period.as_str(), after];
    let rows = query::all(db, ROLLUPS, params, |row| readable(row.rollup()))?;
    Ok(rows.into_iter().flatten().collect())
}
