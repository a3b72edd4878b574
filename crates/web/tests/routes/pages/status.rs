//! The status page, its feed, and that they bear what may come.

use std::{sync::Arc, time::Duration};

use keygate_control::{Actor, Component, PostIncident, ScheduleMaintenance, StatusPolicy};
use keygate_core::{ComponentId, ComponentName, IncidentMessage, IncidentState, IncidentTitle};
use keygate_storage::Store;
use keygate_storage_sqlite::testing::fill_status;

use crate::support::{Options, START, TestApp, unescaped};

const MARKUP: &str = "<script>alert(1)</script> & \"more\"";

async fn post(app: &TestApp, title: &str, message: &str, state: IncidentState) {
    let post = PostIncident {
        title: IncidentTitle::parse(title).expect("a title"),
        message: IncidentMessage::parse(message).expect("a message"),
        components: vec![ComponentId::data_plane()],
        state: Some(state),
        starts_at: None,
    };
    let posted = app.control.post_incident(Actor::Operator, post).await;
    posted.expect("posted");
}

#[tokio::test]
async fn the_page_says_the_same_to_everybody() {
    let (app, cookie) = TestApp::signed_in().await;
    let open = app.get("/status").send().await;
    assert_eq!(open.status, 200);
    assert!(open.body.contains("The status of the service is unknown."));
    assert!(open.body.contains("No incidents in the last 90 days."));
    let signed_in = app.get("/status").cookie(&cookie).send().await;
    assert_eq!(signed_in.body, open.body, "anybody may keep it");
    assert!(!signed_in.headers.contains_key("set-cookie"));
}

#[tokio::test]
async fn what_is_shown_is_put_together_once_a_second_and_when_something_changes() {
    let app = TestApp::new();
    let status = async || app.control.read_status().await;
    let first = status().await;
    assert!(Arc::ptr_eq(&first, &status().await));
    post(&app, "Slow", "We look.", IncidentState::Identified).await;
    let second = status().await;
    assert_eq!(second.current.len(), 1, "it is seen at once");
    assert!(Arc::ptr_eq(&second, &status().await));
    app.clock.advance_millis(1_000);
    assert!(!Arc::ptr_eq(&second, &status().await));
}

#[tokio::test]
async fn whoever_takes_gzip_is_given_the_status_in_it() {
    let app = TestApp::new();
    for path in ["/status", "/status/feed.atom", "/api/status"] {
        for (accepted, encoding) in [("gzip, br", Some("gzip")), ("gzip;q=0", None)] {
            let answer = app.get(path).header("accept-encoding", accepted);
            let headers = answer.send().await.headers;
            let said = headers.get("content-encoding");
            assert_eq!(said.and_then(|name| name.to_str().ok()), encoding, "{path}");
            let varies = headers.get_all("vary").iter().collect::<Vec<_>>();
            assert_eq!(varies, ["accept-encoding"], "{path} {accepted}");
        }
    }
}

#[tokio::test]
async fn what_people_write_is_shown_as_text() {
    let app = TestApp::new();
    let long = format!("{MARKUP}\r\n{}", "x".repeat(9_900));
    post(&app, MARKUP, &long, IncidentState::Identified).await;
    post(&app, "Over", "It is over.", IncidentState::Resolved).await;
    for path in ["/status", "/status/feed.atom"] {
        let answer = app.get(path).send().await;
        assert!(!answer.body.contains("<script>alert"), "{answer}");
        let text = unescaped(&answer.body);
        assert!(text.contains(&long.replace("\r\n", "\n")), "{answer}");
        assert!(text.contains("It is over."), "{answer}");
        assert!(!answer.body.contains('\r'));
    }
}

#[tokio::test]
async fn the_feed_has_an_entry_for_each_incident_the_latest_word_first() {
    let app = TestApp::with(Options::https());
    post(&app, "First", "a", IncidentState::Resolved).await;
    app.clock.advance_millis(60_000);
    post(&app, "Second", "b", IncidentState::Investigating).await;
    let feed = app.get("/status/feed.atom").send().await;
    let kind = feed.headers["content-type"].to_str().expect("ASCII");
    assert_eq!(kind, "application/atom+xml; charset=utf-8");
    let titles: Vec<&str> = feed
        .body
        .split("<title type=\"text\">")
        .skip(1)
        .filter_map(|rest| rest.split('<').next())
        .collect();
    assert_eq!(titles, ["Second (investigating)", "First (resolved)"]);
    assert!(
        feed.body
            .contains("<updated>2026-06-10T08:01:00.000Z</updated>")
    );
    assert!(
        feed.body
            .contains("href=\"https://keys.example.com/status#incident-")
    );
}

#[tokio::test]
async fn the_feed_says_anew_what_begins_and_ends_by_itself() {
    let app = TestApp::new();
    let minutes = |minutes| START.plus(Duration::from_mins(minutes));
    let planned = ScheduleMaintenance {
        title: IncidentTitle::parse("New disks").expect("a title"),
        message: IncidentMessage::parse("Ten minutes.").expect("a message"),
        components: Vec::new(),
        starts_at: minutes(10),
        ends_at: minutes(20),
    };
    let planned = app
        .control
        .schedule_maintenance(Actor::Operator, planned)
        .await;
    planned.expect("scheduled");
    for (state, updated) in [
        ("scheduled", "2026-06-10T08:00:00.000Z"),
        ("in progress", "2026-06-10T08:10:00.000Z"),
        ("completed", "2026-06-10T08:20:00.000Z"),
    ] {
        let feed = app.get("/status/feed.atom").send().await;
        let (_, entry) = feed.body.split_once("<entry>").expect("an entry");
        assert!(entry.contains(&format!("New disks ({state})")), "{feed}");
        let updated = format!("<updated>{updated}</updated>");
        assert!(entry.contains(&updated), "{feed}");
        app.clock.advance_millis(10 * 60_000);
    }
}

#[tokio::test]
async fn without_the_database_the_page_says_so() {
    let app = TestApp::new();
    post(&app, "Known", "before", IncidentState::Identified).await;
    app.get("/status").send().await;
    app.close_store().await;
    app.clock.advance_millis(3 * 60_000);
    let answer = app.get("/status").send().await;
    assert_eq!(answer.status, 200);
    assert!(
        answer.body.contains("The database cannot be reached."),
        "{answer}"
    );
    assert!(answer.body.contains("3 minutes ago"), "{answer}");
    assert!(answer.body.contains("Known"), "{answer}");
    let feed = app.get("/status/feed.atom").send().await;
    assert!(feed.body.contains("Known"), "{feed}");
}

/// An app whose ten components have been probed for 90 days.
fn with_ninety_days() -> TestApp {
    let mut status = StatusPolicy::default();
    let upstreams: Vec<String> = (1..=7)
        .map(|number| format!("/v1/upstream-{number}"))
        .collect();
    status
        .components
        .extend(upstreams.iter().map(|path| Component {
            id: ComponentId::upstream(path),
            name: ComponentName::parse(path).expect("a name"),
        }));
    TestApp::with_past(
        Options {
            status,
            ..Options::default()
        },
        &|path| fill_status(path, &upstreams, START),
    )
}

#[tokio::test]
async fn there_are_no_bars_before_there_is_a_day_of_data() {
    const DAY: i64 = 24 * 3_600_000;
    let app = with_ninety_days();
    let bars = async || {
        let page = app.get("/status").send().await;
        page.body.matches("<svg class=\"bars\"").count()
    };
    assert_eq!(bars().await, 10);
    app.clock.advance_millis(88 * DAY);
    assert_eq!(bars().await, 10, "of two days");
    app.clock.advance_millis(2 * DAY - DAY / 24);
    assert_eq!(bars().await, 0, "of an hour");
}

#[tokio::test]
async fn ninety_days_of_ten_components_are_small() {
    let app = with_ninety_days();
    let page = app
        .get("/status")
        .header("accept-encoding", "gzip")
        .send()
        .await;
    assert_eq!(page.status, 200);
    assert!(page.size < 64 * 1024, "{} bytes on their way", page.size);
    let status = app.get("/api/status").send().await.json();
    assert_eq!(status["components"].as_array().map(Vec::len), Some(10));
    for component in status["components"].as_array().expect("an array") {
        let quarter = &component["uptime"]["last_90_days"];
        assert_eq!(quarter["known_percent"], 100.0, "{component}");
        let days = component["days"].as_array().expect("an array");
        assert!(days.iter().all(|day| !day["uptime"]["percent"].is_null()));
    }
    app.store.close().await;
    let files = std::fs::read_dir(app.folder.path()).expect("a folder");
    let bytes: u64 = files
        .map(|file| file.expect("a file").metadata().expect("its size").len())
        .sum();
    assert!(bytes < 20 * 1024 * 1024, "{bytes} bytes");
}
