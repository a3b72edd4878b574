use std::time::Duration;

use keygate_core::{ComponentId, Health, Incident, IncidentKind, IncidentState, Timestamp};
use keygate_storage::{LatestProbe, Period, Rollup, StatusHistory, Tally};

use super::{
    Component, StatusPolicy, Uptime,
    known::{Known, Live},
};

/// After so many failed probes in a row a component is out.
pub(super) const OUT_AFTER: u32 = 3;

/// How the service does.
#[derive(Debug, Clone)]
pub struct Status {
    /// When this was so.
    pub at: Timestamp,
    /// The database does not answer: this is what was known then, and what this node sees by itself.
    /// It is `at` itself where nothing was ever known.
    pub stale_since: Option<Timestamp>,
    /// How it does as a whole.
    pub health: Health,
    /// Its components.
    pub components: Vec<ComponentStatus>,
    /// Incidents that are not over, and maintenance in progress, newest first.
    pub current: Vec<Incident>,
    /// Maintenance to come, the next first.
    pub planned: Vec<Incident>,
    /// What was over within 90 days, the latest first.
    pub past: Vec<Incident>,
}

/// How a component does.
#[derive(Debug, Clone)]
pub struct ComponentStatus {
    /// Which one.
    pub component: Component,
    /// How it does.
    pub health: Health,
    /// Its last probe.
    pub latest: Option<LatestProbe>,
    /// How it did in the last 24 hours.
    pub last_day: Uptime,
    /// How it did in the last 7 days.
    pub last_week: Uptime,
    /// How it did in the last 90 days.
    pub last_quarter: Uptime,
    /// The last 24 hours, oldest first, the present one last.
    pub hours: Vec<Hour>,
    /// The last 90 days in UTC, oldest first, today last.
    pub days: Vec<Day>,
}

/// An hour of a component.
#[derive(Debug, Clone, Copy)]
pub struct Hour {
    /// When it began.
    pub starts_at: Timestamp,
    /// How long its successful probes took on average.
    pub response_ms: Option<u64>,
}

/// A day of a component.
#[derive(Debug, Clone, Copy)]
pub struct Day {
    /// When it began.
    pub starts_at: Timestamp,
    /// How it did.
    pub uptime: Uptime,
}

impl Status {
    /// Puts together what is kept and what this node has seen itself.
    pub(super) fn new(policy: &StatusPolicy, known: &Known, now: Timestamp) -> Self {
        let nothing = StatusHistory::default();
        let snapshot = known.snapshot.as_deref();
        let history = snapshot.map_or(&nothing, |snapshot| &snapshot.history);
        let incidents = snapshot.map_or(&[][..], |snapshot| &snapshot.incidents);
        let components: Vec<ComponentStatus> = policy
            .components
            .iter()
            .map(|component| {
                let mut status = ComponentStatus::new(component, history, policy.max_gap(), now);
                let is_past = |latest: &LatestProbe| latest.at <= now.plus(policy.max_gap());
                // What lies ahead was noted by a clock that was wrong.
                status.latest = status.latest.filter(&is_past);
                // Another node may have probed it since.
                let kept = status.latest.as_ref().map(|latest| latest.at);
                let live = known.live.get(&component.id);
                let live = live.filter(|live| is_past(&live.probe) && Some(live.probe.at) >= kept);
                if let Some(live) = live {
                    status.latest = Some(live.probe.clone());
                }
                status.health = health(policy, &status, live, incidents, now);
                if component.id == ComponentId::storage()
                    && status.health != Health::Maintenance
                    && let Some(failing_for) = known.failing_for
                {
                    status.health = match status.health {
                        // It answers, if too slowly for the page.
                        Health::Operational => Health::Degraded,
                        health => health.max(unread(policy, failing_for)),
                    };
                }
                status
            })
            .collect();
        let (over, open): (Vec<_>, Vec<_>) = incidents
            .iter()
            .cloned()
            .partition(|incident| incident.is_over(now));
        let is_planned = |incident: &Incident| incident.state(now) == IncidentState::Scheduled;
        let (mut planned, current): (Vec<_>, Vec<_>) = open.into_iter().partition(is_planned);
        planned.sort_by_key(|incident| incident.starts_at);
        let mut past = over;
        past.sort_by_key(|incident| std::cmp::Reverse(incident.ends_at));
        Self {
            at: now,
            stale_since: known
                .failing_for
                .map(|_| snapshot.map_or(now, |snapshot| snapshot.read_at)),
            health: overall(&components, &current),
            components,
            current,
            planned,
            past,
        }
    }
}

/// How the service does: as its worst component, or as is said of what is none of its components.
fn overall(components: &[ComponentStatus], current: &[Incident]) -> Health {
    let is_shown = |id: &ComponentId| components.iter().any(|one| one.component.id == *id);
    let of_others = current
        .iter()
        .filter(|incident| !incident.components.iter().any(is_shown));
    let said = of_others.map(|incident| match incident.kind {
        IncidentKind::Maintenance => Health::Maintenance,
        IncidentKind::Incident | IncidentKind::Outage => Health::Degraded,
    });
    let components = components.iter().map(|component| component.health);
    components.chain(said).max().unwrap_or(Health::Operational)
}

/// How the database does that has not been read for so long.
fn unread(policy: &StatusPolicy, failing_for: Duration) -> Health {
    if failing_for >= policy.interval * OUT_AFTER {
        Health::Outage
    } else {
        Health::Degraded
    }
}

fn health(
    policy: &StatusPolicy,
    status: &ComponentStatus,
    live: Option<&Live>,
    incidents: &[Incident],
    now: Timestamp,
) -> Health {
    let id = &status.component.id;
    let concerned = |incident: &&Incident| incident.concerns(id) && !incident.is_over(now);
    let open: Vec<&Incident> = incidents.iter().filter(concerned).collect();
    let any = |kind| open.iter().any(|incident| incident.kind == kind);
    let mut maintenance = incidents.iter();
    let in_maintenance =
        maintenance.any(|incident| incident.is_maintenance_of(id, now) && !incident.is_over(now));
    let is_fresh = |latest: &&LatestProbe| latest.at.plus(policy.fresh_for()) >= now;
    let fresh = status.latest.as_ref().filter(is_fresh);
    let is_out = live.is_some_and(|live| live.failures >= OUT_AFTER);
    match fresh {
        _ if in_maintenance => Health::Maintenance,
        None => Health::Unknown,
        Some(_) if is_out || any(IncidentKind::Outage) => Health::Outage,
        Some(latest) if !latest.is_up || any(IncidentKind::Incident) => Health::Degraded,
        Some(_) => Health::Operational,
    }
}

impl ComponentStatus {
    fn new(
        component: &Component,
        history: &StatusHistory,
        max_gap: Duration,
        now: Timestamp,
    ) -> Self {
        let (hours, days) = (
            of_component(&history.hours, &component.id),
            of_component(&history.days, &component.id),
        );
        let starts = |period, count| starts_of_last(period, count, now);
        let since = |period, count| starts(period, count).next().unwrap_or(now);
        let after = |rollups: &[&Rollup], since: Timestamp| {
            let is_recent = |one: &&&Rollup| (since..=now).contains(&one.starts_at);
            let recent = rollups.iter().filter(is_recent).copied();
            Uptime::of_rollups(recent, since, now, max_gap)
        };
        let tally = history.last_day.iter().find(|(id, _)| *id == component.id);
        Self {
            health: Health::Unknown,
            latest: history
                .latest
                .iter()
                .find(|latest| latest.component == component.id)
                .cloned(),
            last_day: Uptime {
                // To the probe, where hours would be too coarse.
                tally: tally.map_or(Tally::default(), |(_, tally)| *tally),
                ..after(&hours, since(Period::Hour, 24))
            },
            last_week: after(&hours, since(Period::Hour, 7 * 24)),
            last_quarter: after(&days, since(Period::Day, 90)),
            hours: starts(Period::Hour, 24)
                .map(|at| Hour::new(&hours, at))
                .collect(),
            days: starts(Period::Day, 90)
                .map(|at| Day::new(&days, at, max_gap, now))
                .collect(),
            component: component.clone(),
        }
    }
}

fn of_component<'a>(rollups: &'a [Rollup], component: &ComponentId) -> Vec<&'a Rollup> {
    let own = rollups.iter().filter(|one| one.component == *component);
    own.collect()
}

impl Hour {
    fn new(hours: &[&Rollup], starts_at: Timestamp) -> Self {
        let found = hours.iter().find(|hour| hour.starts_at == starts_at);
        Self {
            starts_at,
            response_ms: found.and_then(|hour| hour.up_duration_ms.checked_div(hour.tally.up)),
        }
    }
}

impl Day {
    fn new(days: &[&Rollup], starts_at: Timestamp, max_gap: Duration, now: Timestamp) -> Self {
        let found = days.iter().filter(|day| day.starts_at == starts_at);
        let found = found.copied();
        let end = starts_at.plus(Period::Day.length()).min(now);
        Self {
            starts_at,
            uptime: Uptime::of_rollups(found, starts_at, end, max_gap),
        }
    }
}

/// When the last `count` hours or days began, oldest first, the present one last.
fn starts_of_last(period: Period, count: u32, now: Timestamp) -> impl Iterator<Item = Timestamp> {
    let present = period.start_of(now);
    let before = move |back: u32| -> Duration { period.length() * back };
    (0..count)
        .rev()
        .map(move |back| present.minus(before(back)))
}
