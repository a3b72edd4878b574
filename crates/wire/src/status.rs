use keygate_core::{ComponentId, ComponentName, Health, Timestamp};
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    incident::IncidentResponse,
    schema::{self, USED_AT},
};

/// The status of the service.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Status, example = json!({
    "status": "operational",
    "message": "All systems operational.",
    "at": USED_AT,
    "stale_since": null,
    "components": [{
        "id": "data_plane",
        "name": "Data plane",
        "status": "operational",
        "probed_at": USED_AT,
        "response_ms": 2,
        "uptime": {
            "last_24_hours": {"percent": 99.98, "known_percent": 100.0, "up": 259_148, "down": 52},
            "last_7_days": {"percent": 99.98, "known_percent": 100.0, "up": 259_148, "down": 52},
            "last_90_days": {"percent": 99.98, "known_percent": 100.0, "up": 259_148, "down": 52},
        },
        "hours": [{"starts_at": USED_AT, "response_ms": 2}],
        "days": [{
            "starts_at": "2026-06-10T00:00:00.000Z",
            "uptime": {"percent": 99.98, "known_percent": 100.0, "up": 259_148, "down": 52},
        }],
    }],
    "incidents": [],
    "maintenance": [],
    "past": [],
}))]
pub struct StatusResponse {
    /// How it does.
    #[schema(schema_with = schema::health)]
    pub status: Health,
    /// The same in a sentence.
    pub message: String,
    /// When this was so.
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
    /// The time of the last known status, if the database is unavailable; what can be seen
    /// without the database is newer. Null otherwise.
    #[schema(value_type = Option<String>, format = DateTime, required)]
    pub stale_since: Option<Timestamp>,
    /// Its components.
    pub components: Vec<ComponentResponse>,
    /// Open incidents and maintenance in progress, newest first.
    pub incidents: Vec<IncidentResponse>,
    /// Scheduled maintenance, the next first.
    pub maintenance: Vec<IncidentResponse>,
    /// What was over within 90 days, the latest first.
    pub past: Vec<IncidentResponse>,
}

/// The status of a component.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ComponentStatus)]
pub struct ComponentResponse {
    /// `management_api`, `data_plane`, `storage`, or `upstream:` and a path.
    #[schema(value_type = String)]
    pub id: ComponentId,
    /// What it is called.
    #[schema(value_type = String)]
    pub name: ComponentName,
    /// How it does.
    #[schema(schema_with = schema::health)]
    pub status: Health,
    /// When it was last probed; null before the first time.
    #[schema(value_type = Option<String>, format = DateTime, required)]
    pub probed_at: Option<Timestamp>,
    /// How long that took, in milliseconds.
    #[schema(required)]
    pub response_ms: Option<u64>,
    /// How it did lately.
    pub uptime: UptimesResponse,
    /// The last 24 hours, oldest first.
    pub hours: Vec<HourResponse>,
    /// The last 90 days in UTC, oldest first.
    pub days: Vec<DayResponse>,
}

/// The uptime of a component.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Uptimes)]
pub struct UptimesResponse {
    /// To the probe.
    pub last_24_hours: UptimeResponse,
    /// To the hour.
    pub last_7_days: UptimeResponse,
    /// To the day.
    pub last_90_days: UptimeResponse,
}

/// The uptime of a component in a period.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Uptime)]
pub struct UptimeResponse {
    /// How much of a hundred probes succeeded, to two decimals; never 100 if one failed. Null without
    /// probes.
    #[schema(required)]
    pub percent: Option<f64>,
    /// For what share of the time there is data, in percent with two decimals.
    pub known_percent: f64,
    /// How many probes succeeded.
    pub up: u64,
    /// How many failed.
    pub down: u64,
}

/// An hour of a component.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Hour)]
pub struct HourResponse {
    /// When it began.
    #[schema(value_type = String, format = DateTime)]
    pub starts_at: Timestamp,
    /// How long probes that succeeded took on average, in milliseconds; null without one.
    #[schema(required)]
    pub response_ms: Option<u64>,
}

/// A day of a component.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Day)]
pub struct DayResponse {
    /// When it began.
    #[schema(value_type = String, format = DateTime)]
    pub starts_at: Timestamp,
    /// How it did on this day.
    pub uptime: UptimeResponse,
}
