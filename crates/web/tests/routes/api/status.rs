//! What anybody is told of how the service does.

use std::time::Duration;

use keygate_core::{Clock, ComponentId, ProberId, SeededRandom};
use keygate_storage::{Probe, StatusStore};

use crate::support::TestApp;

/// Has the data plane probed this often, each half a minute, with so many failures at the end.
async fn probe(app: &TestApp, up: u32, down: u32) {
    let prober = ProberId::generate(app.clock.now(), &SeededRandom::new(7));
    let component = ComponentId::data_plane();
    let claim = app.store.claim_component(component.clone(), prober, None);
    assert!(claim.await.expect("claimed"));
    for index in 0..up + down {
        let probe = Probe {
            component: component.clone(),
            at: app.clock.now(),
            is_up: index < up,
            duration_ms: 4,
            max_gap: Duration::from_mins(1),
        };
        let kept = app.store.record_probe(prober, probe).await;
        assert!(kept.expect("kept").is_some());
        app.clock.advance_millis(30_000);
    }
}

#[tokio::test]
async fn anybody_is_told_how_each_component_does() {
    let app = TestApp::new();
    probe(&app, 11, 1).await;
    let answer = app.get("/api/status").send().await;
    assert_eq!(answer.headers["cache-control"], "public, max-age=15");
    let status = answer.json();
    assert_eq!(status["status"], "degraded");
    assert_eq!(status["message"], "Data plane has problems.");
    let component = &status["components"][1];
    assert_eq!(component["id"], "data_plane");
    assert_eq!(component["probed_at"], "2026-06-10T08:05:30.000Z");
    let day = &component["uptime"]["last_24_hours"];
    assert_eq!(day["percent"], 91.67);
    assert_eq!(component["uptime"]["last_7_days"]["percent"], 91.67);
    assert_eq!(component["uptime"]["last_90_days"]["percent"], 91.67);
    // 5.5 minutes of 23 hours and 6 minutes.
    assert_eq!(day["known_percent"], 0.40);
    let hours = component["hours"].as_array().expect("an array");
    assert_eq!(hours.len(), 24);
    assert_eq!(hours[23]["response_ms"], 4);
    assert_eq!(hours[22]["response_ms"], serde_json::Value::Null);
    let days = component["days"].as_array().expect("an array");
    assert_eq!(days.len(), 90);
    assert_eq!(days[89]["starts_at"], "2026-06-10T00:00:00.000Z");
    assert_eq!(days[89]["uptime"]["down"], 1);
    assert_eq!(days[0]["uptime"]["percent"], serde_json::Value::Null);
}

#[tokio::test]
async fn without_the_database_it_is_said_what_was_known_and_when() {
    let app = TestApp::new();
    probe(&app, 12, 0).await;
    let known = app.get("/api/status").send().await.json();
    assert_eq!(known["stale_since"], serde_json::Value::Null);
    app.close_store().await;
    app.clock.advance_millis(20_000);
    let answer = app.get("/api/status").send().await;
    assert_eq!(answer.status, 200);
    let status = answer.json();
    assert_eq!(status["stale_since"], known["at"]);
    assert_eq!(status["message"], "Storage has problems.");
    assert_eq!(status["components"][1]["status"], "operational");
    app.clock.advance_millis(90_000);
    let status = app.get("/api/status").send().await.json();
    assert_eq!(status["message"], "Storage is down.");
    assert_eq!(status["components"][1]["status"], "unknown", "by now");
}
