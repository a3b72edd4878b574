use axum::{Json, extract::State};
use keygate_core::{Code, Problem};
use serde_json::{Value, json};

use crate::{answer::Answer, state::WebState};

/// Alive: the process answers.
pub(crate) async fn healthz() -> Json<Value> {
    Json(json!({"status": "alive"}))
}

/// Ready: it takes work, and its store answers, or keys are decided about without it.
pub(crate) async fn readyz(State(state): State<WebState>) -> Answer<Json<Value>> {
    if state.is_draining() {
        return Err(Problem::new(Code::Overloaded, "keygate is shutting down.").into());
    }
    let stale_age = state.control().check_store().await?;
    Ok(Json(match stale_age {
        None => json!({"status": "ready"}),
        Some(age) => json!({"status": "ready", "storage": "away", "stale_seconds": age.as_secs()}),
    }))
}
