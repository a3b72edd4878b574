use serde::Serialize;
use utoipa::ToSchema;

/// The process is alive.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Health, example = json!({"status": "alive"}))]
pub struct HealthResponse {
    /// `alive`.
    pub status: &'static str,
}

/// It is ready.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Readiness, example = json!({"status": "ready"}))]
pub struct ReadinessResponse {
    /// `ready`.
    pub status: &'static str,
    /// `away` where keys are decided about without the database.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub storage: Option<&'static str>,
    /// How old that is, in seconds, by which they are.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub stale_seconds: Option<u64>,
    /// What an operator has to know, though it takes work.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false)]
    pub concerns: Vec<ConcernResponse>,
}

/// A problem that the operator has to know.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ReportedConcern)]
pub struct ConcernResponse {
    /// Names its kind, like `clock_skew`.
    pub code: &'static str,
    /// What happened, what it means, and what to do.
    pub message: String,
}
