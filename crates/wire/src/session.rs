use std::net::IpAddr;

use keygate_core::{SessionId, Timestamp};
use serde::Serialize;
use utoipa::ToSchema;

use crate::schema::{LATER_ID, USED_AT};

/// A signed-in browser or script.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Session, example = json!({
    "id": LATER_ID,
    "is_current": true,
    "address": "192.0.2.1",
    "user_agent": "curl/8.14.1",
    "created_at": USED_AT,
    "last_seen_at": USED_AT,
}))]
pub struct SessionResponse {
    /// Unique; it is not the cookie's value.
    #[schema(value_type = String, format = "uuid")]
    pub id: SessionId,
    /// Whether it is the one that asks.
    pub is_current: bool,
    /// The address from which it began.
    #[schema(value_type = Option<String>, required)]
    pub address: Option<IpAddr>,
    /// What the browser or script called itself.
    #[schema(required)]
    pub user_agent: Option<String>,
    /// When it began.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
    /// When it was last used, to the second.
    #[schema(value_type = String, format = DateTime)]
    pub last_seen_at: Timestamp,
}
