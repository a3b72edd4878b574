//! What admins say of incidents, and what becomes of it on the status page.

use keygate_core::Role;
use serde_json::{Value, json};

use crate::support::{Answer, TestApp};

struct Admin {
    app: TestApp,
    cookie: String,
}

impl Admin {
    async fn new() -> Self {
        let app = TestApp::new();
        let cookie = app.account_as("admin@example.com", Role::Admin).await;
        Self { app, cookie }
    }

    async fn send(&self, method: &str, path: &str, body: &Value) -> Answer {
        let path = format!("/api/admin/{path}");
        let call = self.app.call(method, &path).cookie(&self.cookie);
        call.json(&body.to_string()).send().await
    }

    /// Posts an incident; its id.
    async fn post(&self, body: &Value) -> String {
        let answer = self.send("POST", "incidents", body).await;
        assert_eq!(answer.status, 201, "{answer}");
        text(&answer.json()["id"])
    }

    async fn update(&self, id: &str, body: &Value) -> Answer {
        self.send("POST", &format!("incidents/{id}/updates"), body)
            .await
    }

    async fn schedule(&self, body: &Value) -> Answer {
        self.send("POST", "maintenance", body).await
    }

    /// What anybody sees.
    async fn status(&self) -> Value {
        let answer = self.app.get("/api/status").send().await;
        assert_eq!(answer.status, 200, "{answer}");
        answer.json()
    }

    fn later(&self, minutes: i64) {
        self.app.clock.advance_millis(minutes * 60_000);
    }
}

fn text(value: &Value) -> String {
    value.as_str().expect("text").to_owned()
}

fn slow() -> Value {
    json!({"title": "Slow answers", "message": "We look."})
}

#[tokio::test]
async fn an_incident_goes_from_its_post_to_its_end_before_everybodys_eyes() {
    let admin = Admin::new().await;
    let id = admin.post(&slow()).await;
    let status = admin.status().await;
    assert_eq!(status["status"], "degraded");
    assert_eq!(status["message"], "The service has problems.");
    assert_eq!(status["incidents"][0]["state"], "investigating");
    admin.later(1);
    let said = json!({"message": "A disk is full.", "state": "identified"});
    let answer = admin.update(&id, &said).await;
    assert_eq!(
        (answer.status.as_u16(), &answer.json()["state"]),
        (201, &json!("identified"))
    );
    let said = json!({"message": "Still so."});
    assert_eq!(admin.update(&id, &said).await.json()["state"], "identified");
    admin.later(1);
    let said = json!({"message": "There is room again.", "state": "resolved"});
    assert_eq!(admin.update(&id, &said).await.status, 201);
    let status = admin.status().await;
    assert_eq!(status["incidents"], json!([]));
    let past = &status["past"][0];
    assert_eq!(past["id"], id);
    assert_eq!(past["starts_at"], "2026-06-10T08:00:00.000Z");
    assert_eq!(past["ends_at"], "2026-06-10T08:02:00.000Z");
    let messages = past["updates"].as_array().expect("an array").iter();
    let messages: Vec<&Value> = messages.map(|update| &update["message"]).collect();
    assert_eq!(
        messages,
        [
            "We look.",
            "A disk is full.",
            "Still so.",
            "There is room again."
        ]
    );
    let reopened = json!({"message": "No.", "state": "monitoring"});
    let reopened = admin.update(&id, &reopened).await;
    assert_eq!(reopened.summary(), r#"400 "invalid_parameter" "state""#);
    let why = json!({"message": "What we learnt: a bigger disk."});
    assert_eq!(admin.update(&id, &why).await.status, 201);
    let ended = &admin.status().await["past"][0]["ends_at"];
    assert_eq!(*ended, "2026-06-10T08:02:00.000Z", "a comment is no end");
    let audited = admin.app.audited().await;
    let audited = audited
        .iter()
        .filter(|action| action.starts_with("incident"));
    assert_eq!(
        audited.collect::<Vec<_>>(),
        [
            "incident.update",
            "incident.update",
            "incident.update",
            "incident.update",
            "incident.create"
        ]
    );
}

#[tokio::test]
async fn an_incident_of_a_component_is_its_trouble_alone() {
    let admin = Admin::new().await;
    let mut body = slow();
    body["components"] = json!(["storage", "data_plane", "storage"]);
    body["starts_at"] = json!("2026-06-10T09:30:00+02:00");
    admin.post(&body).await;
    let status = admin.status().await;
    let incident = &status["incidents"][0];
    assert_eq!(incident["components"], json!(["data_plane", "storage"]));
    assert_eq!(incident["starts_at"], "2026-06-10T07:30:00.000Z");
    assert_eq!(status["status"], "unknown", "nothing was probed: {status}");
}

#[tokio::test]
async fn maintenance_goes_by_its_times_and_can_be_over_earlier() {
    let mut admin = Admin::new().await;
    let planned = json!({
        "title": "New disks",
        "message": "Ten minutes.",
        "starts_at": "2026-06-10T09:00:00Z",
        "ends_at": "2026-06-10T10:00:00Z",
    });
    let id = text(&admin.schedule(&planned).await.json()["id"]);
    let other = admin.schedule(&planned).await;
    let other = text(&other.json()["id"]);
    let status = admin.status().await;
    assert_eq!(status["maintenance"].as_array().map(Vec::len), Some(2));
    let called_off = json!({"message": "Another day.", "state": "completed"});
    assert_eq!(admin.update(&other, &called_off).await.status, 201);
    admin.later(59);
    assert_eq!(admin.status().await["maintenance"][0]["state"], "scheduled");
    admin.later(1);
    let status = admin.status().await;
    assert_eq!(status["incidents"][0]["state"], "in_progress");
    assert_eq!(status["status"], "maintenance");
    assert_eq!(status["message"], "Maintenance is in progress.");
    admin.cookie = admin.app.sign_in("admin@example.com").await;
    let said = admin.update(&id, &json!({"message": "Half way."})).await;
    assert_eq!(said.json()["state"], "in_progress");
    let longer = json!({"ends_at": "2026-06-10T11:00:00Z"});
    let path = format!("incidents/{id}");
    assert_eq!(admin.send("PATCH", &path, &longer).await.status, 200);
    let other_way = json!({"message": "x", "state": "resolved"});
    let answer = admin.update(&id, &other_way).await;
    assert_eq!(answer.summary(), r#"400 "invalid_parameter" "state""#);
    admin.later(119);
    assert_eq!(admin.status().await["status"], "maintenance");
    admin.later(1);
    let past = &admin.status().await["past"];
    let state = |id: &str| {
        let mut past = past.as_array().expect("an array").iter();
        past.find(|one| one["id"] == id).expect("it is over")["state"].clone()
    };
    assert_eq!(
        (state(&id), state(&other)),
        (json!("completed"), json!("completed"))
    );
}

#[tokio::test]
async fn mistakes_are_corrected() {
    let admin = Admin::new().await;
    let id = admin.post(&slow()).await;
    let path = format!("incidents/{id}");
    let edit = json!({
        "title": "Slow",
        "components": ["storage"],
        "starts_at": "2026-06-10T07:00:00Z",
    });
    let edited = admin.send("PATCH", &path, &edit).await.json();
    assert_eq!(edited["title"], "Slow");
    let update = text(&edited["updates"][0]["id"]);
    let path_of_update = format!("{path}/updates/{update}");
    let said = json!({"message": "We look into it."});
    let edited = admin.send("PATCH", &path_of_update, &said).await.json();
    assert_eq!(edited["updates"][0]["message"], "We look into it.");
    assert_eq!(edited, admin.send("GET", &path, &json!({})).await.json());
    let list = admin.app.get("/api/admin/incidents").cookie(&admin.cookie);
    assert_eq!(list.send().await.json(), json!([edited]));
    for (path, body, expected) in [
        (&path, json!({}), r#"400 "missing_parameter" null"#),
        (
            &path,
            json!({"title": ""}),
            r#"400 "invalid_parameter" "title""#,
        ),
        (
            &path,
            json!({"ends_at": "2026-06-10T07:30:00Z"}),
            r#"400 "invalid_parameter" "ends_at""#,
        ),
        (
            &path,
            json!({"starts_at": "2026-06-10T08:00:00.001Z"}),
            r#"400 "invalid_parameter" "starts_at""#,
        ),
        (
            &path,
            json!({"components": ["disk"]}),
            r#"400 "invalid_parameter" "components""#,
        ),
        (
            &path_of_update,
            json!({"message": " "}),
            r#"400 "invalid_parameter" "message""#,
        ),
    ] {
        let answer = admin.send("PATCH", path, &body).await;
        assert_eq!(answer.summary(), expected, "{body}");
    }
    let now = admin.send("GET", &path, &json!({})).await.json();
    assert_eq!(now, edited, "a refusal changes nothing");
}

#[tokio::test]
async fn what_cannot_be_posted_is_refused_by_name() {
    let admin = Admin::new().await;
    let planned = json!({
        "title": "New disks",
        "message": "Ten minutes.",
        "starts_at": "2026-06-10T09:00:00Z",
        "ends_at": "2026-06-10T10:00:00Z",
    });
    for (path, good, field, bad) in [
        ("incidents", slow(), "title", json!("a\r\nb")),
        ("incidents", slow(), "title", json!("x".repeat(121))),
        ("incidents", slow(), "message", json!("x".repeat(10_001))),
        ("incidents", slow(), "message", json!("a\u{0}b")),
        ("incidents", slow(), "message", json!("\u{202e}evil")),
        ("incidents", slow(), "state", json!("completed")),
        ("incidents", slow(), "state", json!("Resolved")),
        ("incidents", slow(), "components", json!("storage")),
        ("incidents", slow(), "components", json!([1])),
        (
            "incidents",
            slow(),
            "starts_at",
            json!("2026-06-10T08:00:01Z"),
        ),
        ("incidents", slow(), "starts_at", json!("yesterday")),
        (
            "maintenance",
            planned.clone(),
            "ends_at",
            json!("2026-06-10T09:00:00Z"),
        ),
        (
            "maintenance",
            planned.clone(),
            "starts_at",
            json!("2026-06-10T10:00:00Z"),
        ),
    ] {
        let mut body = good;
        body[field] = bad;
        let answer = admin.send("POST", path, &body).await;
        let named = if field == "starts_at" && path == "maintenance" {
            "ends_at"
        } else {
            field
        };
        let expected = format!(r#"400 "invalid_parameter" "{named}""#);
        assert_eq!(answer.summary(), expected, "{body}");
    }
    let mut past = planned;
    past["starts_at"] = json!("2026-06-10T06:00:00Z");
    past["ends_at"] = json!("2026-06-10T07:00:00Z");
    let answer = admin.schedule(&past).await;
    assert_eq!(answer.summary(), r#"400 "invalid_parameter" "ends_at""#);
    let status = admin.status().await;
    assert_eq!(status["incidents"], json!([]));
    assert_eq!(status["maintenance"], json!([]));
}

#[tokio::test]
async fn text_is_kept_as_it_was_written() {
    let admin = Admin::new().await;
    let message = format!(
        "<b>\"bold\"</b> & <script>alert(1)</script>\r\n{}",
        "é".repeat(9_900)
    );
    let body = json!({"title": "<i>odd</i>", "message": message});
    admin.post(&body).await;
    let incident = &admin.status().await["incidents"][0];
    assert_eq!(incident["title"], "<i>odd</i>");
    let kept = text(&incident["updates"][0]["message"]);
    assert_eq!(kept, message.replace("\r\n", "\n"));
}
