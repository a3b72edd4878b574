//! `/api/status`

mod show;

pub(crate) use show::{PUBLIC, show};

use std::sync::Arc;

use keygate_control::{ComponentStatus, Day, Health, Hour, Status, Uptime};
use keygate_core::{ComponentId, ComponentName, Timestamp};
use serde::Serialize;
use utoipa::{OpenApi, ToSchema};

use super::incident::IncidentResponse;
use crate::{openapi::types, rendered::RenderedLast, status_words::sentence};

/// What is shown of the status, until there is something else to see.
pub(crate) struct StatusPages {
    pub(crate) json: RenderedLast<SameStatus>,
    pub(crate) page: RenderedLast<SameStatus>,
    /// They differ by the address under which the reader knows the service.
    pub(crate) feed: RenderedLast<(SameStatus, String)>,
}

impl StatusPages {
    pub(crate) const fn new() -> Self {
        Self {
            json: RenderedLast::keeping(1),
            page: RenderedLast::keeping(1),
            feed: RenderedLast::keeping(8),
        }
    }
}

/// A status that is told from others by which one it is, not by what is in it.
pub(crate) struct SameStatus(pub(crate) Arc<Status>);

impl PartialEq for SameStatus {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

#[derive(OpenApi)]
#[openapi(paths(show::show))]
pub(crate) struct Reference;

/// How the service does.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Status)]
pub(crate) struct StatusResponse {
    #[schema(schema_with = types::health)]
    status: &'static str,
    /// The same in a sentence.
    message: String,
    /// When this was so.
    #[schema(value_type = String, format = DateTime)]
    at: Timestamp,
    /// The database does not answer: what follows was known then, but for what can be seen without it. Null
    /// where it answers.
    #[schema(value_type = Option<String>, format = DateTime, required)]
    stale_since: Option<Timestamp>,
    /// Its components.
    components: Vec<ComponentResponse>,
    /// Incidents that are not over and maintenance in progress, newest first.
    incidents: Vec<IncidentResponse>,
    /// Maintenance to come, the next first.
    maintenance: Vec<IncidentResponse>,
    /// What was over within 90 days, the latest first.
    past: Vec<IncidentResponse>,
}

/// How a component does.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ComponentStatus)]
struct ComponentResponse {
    /// `management_api`, `data_plane`, `storage`, or `upstream:` and a path.
    #[schema(value_type = String)]
    id: ComponentId,
    /// What it is called.
    #[schema(value_type = String)]
    name: ComponentName,
    #[schema(schema_with = types::health)]
    status: &'static str,
    /// When it was last probed; null before the first time.
    #[schema(value_type = Option<String>, format = DateTime, required)]
    probed_at: Option<Timestamp>,
    /// How long that took, in milliseconds.
    #[schema(required)]
    response_ms: Option<u64>,
    uptime: UptimesResponse,
    /// The last 24 hours, oldest first.
    hours: Vec<HourResponse>,
    /// The last 90 days in UTC, oldest first.
    days: Vec<DayResponse>,
}

/// How a component did.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Uptimes)]
#[expect(clippy::struct_field_names, reason = "they are read as JSON")]
struct UptimesResponse {
    /// To the probe.
    last_24_hours: UptimeResponse,
    /// To the hour.
    last_7_days: UptimeResponse,
    /// To the day.
    last_90_days: UptimeResponse,
}

/// How a component did over some time.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Uptime)]
struct UptimeResponse {
    /// How much of a hundred probes succeeded, to two decimals; never 100 if one failed. Null without
    /// probes.
    #[schema(required)]
    percent: Option<f64>,
    /// For how much of the time it is known how it did, in percent to two decimals.
    known_percent: f64,
    /// How many probes succeeded.
    up: u64,
    /// How many failed.
    down: u64,
}

/// An hour of a component.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Hour)]
struct HourResponse {
    /// When it began.
    #[schema(value_type = String, format = DateTime)]
    starts_at: Timestamp,
    /// How long probes that succeeded took on average, in milliseconds; null without one.
    #[schema(required)]
    response_ms: Option<u64>,
}

/// A day of a component.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Day)]
struct DayResponse {
    /// When it began.
    #[schema(value_type = String, format = DateTime)]
    starts_at: Timestamp,
    uptime: UptimeResponse,
}

impl From<Status> for StatusResponse {
    fn from(status: Status) -> Self {
        let now = status.at;
        Self {
            status: status.health.as_str(),
            message: sentence(&status),
            at: now,
            stale_since: status.stale_since,
            components: status
                .components
                .into_iter()
                .map(ComponentResponse::from)
                .collect(),
            incidents: IncidentResponse::all(status.current, now),
            maintenance: IncidentResponse::all(status.planned, now),
            past: IncidentResponse::all(status.past, now),
        }
    }
}

impl From<ComponentStatus> for ComponentResponse {
    fn from(status: ComponentStatus) -> Self {
        let latest = status.latest;
        Self {
            id: status.component.id,
            name: status.component.name,
            status: Health::as_str(status.health),
            probed_at: latest.as_ref().map(|latest| latest.at),
            response_ms: latest.map(|latest| latest.duration_ms),
            uptime: UptimesResponse {
                last_24_hours: status.last_day.into(),
                last_7_days: status.last_week.into(),
                last_90_days: status.last_quarter.into(),
            },
            hours: status.hours.into_iter().map(HourResponse::from).collect(),
            days: status.days.into_iter().map(DayResponse::from).collect(),
        }
    }
}

impl From<Uptime> for UptimeResponse {
    fn from(uptime: Uptime) -> Self {
        let percent = |basis_points| f64::from(basis_points) / 100.0;
        Self {
            percent: uptime.basis_points().map(percent),
            known_percent: percent(uptime.known_basis_points()),
            up: uptime.tally.up,
            down: uptime.tally.down,
        }
    }
}

impl From<Hour> for HourResponse {
    fn from(hour: Hour) -> Self {
        Self {
            starts_at: hour.starts_at,
            response_ms: hour.response_ms,
        }
    }
}

impl From<Day> for DayResponse {
    fn from(day: Day) -> Self {
        Self {
            starts_at: day.starts_at,
            uptime: day.uptime.into(),
        }
    }
}
