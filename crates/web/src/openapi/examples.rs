//! What the reference shows as answers.

use serde_json::{Value, json};

/// The id of a key, an account or a session.
pub(crate) const ID: &str = "019e8232-6000-72db-b3e5-60859d948f9c";
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
        "id": "019eb08b-9c00-791a-a31c-ec30cc670184",
        "is_current": true,
        "address": "192.0.2.1",
        "user_agent": "curl/8.14.1",
        "created_at": USED_AT,
        "last_seen_at": USED_AT,
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
    json!({"link": link, "expires_at": expires_at})
}
