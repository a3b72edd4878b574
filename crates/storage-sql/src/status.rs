//! What probes say.

use async_trait::async_trait;
use futures_util::FutureExt;
use keygate_core::{ComponentId, Incident, IncidentId, IncidentKind, ProberId, Timestamp};
use keygate_storage::{
    AuditEntry, ChangeIncident, IncidentPage, IncidentRule, LastDay, LatestProbe, Made, Period,
    Probe, ProbeClaim, ProbeRecord, Rollup, StatusHistory, StatusStore, StorageError,
};

use crate::{
    Engine, Read, SqlStore, Tx, all, exists, incidents, optional,
    readable::readable,
    statement::{both, each, statements},
    value::values,
};

statements! {
    CLAIMS = both!("SELECT component, prober_id, beat FROM probe_claims");
    CLAIM = both!("INSERT INTO probe_claims (component, prober_id, beat) VALUES ($1, $2, 0) \
        ON CONFLICT (component) DO UPDATE \
        SET prober_id = excluded.prober_id, beat = probe_claims.beat + 1 \
        WHERE probe_claims.prober_id = $3 AND probe_claims.beat = $4");
    RELEASE = both!("DELETE FROM probe_claims WHERE prober_id = $1");
    BEAT = both!("UPDATE probe_claims SET beat = beat + 1 WHERE component = $1 AND prober_id = $2");
    CLAIM_OF = both!("SELECT component, prober_id, beat FROM probe_claims WHERE component = $1");
    PREVIOUS = both!("SELECT max(at) AS at FROM probes WHERE component = $1");
    INSERT = both!("INSERT INTO probes (component, at, is_up, duration_ms) VALUES ($1, $2, $3, $4) \
        ON CONFLICT DO NOTHING");
    ROLL_UP = both!("INSERT INTO probe_rollups AS r \
        (component, period, starts_at, up, down, known_ms, up_duration_ms) \
        VALUES ($1, $2, $3, $4, $5, $6, $7) \
        ON CONFLICT (component, period, starts_at) DO UPDATE SET up = r.up + excluded.up, \
        down = r.down + excluded.down, known_ms = r.known_ms + excluded.known_ms, \
        up_duration_ms = r.up_duration_ms + excluded.up_duration_ms");
    HAS_DAY = both!("SELECT 1 FROM probe_rollups \
        WHERE component = $1 AND period = $2 AND starts_at = $3");
    FORGET_LATER = both!("DELETE FROM probes WHERE component = $1 AND at > $2");
    /// The component after this one, without reading all rows of those between.
    NEXT_COMPONENT =
        both!("SELECT min(component) AS component FROM probe_rollups WHERE component > $1");
    FORGET_PROBES = each!(
        "DELETE FROM probes WHERE component = $1 AND at IN (SELECT at FROM probes \
         WHERE component = $1 AND at < $2 ORDER BY at LIMIT $3)",
        "DELETE FROM probes WHERE ctid = ANY (ARRAY (SELECT ctid FROM probes \
         WHERE component = $1 AND at < $2 ORDER BY at LIMIT $3 FOR UPDATE SKIP LOCKED))"
    );
    FORGET_ROLLUPS = both!("DELETE FROM probe_rollups \
        WHERE component = $1 AND period = $2 AND starts_at < $3");
    NEWEST = both!("SELECT component, at, is_up, duration_ms FROM probes WHERE component = $1 \
        ORDER BY at DESC LIMIT 3");
    LATEST = both!("SELECT component, at, is_up, duration_ms FROM probes WHERE component = $1 \
        ORDER BY at DESC LIMIT 1");
    TALLY = both!("SELECT count(*) FILTER (WHERE is_up) AS up, \
        count(*) FILTER (WHERE NOT is_up) AS down FROM probes \
        WHERE component = $1 AND at BETWEEN $2 AND $3");
    ROLLUPS = both!("SELECT component, starts_at, up, down, known_ms, up_duration_ms \
        FROM probe_rollups \
        WHERE component = $1 AND period = $2 AND starts_at > $3 ORDER BY starts_at");
}

/// How many probes of a component, and how many outages, are forgotten at once at most.
const MAX_FORGOTTEN: u32 = 40_000;

async fn list_claims(db: &mut dyn Read) -> Result<Vec<ProbeClaim>, StorageError> {
    let claims = all(db, &CLAIMS, &[], |row| readable(row.probe_claim())).await?;
    Ok(claims.into_iter().flatten().collect())
}

async fn claim(
    tx: &mut dyn Tx,
    component: ComponentId,
    prober: ProberId,
    seen: Option<ProbeClaim>,
) -> Result<bool, StorageError> {
    let (seen_prober, seen_beat) = seen.map(|seen| (seen.prober, seen.beat)).unzip();
    let claim = values![component.as_str(), prober, seen_prober, seen_beat];
    Ok(tx.execute(&CLAIM, claim).await? > 0)
}

async fn release(tx: &mut dyn Tx, prober: ProberId) -> Result<(), StorageError> {
    tx.execute(&RELEASE, values![prober]).await.map(|_| ())
}

/// Says that `prober` is still there; false if somebody else probes the component.
async fn beat(
    tx: &mut dyn Tx,
    component: &ComponentId,
    prober: ProberId,
) -> Result<bool, StorageError> {
    let beat = values![component.as_str(), prober];
    Ok(tx.execute(&BEAT, beat).await? > 0)
}

async fn record(
    tx: &mut dyn Tx,
    prober: ProberId,
    probe: Probe,
) -> Result<Option<Vec<LatestProbe>>, StorageError> {
    if !beat(tx, &probe.component, prober).await? {
        return Ok(None);
    }
    add(tx, &probe).await?;
    let component = values![probe.component.as_str()];
    let newest = all(tx, &NEWEST, component, |row| row.latest_probe());
    newest.await.map(Some)
}

/// Keeps a probe and adds it up, unless it is there already.
async fn add(tx: &mut dyn Tx, probe: &Probe) -> Result<(), StorageError> {
    let component = probe.component.as_str();
    let of_component = values![component];
    let previous = optional(tx, &PREVIOUS, of_component, |row| {
        row.optional_timestamp("at")
    });
    let record = ProbeRecord::of(probe, previous.await?.flatten());
    if record.is_earlier {
        let later = values![component, probe.at];
        tx.execute(&FORGET_LATER, later).await?;
    }
    let row = values![component, probe.at, probe.is_up, probe.duration_ms];
    if tx.execute(&INSERT, row).await? == 0 {
        return Ok(());
    }
    let up_duration_ms = if probe.is_up { probe.duration_ms } else { 0 };
    for period in Period::ALL {
        let row = values![
            component,
            period.as_str(),
            period.start_of(probe.at),
            i64::from(probe.is_up),
            i64::from(!probe.is_up),
            record.known_ms,
            up_duration_ms,
        ];
        tx.execute(&ROLL_UP, row).await?;
    }
    let day_before = ProbeRecord::day_before(probe);
    let day_before = values![component, Period::Day.as_str(), day_before];
    if record.is_time_to_forget && exists(tx, &HAS_DAY, day_before).await? {
        forget(tx, ProbeRecord::keep_since(probe)).await?;
    }
    Ok(())
}

/// Forgets what is older than it has to be, of all components: nobody may probe some of them any more.
async fn forget(tx: &mut dyn Tx, [probes, rollups]: [Timestamp; 2]) -> Result<(), StorageError> {
    let mut component = String::new();
    loop {
        let next = values![&component];
        let next = optional(tx, &NEXT_COMPONENT, next, |row| row.text("component"));
        let Some(next) = next.await?.flatten() else {
            break;
        };
        let old = values![&next, probes, MAX_FORGOTTEN];
        tx.execute(&FORGET_PROBES, old).await?;
        for period in Period::ALL {
            let old = values![&next, period.as_str(), rollups];
            tx.execute(&FORGET_ROLLUPS, old).await?;
        }
        component = next;
    }
    incidents::forget_outages(tx, rollups, MAX_FORGOTTEN).await
}

async fn read_history(
    db: &mut dyn Read,
    components: Vec<ComponentId>,
    now: Timestamp,
) -> Result<StatusHistory, StorageError> {
    let mut history = StatusHistory::default();
    for component in components {
        read_component(db, component, now, &mut history).await?;
    }
    Ok(history)
}

/// Adds what the probes of a component say.
async fn read_component(
    db: &mut dyn Read,
    component: ComponentId,
    now: Timestamp,
    history: &mut StatusHistory,
) -> Result<(), StorageError> {
    let [_, week_ago, quarter_ago] = StatusHistory::since(now);
    let last_day = LastDay::until(now);
    let [first, last] = last_day.counted;
    let id = component.as_str();
    let latest = optional(db, &LATEST, values![id], |row| readable(row.latest_probe())).await?;
    let counted = optional(db, &TALLY, values![id, first, last], |row| row.tally()).await?;
    let hours = rollups(db, id, Period::Hour, week_ago).await?;
    let last_day = last_day.sum(&hours, counted.unwrap_or_default());
    history.latest.extend(latest.flatten());
    history.hours.extend(hours);
    let days = rollups(db, id, Period::Day, quarter_ago).await?;
    history.days.extend(days);
    history.last_day.push((component, last_day));
    Ok(())
}

async fn rollups(
    db: &mut dyn Read,
    component: &str,
    period: Period,
    after: Timestamp,
) -> Result<Vec<Rollup>, StorageError> {
    let values = values![component, period.as_str(), after];
    let rows = all(db, &ROLLUPS, values, |row| readable(row.rollup())).await?;
    Ok(rows.into_iter().flatten().collect())
}

#[async_trait]
impl<E: Engine> StatusStore for SqlStore<E> {
    async fn list_claims(&self) -> Result<Vec<ProbeClaim>, StorageError> {
        self.read(|db| list_claims(db).boxed()).await
    }

    async fn claim_component(
        &self,
        component: ComponentId,
        prober: ProberId,
        seen: Option<ProbeClaim>,
    ) -> Result<bool, StorageError> {
        self.write(move |tx| claim(tx, component, prober, seen).boxed())
            .await
    }

    async fn release_claims(&self, prober: ProberId) -> Result<(), StorageError> {
        self.write(move |tx| release(tx, prober).boxed()).await
    }

    async fn write_and_read(&self, prober: ProberId) -> Result<(), StorageError> {
        let storage = ComponentId::storage();
        self.write(move |tx| async move { beat(tx, &storage, prober).await }.boxed())
            .await?;
        let storage = ComponentId::storage();
        self.read(move |db| {
            let storage = storage.clone();
            async move { exists(db, &CLAIM_OF, values![storage.as_str()]).await }.boxed()
        })
        .await
        .map(|_| ())
    }

    async fn record_probe(
        &self,
        prober: ProberId,
        probe: Probe,
    ) -> Result<Option<Vec<LatestProbe>>, StorageError> {
        self.write(move |tx| record(tx, prober, probe).boxed())
            .await
    }

    async fn read_history(
        &self,
        components: Vec<ComponentId>,
        now: Timestamp,
    ) -> Result<StatusHistory, StorageError> {
        self.read(move |db| read_history(db, components.clone(), now).boxed())
            .await
    }

    async fn insert_incident(
        &self,
        incident: Incident,
        audit: AuditEntry,
    ) -> Result<Made<bool>, StorageError> {
        self.change(move |tx| incidents::insert(tx, incident, audit).boxed())
            .await
    }

    async fn change_incident(
        &self,
        id: IncidentId,
        rule: IncidentRule,
    ) -> Result<Made<ChangeIncident>, StorageError> {
        self.change(move |tx| incidents::change(tx, id, rule).boxed())
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
