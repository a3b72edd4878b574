//! What probes say.

use async_trait::async_trait;
use futures_util::FutureExt;
use keygate_core::{
    ComponentId, Incident, IncidentId, IncidentMessage, IncidentUpdate, ProberId, Timestamp,
    UpdateId,
};
use keygate_storage::{
    AuditEntry, Columns, IncidentEdit, IncidentPage, LatestProbe, Period, Probe, ProbeClaim,
    ProbeRecord, Rollup, StatusHistory, StatusStore, StorageError, statements,
};
use sqlx::{PgConnection, query};

use crate::{
    PostgresStore, incidents,
    query::{all, execute, exists, optional},
    row::{ToUuid, signed},
};

statements! {
    CLAIMS = "SELECT component, prober_id, beat FROM probe_claims";
    CLAIM = "INSERT INTO probe_claims (component, prober_id, beat) VALUES ($1, $2, 0) \
        ON CONFLICT (component) DO UPDATE \
        SET prober_id = excluded.prober_id, beat = probe_claims.beat + 1 \
        WHERE probe_claims.prober_id = $3 AND probe_claims.beat = $4";
    RELEASE = "DELETE FROM probe_claims WHERE prober_id = $1";
    BEAT = "UPDATE probe_claims SET beat = beat + 1 WHERE component = $1 AND prober_id = $2";
    CLAIM_OF = "SELECT component, prober_id, beat FROM probe_claims WHERE component = $1";
    PREVIOUS = "SELECT max(at) AS at FROM probes WHERE component = $1";
    INSERT = "INSERT INTO probes (component, at, is_up, duration_ms) VALUES ($1, $2, $3, $4) \
        ON CONFLICT DO NOTHING";
    ROLL_UP = "INSERT INTO probe_rollups AS r \
        (component, period, starts_at, up, down, known_ms, up_duration_ms) \
        VALUES ($1, $2, $3, $4, $5, $6, $7) \
        ON CONFLICT (component, period, starts_at) DO UPDATE SET up = r.up + excluded.up, \
        down = r.down + excluded.down, known_ms = r.known_ms + excluded.known_ms, \
        up_duration_ms = r.up_duration_ms + excluded.up_duration_ms";
    HAS_DAY = "SELECT 1 FROM probe_rollups \
        WHERE component = $1 AND period = $2 AND starts_at = $3";
    FORGET_LATER = "DELETE FROM probes WHERE component = $1 AND at > $2";
    FORGET_PROBES = "DELETE FROM probes WHERE at < $1";
    FORGET_ROLLUPS = "DELETE FROM probe_rollups WHERE starts_at < $1";
    NEWEST = "SELECT component, at, is_up, duration_ms FROM probes WHERE component = $1 \
        ORDER BY at DESC LIMIT 3";
    LATEST = "SELECT component, at, is_up, duration_ms FROM probes \
        JOIN (SELECT component, max(at) AS at FROM probes GROUP BY component) AS last \
        USING (component, at) ORDER BY component";
    LAST_DAY = "SELECT component, count(*) FILTER (WHERE is_up) AS up, \
        count(*) FILTER (WHERE NOT is_up) AS down FROM probes \
        WHERE at > $1 GROUP BY component ORDER BY component";
    ROLLUPS = "SELECT component, starts_at, up, down, known_ms, up_duration_ms FROM probe_rollups \
        WHERE period = $1 AND starts_at > $2 ORDER BY component, starts_at";
}

#[async_trait]
impl StatusStore for PostgresStore {
    async fn list_claims(&self) -> Result<Vec<ProbeClaim>, StorageError> {
        self.read(|db| all(db, query(CLAIMS), |row| row.probe_claim()).boxed())
            .await
    }

    async fn claim_component(
        &self,
        component: ComponentId,
        prober: ProberId,
        seen: Option<ProbeClaim>,
    ) -> Result<bool, StorageError> {
        self.write(move |db| {
            async move {
                let claim = query(CLAIM)
                    .bind(component.as_str())
                    .bind(prober.uuid())
                    .bind(seen.as_ref().map(|seen| seen.prober.uuid()))
                    .bind(seen.as_ref().map(|seen| signed(seen.beat)));
                Ok(execute(db, claim).await? > 0)
            }
            .boxed()
        })
        .await
    }

    async fn release_claims(&self, prober: ProberId) -> Result<(), StorageError> {
        self.write(move |db| {
            async move {
                let release = query(RELEASE).bind(prober.uuid());
                execute(db, release).await.map(|_| ())
            }
            .boxed()
        })
        .await
    }

    async fn write_and_read(&self, prober: ProberId) -> Result<(), StorageError> {
        self.write(move |db| {
            async move { beat(db, &ComponentId::storage(), prober).await.map(|_| ()) }.boxed()
        })
        .await?;
        self.read(|db| {
            async move {
                let storage = ComponentId::storage();
                let claim = query(CLAIM_OF).bind(storage.as_str());
                exists(db, claim).await.map(|_| ())
            }
            .boxed()
        })
        .await
    }

    async fn record_probe(
        &self,
        prober: ProberId,
        probe: Probe,
    ) -> Result<Option<Vec<LatestProbe>>, StorageError> {
        self.write(move |db| {
            async move {
                if !beat(db, &probe.component, prober).await? {
                    return Ok(None);
                }
                add(db, &probe).await?;
                let newest = query(NEWEST).bind(probe.component.as_str());
                let newest = all(db, newest, |row| row.latest_probe());
                newest.await.map(Some)
            }
            .boxed()
        })
        .await
    }

    async fn read_history(&self, now: Timestamp) -> Result<StatusHistory, StorageError> {
        let [day_ago, week_ago, quarter_ago] = StatusHistory::since(now).map(Timestamp::as_millis);
        self.read(move |db| {
            async move {
                let last_day = query(LAST_DAY).bind(day_ago);
                Ok(StatusHistory {
                    latest: all(db, query(LATEST), |row| row.latest_probe()).await?,
                    last_day: all(db, last_day, |row| Ok((row.component()?, row.tally()?))).await?,
                    hours: rollups(db, Period::Hour, week_ago).await?,
                    days: rollups(db, Period::Day, quarter_ago).await?,
                })
            }
            .boxed()
        })
        .await
    }

    async fn insert_incident(
        &self,
        incident: Incident,
        audit: AuditEntry,
    ) -> Result<bool, StorageError> {
        self.write(move |db| async move { incidents::insert(db, &incident, &audit).await }.boxed())
            .await
    }

    async fn add_incident_update(
        &self,
        id: IncidentId,
        update: IncidentUpdate,
        ends_at: Option<Timestamp>,
        audit: AuditEntry,
    ) -> Result<bool, StorageError> {
        self.write(move |db| {
            async move { incidents::add_update(db, id, &update, ends_at, &audit).await }.boxed()
        })
        .await
    }

    async fn edit_incident(
        &self,
        id: IncidentId,
        edit: IncidentEdit,
        audit: AuditEntry,
    ) -> Result<bool, StorageError> {
        self.write(move |db| async move { incidents::edit(db, id, &edit, &audit).await }.boxed())
            .await
    }

    async fn edit_incident_update(
        &self,
        incident_id: IncidentId,
        id: UpdateId,
        message: IncidentMessage,
        audit: AuditEntry,
    ) -> Result<bool, StorageError> {
        self.write(move |db| {
            async move { incidents::edit_update(db, incident_id, id, &message, &audit).await }
                .boxed()
        })
        .await
    }

    async fn lookup_incident(&self, id: IncidentId) -> Result<Option<Incident>, StorageError> {
        self.read(move |db| incidents::lookup(db, id).boxed()).await
    }

    async fn lookup_outage(
        &self,
        component: ComponentId,
    ) -> Result<Option<Incident>, StorageError> {
        self.read(move |db| incidents::lookup_outage(db, component.clone()).boxed())
            .await
    }

    async fn list_incidents(&self, page: IncidentPage) -> Result<Vec<Incident>, StorageError> {
        self.read(move |db| incidents::list(db, page).boxed()).await
    }
}

/// Says that `prober` is still there; false if somebody else probes the component.
async fn beat(
    db: &mut PgConnection,
    component: &ComponentId,
    prober: ProberId,
) -> Result<bool, StorageError> {
    let beat = query(BEAT).bind(component.as_str()).bind(prober.uuid());
    Ok(execute(db, beat).await? > 0)
}

/// Keeps a probe and adds it up, unless it is there already.
async fn add(db: &mut PgConnection, probe: &Probe) -> Result<(), StorageError> {
    let component = probe.component.as_str();
    let previous = query(PREVIOUS).bind(component);
    let previous = optional(db, previous, |row| row.optional_timestamp("at")).await?;
    let record = ProbeRecord::of(probe, previous.flatten());
    if record.is_earlier {
        let later = query(FORGET_LATER).bind(component);
        execute(db, later.bind(probe.at.as_millis())).await?;
    }
    let row = query(INSERT)
        .bind(component)
        .bind(probe.at.as_millis())
        .bind(probe.is_up)
        .bind(signed(probe.duration_ms));
    if execute(db, row).await? == 0 {
        return Ok(());
    }
    let up_duration_ms = if probe.is_up { probe.duration_ms } else { 0 };
    for period in Period::ALL {
        let row = query(ROLL_UP)
            .bind(component)
            .bind(period.as_str())
            .bind(period.start_of(probe.at).as_millis())
            .bind(i64::from(probe.is_up))
            .bind(i64::from(!probe.is_up))
            .bind(record.known_ms)
            .bind(signed(up_duration_ms));
        execute(db, row).await?;
    }
    let day_before = query(HAS_DAY)
        .bind(component)
        .bind(Period::Day.as_str())
        .bind(ProbeRecord::day_before(probe).as_millis());
    if record.begins_hour && exists(db, day_before).await? {
        let [probes, rollups] = ProbeRecord::keep_since(probe).map(Timestamp::as_millis);
        execute(db, query(FORGET_PROBES).bind(probes)).await?;
        execute(db, query(FORGET_ROLLUPS).bind(rollups)).await?;
        incidents::forget_outages(db, rollups).await?;
    }
    Ok(())
}

async fn rollups(
    db: &mut PgConnection,
    period: Period,
    after: i64,
) -> Result<Vec<Rollup>, StorageError> {
    let rollups = query(ROLLUPS).bind(period.as_str()).bind(after);
    all(db, rollups, |row| row.rollup()).await
}
