//! What probes say.

use async_trait::async_trait;
use futures_util::FutureExt;
use keygate_core::{ComponentId, Incident, IncidentId, IncidentKind, ProberId, Timestamp};
use keygate_storage::{
    AuditEntry, ChangeIncident, Columns, IncidentPage, IncidentRule, LastDay, LatestProbe, Period,
    Probe, ProbeClaim, ProbeRecord, Rollup, StatusHistory, StatusStore, StorageError, readable,
    statements,
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
    /// The component after this one, without reading all rows of those between.
    NEXT_COMPONENT = "SELECT min(component) AS component FROM probe_rollups WHERE component > $1";
    FORGET_PROBES = "DELETE FROM probes WHERE ctid = ANY (ARRAY (SELECT ctid FROM probes \
        WHERE component = $1 AND at < $2 ORDER BY at LIMIT $3 FOR UPDATE SKIP LOCKED))";
    FORGET_ROLLUPS = "DELETE FROM probe_rollups \
        WHERE component = $1 AND period = $2 AND starts_at < $3";
    NEWEST = "SELECT component, at, is_up, duration_ms FROM probes WHERE component = $1 \
        ORDER BY at DESC LIMIT 3";
    LATEST = "SELECT component, at, is_up, duration_ms FROM probes WHERE component = $1 \
        ORDER BY at DESC LIMIT 1";
    TALLY = "SELECT count(*) FILTER (WHERE is_up) AS up, \
        count(*) FILTER (WHERE NOT is_up) AS down FROM probes \
        WHERE component = $1 AND at BETWEEN $2 AND $3";
    ROLLUPS = "SELECT component, starts_at, up, down, known_ms, up_duration_ms FROM probe_rollups \
        WHERE component = $1 AND period = $2 AND starts_at > $3 ORDER BY starts_at";
}

/// How many probes of a component, and how many outages, are forgotten at once at most.
const MAX_FORGOTTEN: i64 = 40_000;

#[async_trait]
impl StatusStore for PostgresStore {
    async fn list_claims(&self) -> Result<Vec<ProbeClaim>, StorageError> {
        let claims = self
            .read(|db| all(db, query(CLAIMS), |row| readable(row.probe_claim())).boxed())
            .await?;
        Ok(claims.into_iter().flatten().collect())
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

    async fn read_history(
        &self,
        components: Vec<ComponentId>,
        now: Timestamp,
    ) -> Result<StatusHistory, StorageError> {
        self.read(move |db| {
            let components = components.clone();
            async move {
                let mut history = StatusHistory::default();
                for component in components {
                    read_component(db, component, now, &mut history).await?;
                }
                Ok(history)
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

    async fn change_incident(
        &self,
        id: IncidentId,
        rule: IncidentRule,
    ) -> Result<ChangeIncident, StorageError> {
        self.write(move |db| async move { incidents::change(db, id, &rule).await }.boxed())
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

    async fn list_open_incidents(&self, then: Timestamp) -> Result<Vec<Incident>, StorageError> {
        self.read(move |db| incidents::list_open(db, then).boxed())
            .await
    }

    async fn list_ended_incidents(
        &self,
        kind: IncidentKind,
        after: Timestamp,
        until: Timestamp,
        limit: u32,
    ) -> Result<Vec<Incident>, StorageError> {
        self.read(move |db| incidents::list_ended(db, kind, [after, until], limit).boxed())
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
    if record.is_time_to_forget && exists(db, day_before).await? {
        forget(db, ProbeRecord::keep_since(probe)).await?;
    }
    Ok(())
}

/// Forgets what is older than it has to be, of all components: nobody may probe some of them any more.
async fn forget(db: &mut PgConnection, keep_since: [Timestamp; 2]) -> Result<(), StorageError> {
    let [probes, rollups] = keep_since.map(Timestamp::as_millis);
    let mut component = String::new();
    loop {
        let next = query(NEXT_COMPONENT).bind(component);
        let next = optional(db, next, |row| row.text("component")).await?;
        let Some(next) = next.flatten() else { break };
        let forget = query(FORGET_PROBES).bind(&next).bind(probes);
        execute(db, forget.bind(MAX_FORGOTTEN)).await?;
        for period in Period::ALL {
            let forget = query(FORGET_ROLLUPS).bind(&next).bind(period.as_str());
            execute(db, forget.bind(rollups)).await?;
        }
        component = next;
    }
    incidents::forget_outages(db, rollups, MAX_FORGOTTEN).await
}

/// Adds what the probes of a component say.
async fn read_component(
    db: &mut PgConnection,
    component: ComponentId,
    now: Timestamp,
    history: &mut StatusHistory,
) -> Result<(), StorageError> {
    let [_, week_ago, quarter_ago] = StatusHistory::since(now).map(Timestamp::as_millis);
    let last_day = LastDay::until(now);
    let [first, last] = last_day.counted.map(Timestamp::as_millis);
    let latest = query(LATEST).bind(component.as_str());
    let latest = optional(db, latest, |row| readable(row.latest_probe())).await?;
    let counted = query(TALLY).bind(component.as_str()).bind(first).bind(last);
    let counted = optional(db, counted, |row| row.tally()).await?;
    let hours = rollups(db, &component, Period::Hour, week_ago).await?;
    let last_day = last_day.sum(&hours, counted.unwrap_or_default());
    history.latest.extend(latest.flatten());
    history.hours.extend(hours);
    let days = rollups(db, &component, Period::Day, quarter_ago).await?;
    history.days.extend(days);
    history.last_day.push((component, last_day));
    Ok(())
}

async fn rollups(
    db: &mut PgConnection,
    component: &ComponentId,
    period: Period,
    after: i64,
) -> Result<Vec<Rollup>, StorageError> {
    let rollups = query(ROLLUPS)
        .bind(component.as_str())
        .bind(period.as_str())
        .bind(after);
    let rows = all(db, rollups, |row| readable(row.rollup())).await?;
    Ok(rows.into_iter().flatten().collect())
}
