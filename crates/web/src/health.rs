use std::time::Duration;

use axum::{Json, extract::State};
use keygate_core::Problem;
use keygate_wire::{ConcernResponse, HealthResponse, ReadinessResponse};
use utoipa::OpenApi;

use crate::{
    answer::{Answer, shutting_down},
    state::WebState,
};

#[derive(OpenApi)]
#[openapi(paths(healthz, readyz, checks))]
pub(crate) struct Reference;

/// Alive: the process answers.
#[utoipa::path(
    get,
    path = "/healthz",
    tag = "Probes",
    operation_id = "isAlive",
    summary = "Check whether the process is alive",
    responses(
        (status = 200, description = "It answers.", body = HealthResponse),
    ),
)]
pub(crate) async fn healthz() -> Json<HealthResponse> {
    Json(HealthResponse { status: "alive" })
}

/// Ready: it takes work, and its store takes changes, or keys are decided about without it.
#[utoipa::path(
    get,
    path = "/readyz",
    tag = "Probes",
    operation_id = "isReady",
    summary = "Check whether it is ready",
    description = "Its database accepts changes, or keys are checked without it. `concerns` is present if \
        there is something that the operator has to know.",
    responses(
        (status = 200, description = "It does.", body = ReadinessResponse),
        (status = 503, description = "- `overloaded`: keygate is shutting down\n\
            - `storage_unavailable`: the database is unavailable, or accepts no change"),
    ),
)]
pub(crate) async fn readyz(State(state): State<WebState>) -> Answer<Json<ReadinessResponse>> {
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
    summary = "Check whether it can check keys",
    description = "What a load balancer asks: keys are checked also while no change can be made, which `/readyz` \
        answers with 503.",
    responses(
        (status = 200, description = "It can.", body = ReadinessResponse),
        (status = 503, description = "- `overloaded`: keygate is shutting down\n\
            - `storage_unavailable`: the database does not answer"),
    ),
)]
pub(crate) async fn checks(State(state): State<WebState>) -> Answer<Json<ReadinessResponse>> {
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

fn readiness(state: &WebState, stale_age: Option<Duration>) -> Json<ReadinessResponse> {
    let concerns = state.control().concerns().into_iter();
    let reported = concerns.map(|concern| ConcernResponse {
        code: concern.code,
        message: concern.message,
    });
    Json(ReadinessResponse {
        status: "ready",
        storage: stale_age.map(|_| "away"),
        stale_seconds: stale_age.map(|age| age.as_secs()),
        concerns: reported.collect(),
    })
}
