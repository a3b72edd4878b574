//! `/api/status`

mod show;

pub(crate) use show::{PUBLIC, show};

use std::sync::Arc;

use keygate_control::{ComponentStatus, Day, Hour, Status, Uptime};
use keygate_wire::{
    ComponentResponse, DayResponse, HourResponse, IncidentResponse, StatusResponse, UptimeResponse,
    UptimesResponse,
};
use utoipa::OpenApi;

use crate::{rendered::RenderedLast, status_words::sentence};

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

/// The status as it is answered.
fn response(status: Status) -> StatusResponse {
    let now = status.at;
    StatusResponse {
        status: status.health,
        message: sentence(&status),
        at: now,
        stale_since: status.stale_since,
        components: status.components.into_iter().map(component).collect(),
        incidents: IncidentResponse::all(status.current, now),
        maintenance: IncidentResponse::all(status.planned, now),
        past: IncidentResponse::all(status.past, now),
    }
}

fn component(status: ComponentStatus) -> ComponentResponse {
    let latest = status.latest;
    let hour = |hour: Hour| HourResponse {
        starts_at: hour.starts_at,
        response_ms: hour.response_ms,
    };
    let day = |day: Day| DayResponse {
        starts_at: day.starts_at,
        uptime: uptime(day.uptime),
    };
    ComponentResponse {
        id: status.component.id,
        name: status.component.name,
        status: status.health,
        probed_at: latest.as_ref().map(|latest| latest.at),
        response_ms: latest.map(|latest| latest.duration_ms),
        uptime: UptimesResponse {
            last_24_hours: uptime(status.last_day),
            last_7_days: uptime(status.last_week),
            last_90_days: uptime(status.last_quarter),
        },
        hours: status.hours.into_iter().map(hour).collect(),
        days: status.days.into_iter().map(day).collect(),
    }
}

fn uptime(uptime: Uptime) -> UptimeResponse {
    let percent = |basis_points| f64::from(basis_points) / 100.0;
    UptimeResponse {
        percent: uptime.basis_points().map(percent),
        known_percent: percent(uptime.known_basis_points()),
        up: uptime.tally.up,
        down: uptime.tally.down,
    }
}
