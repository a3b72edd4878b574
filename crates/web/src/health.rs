use std::time::Duration;

use axum::{Json, extract::State};
use keygate_control::Concern;
use keygate_core::Problem;
use serde::Serialize;
use utoipa::{OpenApi, ToSchema};

use crate::{
    answer::{Answer, shutting_down},
    state::WebState,
};

#[derive(OpenApi)]
#[openapi(paths(healthz, readyz, checks))]
pub(crate) struct Reference;

/// That the process is alive.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Health {
    /// `alive`.
    status: &'static str,
}

/// That it takes work.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Readiness {
    /// `ready`.
    status: &'static str,
    /// `away` where keys are decided about without the database.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    storage: Option<&'static str>,
    /// How old that is, in seconds, by which they are.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    stale_seconds: Option<u64>,
    /// What an operator has to know, though it takes work.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false)]
    concerns: Vec<ReportedConcern>,
}

/// Something that an operator has to know.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ReportedConcern {
    /// Names its kind, like `clock_skew`.
    code: &'static str,
    /// What happened, what it means, and what to do.
    message: String,
}

impl From<Concern> for ReportedConcern {
    fn from(concern: Concern) -> Self {
        Self {
            code: concern.code,
            message: concern.message,
        }
    }
}

/// Alive: the process answers.
#[utoipa::path(
    get,
    path = "/healthz",
    tag = "Probes",
    operation_id = "isAlive",
    summary = "Ask whether the process is alive",
    responses(
        (status = 200, description = "It answers.", body = Health, example = json!({"status": "alive"})),
    ),
)]
pub(crate) async fn healthz() -> Json<Health> {
    Json(Health { status: "alive" })
}

/// Ready: it takes work, and its store takes changes, or keys are decided about without it.
#[utoipa::path(
    get,
    path = "/readyz",
    tag = "Probes",
    operation_id = "isReady",
    summary = "Ask whether it takes work",
    description = "Its database takes changes, or keys are decided about without it. `concerns` is there if an \
        operator has to know something nevertheless.",
    responses(
        (status = 200, description = "It does.", body = Readiness, example = json!({"status": "ready"})),
        (status = 503, description = "- `overloaded`: keygate is shutting down\n\
            - `storage_unavailable`: the database does not answer, or takes no change"),
    ),
)]
pub(crate) async fn readyz(State(state): State<WebState>) -> Answer<Json<Readiness>> {
    refuse_if_draining(&state)?;
    let stale_age = state.control().check_store().await?;
    Ok(readiness(&state, stale_age))
}

/// Ready to check keys, whether or not its store takes changes.
#[utoipa::path(
    get,
    path = "/readyz/checks",
    tag = "Probes",
    operation_id = "isReadyForChecks",
    summary = "Ask whether it can check keys",
    description = "What a load balancer asks: keys are checked also while no change can be made, which `/readyz` \
        answers with 503.",
    responses(
        (status = 200, description = "It can.", body = Readiness, example = json!({"status": "ready"})),
        (status = 503, description = "- `overloaded`: keygate is shutting down\n\
            - `storage_unavailable`: the database does not answer"),
    ),
)]
pub(crate) async fn checks(State(state): State<WebState>) -> Answer<Json<Readiness>> {
    refuse_if_draining(&state)?;
    let stale_age = state.control().check_lookups().await?;
    Ok(readiness(&state, stale_age))
}

fn refuse_if_draining(state: &WebState) -> Result<(), Problem> {
    if !state.is_draining() {
        return Ok(());
    }
    Err(shutting_down().with_retry_after(Duration::from_secs(1)))
}

fn readiness(state: &WebState, stale_age: Option<Duration>) -> Json<Readiness> {
    let concerns = state.control().concerns();
    Json(Readiness {
        status: "ready",
        storage: stale_age.map(|_| "away"),
        stale_seconds: stale_age.map(|age| age.as_secs()),
        concerns: concerns.into_iter().map(Into::into).collect(),
    })
}
