use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use keygate_core::{ComponentId, Incident, IncidentId, IncidentKind, ProberId, Problem, Timestamp};

use crate::{AuditEntry, Made, StorageError};

/// How long probes are kept one by one.
const KEEP_PROBES: Duration = Duration::from_hours(25);
/// How long it is kept what they say in sum, and outages.
const KEEP_ROLLUPS: Duration = Duration::from_hours(91 * 24);

/// A probe that was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Probe {
    /// What was probed.
    pub component: ComponentId,
    /// When it began.
    pub at: Timestamp,
    /// Whether it succeeded.
    pub is_up: bool,
    /// How long it took.
    pub duration_ms: u64,
    /// How long after the probe before it this one may come for the time between them to be known.
    pub max_gap: Duration,
}

/// Who probes a component. Nobody else does as long as `beat` goes on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProbeClaim {
    /// The component.
    pub component: ComponentId,
    /// Who probes it.
    pub prober: ProberId,
    /// Greater after each probe.
    pub beat: u64,
}

/// The last probe of a component.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LatestProbe {
    /// The component.
    pub component: ComponentId,
    /// When the probe began.
    pub at: Timestamp,
    /// Whether it succeeded.
    pub is_up: bool,
    /// How long it took.
    pub duration_ms: u64,
}

/// How many probes succeeded and failed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    /// How many succeeded.
    pub up: u64,
    /// How many failed.
    pub down: u64,
}

/// What the probes of a component say in sum for an hour or a day, in UTC.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rollup {
    /// The component.
    pub component: ComponentId,
    /// When the hour or day began.
    pub starts_at: Timestamp,
    /// How many succeeded and failed.
    pub tally: Tally,
    /// For how much of the time it is known how the component did.
    pub known_ms: u64,
    /// How long those took that succeeded, together.
    pub up_duration_ms: u64,
}

/// How long a rollup is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Period {
    /// An hour.
    Hour,
    /// A day.
    Day,
}

impl Period {
    /// Both of them.
    pub const ALL: [Self; 2] = [Self::Hour, Self::Day];

    /// The word under which it is kept.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Hour => "hour",
            Self::Day => "day",
        }
    }

    /// How long it is.
    pub const fn length(self) -> Duration {
        match self {
            Self::Hour => Duration::from_hours(1),
            Self::Day => Duration::from_hours(24),
        }
    }

    /// When the one began that `at` lies in.
    pub fn start_of(self, at: Timestamp) -> Timestamp {
        let length = i64::try_from(self.length().as_millis()).expect("a few hours");
        Timestamp::from_millis(at.as_millis() - at.as_millis().rem_euclid(length))
    }
}

/// What the probes say.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StatusHistory {
    /// The last probe of each component.
    pub latest: Vec<LatestProbe>,
    /// The probes of the last 24 hours, to the millisecond.
    pub last_day: Vec<(ComponentId, Tally)>,
    /// The hours that began within the last 7 days, oldest first.
    pub hours: Vec<Rollup>,
    /// The days that began within the last 90 days, oldest first.
    pub days: Vec<Rollup>,
}

impl StatusHistory {
    /// After when the probes, hours and days lie that a history of this moment has.
    pub fn since(now: Timestamp) -> [Timestamp; 3] {
        [1, 7, 90].map(|days| now.minus(Duration::from_hours(days * 24)))
    }
}

/// How the probes of the last 24 hours are counted without reading them all: by whole hours, and by the
/// shorter part of the hour in which the 24 hours began.
#[derive(Debug, Clone, Copy)]
pub struct LastDay {
    since: Timestamp,
    now: Timestamp,
    /// The probes in it are counted one by one: from the first moment to the second, both included.
    pub counted: [Timestamp; 2],
    /// Whether those are the ones that lie before the 24 hours.
    are_before: bool,
}

impl LastDay {
    /// The last 24 hours at this moment.
    pub fn until(now: Timestamp) -> Self {
        let [since, ..] = StatusHistory::since(now);
        let hour = Period::Hour.start_of(since);
        let next = hour.plus(Period::Hour.length());
        let are_before =
            since.as_millis() - hour.as_millis() < next.as_millis() - since.as_millis();
        let millisecond = Duration::from_millis(1);
        Self {
            since,
            now,
            counted: if are_before {
                [hour, since]
            } else {
                [since.plus(millisecond), next.minus(millisecond)]
            },
            are_before,
        }
    }

    /// What the hours of a component, and the tally of the probes that were counted, are in sum.
    pub fn sum(&self, hours: &[Rollup], counted: Tally) -> Tally {
        let first = Period::Hour.start_of(self.since);
        let whole = hours.iter().filter(|hour| {
            let is_whole = hour.starts_at > first && hour.starts_at <= self.now;
            is_whole || self.are_before && hour.starts_at == first
        });
        let of_hours = whole.fold(Tally::default(), |sum, hour| Tally {
            up: sum.up + hour.tally.up,
            down: sum.down + hour.tally.down,
        });
        if self.are_before {
            Tally {
                up: of_hours.up.saturating_sub(counted.up),
                down: of_hours.down.saturating_sub(counted.down),
            }
        } else {
            Tally {
                up: of_hours.up + counted.up,
                down: of_hours.down + counted.down,
            }
        }
    }
}

/// Which incidents to list.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct IncidentPage {
    /// Only those made before this one.
    pub before: Option<IncidentId>,
    /// At most so many.
    pub limit: u32,
}

/// What becomes of an incident, and how that is recorded. A refusal changes nothing.
pub type IncidentRule =
    Arc<dyn Fn(&Incident) -> Result<(Incident, AuditEntry), Problem> + Send + Sync>;

/// What became of a change of an incident.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ChangeIncident {
    /// It is like this now.
    Changed(Incident),
    /// The rule refused.
    Refused(Problem),
    /// There is no such incident.
    NotFound,
}

/// How the service does, and what is said of it.
#[async_trait]
pub trait StatusStore: Send + Sync {
    /// Who probes what.
    async fn list_claims(&self) -> Result<Vec<ProbeClaim>, StorageError>;

    /// From now on `prober` probes a component, if the claim on it is still `seen`, or there is still
    /// none. Whether that is so.
    async fn claim_component(
        &self,
        component: ComponentId,
        prober: ProberId,
        seen: Option<ProbeClaim>,
    ) -> Result<bool, StorageError>;

    /// `prober` probes nothing any more.
    async fn release_claims(&self, prober: ProberId) -> Result<(), StorageError>;

    /// Writes something that everybody may overwrite, and reads it again.
    async fn write_and_read(&self, prober: ProberId) -> Result<(), StorageError>;

    /// Keeps a probe, and adds it up; the newest three of its component are the answer, newest first.
    /// `None`, and it is not kept, if `prober` no longer probes the component. One that is there
    /// already counts once. What is older than it has to be is forgotten, unless there were no probes the
    /// day before, and so are single probes of the component that lie later: the clock was wrong.
    async fn record_probe(
        &self,
        prober: ProberId,
        probe: Probe,
    ) -> Result<Option<Vec<LatestProbe>>, StorageError>;

    /// What the probes of these components say at this moment.
    async fn read_history(
        &self,
        components: Vec<ComponentId>,
        now: Timestamp,
    ) -> Result<StatusHistory, StorageError>;

    /// Keeps a new incident with what was said of it. False, and nothing is kept, if it is an outage
    /// of a component that has one already.
    async fn insert_incident(
        &self,
        incident: Incident,
        audit: AuditEntry,
    ) -> Result<Made<bool>, StorageError>;

    /// Makes of an incident what `rule` says. The rule sees it as it is in the transaction that writes, and
    /// nobody else changes it meanwhile. Updates are added and changed, never removed.
    async fn change_incident(
        &self,
        id: IncidentId,
        rule: IncidentRule,
    ) -> Result<Made<ChangeIncident>, StorageError>;

    /// An incident.
    async fn lookup_incident(&self, id: IncidentId) -> Result<Option<Incident>, StorageError>;

    /// The open outage of a component.
    async fn lookup_outage(&self, component: ComponentId)
    -> Result<Option<Incident>, StorageError>;

    /// All incidents that were not over then, the newest first. Here and in the other lists, what this
    /// program cannot read is passed over.
    async fn list_open_incidents(&self, then: Timestamp) -> Result<Vec<Incident>, StorageError>;

    /// Incidents of a kind that were over after `after` and at `until`, at most so many: those that were
    /// over last, the newest first.
    async fn list_ended_incidents(
        &self,
        kind: IncidentKind,
        after: Timestamp,
        until: Timestamp,
        limit: u32,
    ) -> Result<Vec<Incident>, StorageError>;

    /// Incidents, the newest first.
    async fn list_incidents(&self, page: IncidentPage) -> Result<Vec<Incident>, StorageError>;
}

/// What a backend does with a probe, worked out from the one before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ProbeRecord {
    /// For how long before the probe it is known how the component did.
    pub known_ms: i64,
    /// Whether it is time to forget what is old, once an hour, if there were probes
    /// [the day before](Self::day_before).
    pub is_time_to_forget: bool,
    /// Whether there are probes that lie later.
    pub is_earlier: bool,
}

impl ProbeRecord {
    /// What to do with `probe` if the last one was made at `previous`.
    pub fn of(probe: &Probe, previous: Option<Timestamp>) -> Self {
        let max_gap = i64::try_from(probe.max_gap.as_millis()).unwrap_or(i64::MAX);
        let since = previous.map(|previous| probe.at.as_millis() - previous.as_millis());
        // Not when the clock strikes, which it does for all components at once.
        let offset = hour_offset(&probe.component);
        let hour = |at: Timestamp| Period::Hour.start_of(at.plus(offset));
        Self {
            known_ms: since.filter(|gap| (0..=max_gap).contains(gap)).unwrap_or(0),
            is_time_to_forget: previous.map(hour) != Some(hour(probe.at)),
            is_earlier: since.is_some_and(|since| since < 0),
        }
    }

    /// When the day before that of the probe began. Without probes in it the clock may have leapt, and
    /// nothing is forgotten by it.
    pub fn day_before(probe: &Probe) -> Timestamp {
        let day = Period::Day;
        day.start_of(probe.at).minus(day.length())
    }

    /// Before when probes, and what they say in sum, are forgotten.
    pub fn keep_since(probe: &Probe) -> [Timestamp; 2] {
        [KEEP_PROBES, KEEP_ROLLUPS].map(|kept| probe.at.minus(kept))
    }
}

/// At which time of the hour what is old of the probes is forgotten.
fn hour_offset(component: &ComponentId) -> Duration {
    let sum = component.as_str().bytes().fold(0_u64, |sum, byte| {
        sum.wrapping_mul(31).wrapping_add(byte.into())
    });
    Duration::from_secs(sum % 3_600)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn probe(at: i64) -> Probe {
        Probe {
            component: ComponentId::storage(),
            at: Timestamp::from_millis(at),
            is_up: true,
            duration_ms: 1,
            max_gap: Duration::from_millis(100),
        }
    }

    #[test]
    fn the_time_after_a_gap_is_not_known() {
        let known = |at, previous: Option<i64>| {
            ProbeRecord::of(&probe(at), previous.map(Timestamp::from_millis)).known_ms
        };
        assert_eq!(known(1_000, None), 0);
        assert_eq!(known(1_000, Some(900)), 100);
        assert_eq!(known(1_000, Some(899)), 0);
        assert_eq!(known(1_000, Some(1_001)), 0, "the clock was set back");
    }

    #[test]
    fn hours_and_days_begin_in_utc() {
        let at = Timestamp::parse_rfc3339("2026-06-10T23:59:59.999Z").expect("a time");
        let hour = Period::Hour.start_of(at);
        assert_eq!(hour.to_string(), "2026-06-10T23:00:00.000Z");
        assert_eq!(Period::Hour.start_of(hour), hour);
        assert_eq!(
            Period::Day.start_of(at).to_string(),
            "2026-06-10T00:00:00.000Z"
        );
    }
}
