//! The pages on which admins say what the status page says.

use keygate_core::Role;

use crate::support::{Answer, TestApp, encoded, unescaped};

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

    async fn get(&self, path: &str) -> Answer {
        self.app.get(path).cookie(&self.cookie).send().await
    }

    async fn send(&self, path: &str, fields: &[(&str, &str)]) -> Answer {
        let call = self.app.post(path).cookie(&self.cookie);
        call.form(&encoded(fields)).send().await
    }

    /// Posts an incident; the path of its page.
    async fn post(&self, fields: &[(&str, &str)]) -> String {
        self.post_at("/admin/incidents/new", fields).await
    }

    async fn post_at(&self, path: &str, fields: &[(&str, &str)]) -> String {
        let answer = self.send(path, fields).await;
        assert_eq!(answer.status, 303, "{answer}");
        let to = answer.headers["location"].to_str().expect("ASCII");
        to.trim_end_matches("?done=posted").to_owned()
    }
}

const SLOW: [(&str, &str); 3] = [
    ("title", "Slow answers"),
    ("message", "We look.\r\nMore soon."),
    ("state", "investigating"),
];

#[tokio::test]
async fn an_incident_is_posted_updated_and_corrected() {
    let admin = Admin::new().await;
    let mut fields = SLOW.to_vec();
    fields.extend([("components", "storage"), ("starts_at", "2026-06-10T07:30")]);
    let path = admin.post(&fields).await;
    let posted = admin.app.get(&format!("{path}?done=posted"));
    let led = format!("{}; keygate_notice=posted", admin.cookie);
    let page = posted.cookie(&led).send().await;
    assert!(page.body.contains("Posted on the status page."), "{page}");
    assert!(
        page.body.contains("Storage · since 10 Jun 2026, 07:30 UTC"),
        "{page}"
    );
    assert_eq!(page.value("title"), "Slow answers");
    admin.app.clock.advance_millis(60_000);
    let said = [
        ("do", "update"),
        ("message", "A disk is full."),
        ("state", "identified"),
    ];
    assert_eq!(admin.send(&path, &said).await.status, 303);
    let edit = [
        ("do", "edit"),
        ("title", "Slow"),
        ("components", "data_plane"),
        ("starts_at", "2026-06-10T07:00"),
    ];
    assert_eq!(admin.send(&path, &edit).await.status, 303);
    let page = admin.get(&path).await;
    let update = page.value("update");
    let correct = [
        ("do", "correct"),
        ("update", &*update),
        ("message", "A disk was full."),
    ];
    assert_eq!(admin.send(&path, &correct).await.status, 303);
    let status = admin.app.get("/status").send().await;
    for text in [
        "Slow",
        "Data plane · since 10 Jun 2026, 07:00 UTC",
        "A disk was full.",
    ] {
        assert!(status.body.contains(text), "{text}: {status}");
    }
    assert!(status.body.contains("We look.\nMore soon."), "{status}");
    assert!(!status.body.contains("A disk is full."), "{status}");
    let resolved = [
        ("do", "update"),
        ("message", "Over."),
        ("state", "resolved"),
    ];
    assert_eq!(admin.send(&path, &resolved).await.status, 303);
    let list = admin.get("/admin/incidents").await;
    assert!(list.body.contains(">resolved</span>"), "{list}");
    let audit = admin.get("/admin/audit?action=incident.edit").await;
    assert!(audit.body.contains("A disk was full."), "{audit}");
}

#[tokio::test]
async fn maintenance_is_scheduled_and_moved() {
    let admin = Admin::new().await;
    let fields = [
        ("title", "New disks"),
        ("message", "Ten minutes."),
        ("starts_at", "2026-06-11T02:00"),
        ("ends_at", "2026-06-11T04:00"),
    ];
    let path = admin.post_at("/admin/maintenance/new", &fields).await;
    let moved = [
        ("do", "edit"),
        ("title", "New disks"),
        ("starts_at", "2026-06-12T02:00"),
        ("ends_at", "2026-06-12T04:00"),
    ];
    assert_eq!(admin.send(&path, &moved).await.status, 303);
    let status = admin.app.get("/status").send().await;
    let span = "Everything · 12 Jun 2026, 02:00 UTC to 12 Jun 2026, 04:00 UTC";
    assert!(status.body.contains(span), "{status}");
}

#[tokio::test]
async fn what_is_wrong_stands_beside_its_field_and_nothing_typed_is_lost() {
    let admin = Admin::new().await;
    let markup = "<b>\"odd\"</b>";
    let bad = [
        ("title", ""),
        ("message", markup),
        ("state", "monitoring"),
        ("components", "storage"),
        ("starts_at", "tomorrow"),
    ];
    let page = admin.send("/admin/incidents/new", &bad).await;
    assert_eq!(page.status, 400);
    assert_eq!(page.error("new-title"), "Must not be empty.");
    assert_eq!(
        page.error("new-starts_at"),
        "Must be a date and a time, like 2026-06-10T08:00."
    );
    assert!(
        unescaped(&page.body).contains(&format!("{markup}</textarea>")),
        "{page}"
    );
    assert!(!page.body.contains(markup), "{page}");
    assert_eq!(page.checked(), ["storage"]);
    let around = [
        ("title", "New disks"),
        ("message", "Ten minutes."),
        ("starts_at", "2026-06-11T04:00"),
        ("ends_at", "2026-06-11T02:00"),
    ];
    let page = admin.send("/admin/maintenance/new", &around).await;
    assert_eq!(page.error("new-ends_at"), "Must be after starts_at.");
    let long = "x".repeat(10_001);
    let long = [("title", "a"), ("message", &long)];
    let page = admin.send("/admin/incidents/new", &long).await;
    assert_eq!(
        page.error("new-message"),
        "Must have at most 10,000 characters."
    );
    let huge = "<".repeat(50_000);
    let huge = [("title", "a"), ("message", &huge)];
    let page = admin.send("/admin/incidents/new", &huge).await;
    assert_eq!(page.status, 413);
    assert!(
        page.body.contains("The body may have at most 128 KiB."),
        "{page}"
    );
    assert!(
        admin
            .get("/admin/incidents")
            .await
            .body
            .contains("No incidents yet.")
    );
    let path = admin.post(&SLOW).await;
    let page = admin.send(
        &path,
        &[("do", "update"), ("message", "a"), ("state", "completed")],
    );
    let page = page.await;
    assert!(
        page.error("update-state")
            .starts_with("Must be investigating"),
        "{page}"
    );
    let update = admin.get(&path).await.value("update");
    let page = [("do", "correct"), ("update", &*update), ("message", " ")];
    let page = admin.send(&path, &page).await;
    assert!(page.body.contains("Must not be empty."), "{page}");
    assert_eq!(admin.send("/admin/incidents/x", &SLOW).await.status, 404);
}

#[tokio::test]
async fn a_form_that_is_sent_twice_makes_one_incident() {
    let admin = Admin::new().await;
    let maintenance = [
        ("title", "New disks"),
        ("message", "Ten minutes."),
        ("starts_at", "2026-06-11T09:00"),
        ("ends_at", "2026-06-11T10:00"),
    ];
    for (path, fields) in [
        ("/admin/incidents/new", &SLOW[..]),
        ("/admin/maintenance/new", &maintenance[..]),
    ] {
        let id = admin.get(path).await.value("id");
        let mut fields = fields.to_vec();
        fields.push(("id", &id));
        let first = admin.post_at(path, &fields).await;
        assert_eq!(admin.post_at(path, &fields).await, first);
        admin.app.clock.advance_millis(1);
        let other = admin.get(path).await.value("id");
        fields.pop();
        fields.push(("id", &other));
        assert_ne!(admin.post_at(path, &fields).await, first);
    }
    let status = admin.app.get("/api/status").send().await.json();
    for list in ["incidents", "maintenance"] {
        assert_eq!(status[list].as_array().map(Vec::len), Some(2), "{list}");
    }
}

#[tokio::test]
async fn what_is_corrected_in_a_form_that_was_sent_is_never_lost_in_silence() {
    let admin = Admin::new().await;
    let planned = [
        ("title", "New disks"),
        ("message", "Ten minutes."),
        ("starts_at", "2026-06-11T09:00"),
        ("ends_at", "2026-06-11T10:00"),
    ];
    for (path, fields, (field, corrected)) in [
        ("/admin/incidents/new", &SLOW[..], ("title", "Slower")),
        ("/admin/incidents/new", &SLOW, ("message", "We look again.")),
        ("/admin/incidents/new", &SLOW, ("state", "monitoring")),
        ("/admin/incidents/new", &SLOW, ("components", "storage")),
        (
            "/admin/incidents/new",
            &SLOW,
            ("starts_at", "2026-06-10T07:00"),
        ),
        ("/admin/maintenance/new", &planned, ("message", "An hour.")),
        (
            "/admin/maintenance/new",
            &planned,
            ("ends_at", "2026-06-11T11:00"),
        ),
    ] {
        let id = admin.get(path).await.value("id");
        let mut fields = fields.to_vec();
        fields.push(("id", &id));
        let first = admin.post_at(path, &fields).await;
        let before = admin.get(&first).await.body;
        fields.retain(|(name, _)| *name != field);
        fields.push((field, corrected));
        let page = admin.send(path, &fields).await;
        assert_eq!(page.status, 400, "{field} {page}");
        assert!(
            page.body.contains("This form was sent before"),
            "{field} {page}"
        );
        let typed = unescaped(&page.body);
        assert!(typed.contains(corrected), "{field} {page}");
        assert_eq!(admin.get(&first).await.body, before, "nothing is changed");
        // Whoever means it sends what is shown.
        admin.app.clock.advance_millis(1);
        let next = page.value("id");
        fields.retain(|(name, _)| *name != "id");
        fields.push(("id", &next));
        assert_ne!(admin.post_at(path, &fields).await, first, "{field}");
        admin.app.clock.advance_millis(1);
    }
}

#[tokio::test]
async fn an_update_that_is_sent_again_with_another_state_is_said() {
    let admin = Admin::new().await;
    let path = admin.post(&SLOW).await;
    admin.app.clock.advance_millis(60_000);
    let latest = admin.get(&path).await.value("latest");
    for state in ["monitoring", "resolved"] {
        let fields = [
            ("do", "update"),
            ("latest", &*latest),
            ("message", "It is mended."),
            ("state", state),
        ];
        assert_eq!(admin.send(&path, &fields).await.status, 303);
    }
    let list = admin.get("/admin/incidents").await;
    assert!(list.body.contains(">resolved</span>"), "{list}");
}

#[tokio::test]
async fn what_is_said_twice_by_one_form_is_said_once() {
    let admin = Admin::new().await;
    let path = admin.post(&SLOW).await;
    admin.app.clock.advance_millis(60_000);
    let latest = admin.get(&path).await.value("latest");
    let say = async |latest: &str| {
        let fields = [
            ("do", "update"),
            ("latest", latest),
            ("message", "A disk is full."),
            ("state", "identified"),
        ];
        assert_eq!(admin.send(&path, &fields).await.status, 303);
        let page = admin.get(&path).await;
        page.body.matches(">A disk is full.</p>").count()
    };
    assert_eq!(say(&latest).await, 1);
    assert_eq!(say(&latest).await, 1);
    // Who means it says it again.
    admin.app.clock.advance_millis(1);
    let latest = admin.get(&path).await.value("latest");
    assert_eq!(say(&latest).await, 2);
}
