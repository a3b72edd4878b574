//! What the reference shows as answers.

use serde_json::{Value, json};

/// The id of a key, an account, a session or a link.
pub(crate) const ID: &str = "019e8232-6000-72db-b3e5-60859d948f9c";
/// An id that was made after it.
pub(crate) const LATER_ID: &str = "019eb08b-9c00-791a-a31c-ec30cc670184";
const CREATED_AT: &str = "2026-06-01T08:00:00.000Z";
const USED_AT: &str = "2026-06-10T08:00:00.000Z";
const EXPIRES_AT: &str = "2030-01-31T08:00:00.000Z";

pub(crate) fn key() -> Value {
    json!({
        "id": ID,
        "name": "Production",
        "key_prefix": "ask_a1b2",
        "scopes": ["chat", "read"],
        "last_used_at": USED_AT,
        "expires_at": null,
        "is_active": true,
        "created_at": CREATED_AT,
    })
}

pub(crate) fn issued_key() -> Value {
    json!({
        "id": ID,
        "name": "Production",
        "key_prefix": "ask_a1b2",
        "scopes": ["chat", "read"],
        "expires_at": EXPIRES_AT,
        "created_at": CREATED_AT,
        "key": "ask_a1b2C3d4E5f6G7h8J9k0L1m2N30T4WGS",
    })
}

pub(crate) fn usage() -> Value {
    json!({"requests": 1_024, "last_used_at": USED_AT})
}

pub(crate) fn entry() -> Value {
    json!({
        "id": 5,
        "at": CREATED_AT,
        "actor": "ada@example.com",
        "action": "key.issue",
        "account": "ada@example.com",
        "subject_id": ID,
        "detail": {"name": "Production", "scopes": ["chat", "read"], "expires_at": EXPIRES_AT},
    })
}

pub(crate) fn account() -> Value {
    json!({
        "id": "019df252-b5c0-7df2-9c03-41a4dfca3200",
        "email": "ada@example.com",
        "role": "member",
        "created_at": "2026-05-04T09:30:00.000Z",
    })
}

pub(crate) fn account_summary() -> Value {
    json!({
        "id": "019df252-b5c0-7df2-9c03-41a4dfca3200",
        "email": "ada@example.com",
        "role": "member",
        "active_keys": 1,
        "keys": 2,
        "suspended_at": null,
        "created_at": "2026-05-04T09:30:00.000Z",
    })
}

pub(crate) fn session() -> Value {
    json!({
        "id": LATER_ID,
        "is_current": true,
        "address": "192.0.2.1",
        "user_agent": "curl/8.14.1",
        "created_at": USED_AT,
        "last_seen_at": USED_AT,
    })
}

pub(crate) fn incident() -> Value {
    json!({
        "id": ID,
        "kind": "incident",
        "state": "investigating",
        "title": "Slow answers",
        "components": ["data_plane"],
        "starts_at": "2026-06-10T07:30:00.000Z",
        "ends_at": null,
        "updates": [update("investigating", "Answers take several seconds. We are looking for the reason.")],
    })
}

pub(crate) fn maintenance() -> Value {
    json!({
        "id": ID,
        "kind": "maintenance",
        "state": "scheduled",
        "title": "New disks",
        "components": ["management_api", "storage"],
        "starts_at": "2026-07-01T02:00:00.000Z",
        "ends_at": "2026-07-01T04:00:00.000Z",
        "updates": [update("scheduled", "No key can be created or changed for some minutes.")],
    })
}

fn update(state: &str, message: &str) -> Value {
    json!({"id": LATER_ID, "at": USED_AT, "state": state, "message": message})
}

pub(crate) fn status() -> Value {
    let uptime = json!({"percent": 99.98, "known_percent": 100.0, "up": 259_148, "down": 52});
    json!({
        "status": "operational",
        "message": "Everything works.",
        "at": USED_AT,
        "stale_since": null,
        "components": [{
            "id": "data_plane",
            "name": "Data plane",
            "status": "operational",
            "probed_at": USED_AT,
            "response_ms": 2,
            "uptime": {"last_24_hours": uptime, "last_7_days": uptime, "last_90_days": uptime},
            "hours": [{"starts_at": USED_AT, "response_ms": 2}],
            "days": [{"starts_at": "2026-06-10T00:00:00.000Z", "uptime": uptime}],
        }],
        "incidents": [],
        "maintenance": [],
        "past": [],
    })
}

pub(crate) fn listed_link() -> Value {
    json!({
        "id": ID,
        "kind": "password_reset",
        "account": "ada@example.com",
        "created_by": "admin@example.com",
        "created_at": CREATED_AT,
        "expires_at": "2026-06-02T08:00:00.000Z",
    })
}

/// The token of a one-time link.
pub(crate) const TOKEN: &str = "8EKHnDDL0exbFKAhaC96SUeFlG1NRcP6t6bRxHWrghO";

pub(crate) fn sign_up_link() -> Value {
    link("signup", "2026-06-08T08:00:00.000Z")
}

pub(crate) fn password_link() -> Value {
    link("reset-password", "2026-06-02T08:00:00.000Z")
}

fn link(page: &str, expires_at: &str) -> Value {
    let link = format!("https://keys.example.com/{page}?token={TOKEN}");
    json!({"id": ID, "link": link, "expires_at": expires_at})
}
