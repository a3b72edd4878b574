//! How the service does, for anybody.

mod charts;
mod feed;
pub(super) mod incident;

pub(crate) use feed::feed;

use askama::Template;
use axum::{
    extract::State,
    response::{IntoResponse, Response},
};
use http::{HeaderMap, StatusCode, header::CACHE_CONTROL};
use keygate_control::{Component, ComponentStatus, Health, Status, Uptime};
use keygate_core::{Incident, Timestamp};

use super::{frame::Frame, html_page, message, moment::Moment};
use crate::{
    answer::shutting_down,
    api::status::{PUBLIC, SameStatus},
    state::WebState,
    status_words::sentence,
};

use charts::{Bar, DayRow, HourRow, Sparkline};
use incident::IncidentView;

#[derive(Template)]
#[template(path = "status/page.html")]
struct StatusPage {
    frame: Frame,
    health: HealthView,
    sentence: String,
    at: Moment,
    stale_since: Option<Moment>,
    components: Vec<ComponentView>,
    current: Vec<IncidentView>,
    planned: Vec<IncidentView>,
    past: Vec<IncidentView>,
}

/// A state as a word, and the class of its colour.
struct HealthView {
    word: &'static str,
    class: &'static str,
}

/// Before so much is known, bars of days would be an empty ground.
const ENOUGH_FOR_BARS_MS: u64 = 24 * 60 * 60 * 1_000;

struct ComponentView {
    name: String,
    health: HealthView,
    probed: Option<Moment>,
    uptimes: [UptimeView; 3],
    /// None, until there is a day of data.
    bars: Vec<Bar>,
    /// What the bars say, in a sentence.
    summary: String,
    sparkline: Sparkline,
    hours: Vec<HourRow>,
    days: Vec<DayRow>,
}

struct UptimeView {
    label: &'static str,
    percent: String,
    known: Option<String>,
}

/// `GET /status`
pub(crate) async fn show(State(state): State<WebState>, headers: HeaderMap) -> Response {
    let status = SameStatus(state.control().read_status().await);
    let frame = Frame::signed_out(&state, "status");
    let rendering = move |status: &SameStatus| render(frame, status);
    let Some(rendered) = state.status_pages().page.get(status, rendering).await else {
        return message::show(Frame::signed_out(&state, "status"), &shutting_down());
    };
    rendered.answer(&headers, |body| {
        // The same for everybody, so that anybody may keep it.
        ([(CACHE_CONTROL, PUBLIC)], html_page(StatusCode::OK, body)).into_response()
    })
}

fn render(frame: Frame, SameStatus(status): &SameStatus) -> String {
    let page = StatusPage::new(frame, status);
    page.render().expect("the templates render from memory")
}

impl StatusPage {
    fn new(frame: Frame, status: &Status) -> Self {
        let now = status.at;
        let sentence = sentence(status);
        let named: Vec<Component> = status
            .components
            .iter()
            .map(|one| one.component.clone())
            .collect();
        let view = |incidents: &[Incident]| {
            let incidents = incidents.iter();
            let views = incidents.map(|incident| IncidentView::new(incident, &named, now));
            views.collect()
        };
        Self {
            frame,
            health: status.health.into(),
            sentence,
            at: Moment::new(now, now),
            stale_since: status.stale_since.map(|since| Moment::new(since, now)),
            current: view(&status.current),
            planned: view(&status.planned),
            past: view(&status.past),
            components: status
                .components
                .iter()
                .map(|component| ComponentView::new(component, now))
                .collect(),
        }
    }
}

impl ComponentView {
    fn new(status: &ComponentStatus, now: Timestamp) -> Self {
        let has_bars = status.last_quarter.known_ms >= ENOUGH_FOR_BARS_MS;
        let last_quarter = UptimeView::new("90 days", status.last_quarter);
        let known = last_quarter.known.as_deref();
        Self {
            name: status.component.name.to_string(),
            health: status.health.into(),
            probed: status
                .latest
                .as_ref()
                .map(|latest| Moment::new(latest.at, now)),
            summary: format!(
                "The last 90 days: {} up, with data for {} of the time.",
                last_quarter.percent,
                known.unwrap_or("all")
            ),
            uptimes: [
                UptimeView::new("24 hours", status.last_day),
                UptimeView::new("7 days", status.last_week),
                last_quarter,
            ],
            bars: if has_bars {
                charts::bars(&status.days)
            } else {
                Vec::new()
            },
            sparkline: Sparkline::new(&status.hours),
            hours: charts::hour_rows(&status.hours),
            days: charts::day_rows(&status.days),
        }
    }
}

impl UptimeView {
    fn new(label: &'static str, uptime: Uptime) -> Self {
        let known = uptime.known_basis_points();
        Self {
            label,
            percent: uptime.basis_points().map_or_else(|| "–".into(), percent),
            known: (known < 10_000).then(|| percent(known)),
        }
    }
}

/// `99.98 %`, of hundredths of a percent.
fn percent(basis_points: u32) -> String {
    format!("{}.{:02} %", basis_points / 100, basis_points % 100)
}

impl From<Health> for HealthView {
    fn from(health: Health) -> Self {
        let (word, class) = match health {
            Health::Operational => ("operational", "good"),
            Health::Unknown => ("unknown", "unknown"),
            Health::Maintenance => ("maintenance", "planned"),
            Health::Degraded => ("problems", "warn"),
            Health::Outage => ("down", "bad"),
        };
        Self { word, class }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_percentage_has_two_decimals() {
        assert_eq!(percent(10_000), "100.00 %");
        assert_eq!(percent(9_998), "99.98 %");
        assert_eq!(percent(5), "0.05 %");
    }
}
