//! The feed of incidents, in Atom (RFC 4287).

use askama::Template;
use axum::{
    extract::State,
    response::{IntoResponse, Response},
};
use http::{
    HeaderMap,
    header::{CACHE_CONTROL, CONTENT_TYPE, X_CONTENT_TYPE_OPTIONS},
};
use keygate_control::{Component, Status};
use keygate_core::{Incident, IncidentUpdate, Timestamp};

use super::incident::IncidentView;
use crate::{
    answer::{Answer, shutting_down},
    api::status::{PUBLIC, SameStatus},
    origin::Origin,
    pages::moment::exact,
    state::WebState,
};

#[derive(Template)]
#[template(path = "status/feed.xml")]
struct Feed<'a> {
    /// The address under which the reader knows the service.
    origin: &'a str,
    /// What the service is called.
    name: &'a str,
    updated: Timestamp,
    entries: Vec<Entry>,
}

struct Entry {
    id: String,
    title: String,
    published: Timestamp,
    updated: Timestamp,
    text: String,
}

/// `GET /status/feed.atom`
pub(crate) async fn feed(
    State(state): State<WebState>,
    Origin(origin): Origin,
    headers: HeaderMap,
) -> Answer<Response> {
    let status = SameStatus(state.control().read_status().await);
    let feeds = &state.status_pages().feed;
    let brand = state.brand().clone();
    let rendering = move |about: &(SameStatus, String)| render(&brand.name, about);
    let rendered = feeds.get((status, origin), rendering).await;
    let rendered = rendered.ok_or_else(shutting_down)?;
    // Where nobody says under which address it is known, its links go by the one that was asked.
    let cache = if state.site().is_configured {
        PUBLIC
    } else {
        "private, max-age=15"
    };
    let about = [
        (CONTENT_TYPE, "application/atom+xml; charset=utf-8"),
        (CACHE_CONTROL, cache),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ];
    Ok(rendered.answer(&headers, |body| (about, body).into_response()))
}

fn render(name: &str, (SameStatus(status), origin): &(SameStatus, String)) -> String {
    let feed = Feed::new(name, origin, status);
    feed.render().expect("the templates render from memory")
}

impl<'a> Feed<'a> {
    fn new(name: &'a str, origin: &'a str, status: &Status) -> Self {
        let now = status.at;
        let named: Vec<Component> = status
            .components
            .iter()
            .map(|one| one.component.clone())
            .collect();
        let incidents = [&status.current[..], &status.planned, &status.past].concat();
        let mut entries: Vec<Entry> = incidents
            .iter()
            .map(|incident| Entry::new(incident, &named, now))
            .collect();
        entries.sort_by_key(|entry| std::cmp::Reverse(entry.updated));
        Self {
            origin,
            name,
            // RFC 4287 section 4.1.1 wants a date where there is nothing, too.
            updated: entries.first().map_or(now, |entry| entry.updated),
            entries,
        }
    }
}

impl Entry {
    fn new(incident: &Incident, named: &[Component], now: Timestamp) -> Self {
        let view = IncidentView::new(incident, named, now);
        let said = view.updates.iter().map(|update| {
            let at = exact(&update.at.iso);
            format!("\n{at}, {}:\n{}\n", update.state, update.message)
        });
        let at =
            |update: Option<&IncidentUpdate>| update.map_or(incident.starts_at, |update| update.at);
        // Maintenance begins and ends without anybody saying so.
        let turns = [Some(incident.starts_at), incident.ends_at].into_iter();
        let turned = turns.flatten().filter(|turn| *turn <= now);
        Self {
            title: format!("{} ({})", view.title, view.state.word),
            published: at(incident.updates.first()),
            updated: turned.fold(at(incident.updates.last()), Timestamp::max),
            text: format!(
                "{}: {}.\n{}",
                view.components,
                view.span,
                said.collect::<String>()
            ),
            id: view.id,
        }
    }
}
