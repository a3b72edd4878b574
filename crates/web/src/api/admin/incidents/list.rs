use axum::{Json, extract::State, response::IntoResponse};
use http::Uri;
use keygate_core::{IncidentId, Problem};
use keygate_wire::{IncidentResponse, schema};

use crate::{answer::Answer, query::QueryFields, state::WebState};

/// `GET /api/admin/incidents`: up to 100 incidents, newest first; `?before=` pages on. An extension.
#[utoipa::path(
    get,
    path = "/api/admin/incidents",
    tag = "Status",
    operation_id = "listIncidents",
    summary = "List incidents",
    description = "Up to 100 incidents and maintenance, newest first.",
    params(
        ("before" = Option<String>, Query, format = "uuid", example = json!(schema::LATER_ID),
            description = "Goes on after the last page: its last incident's id. Only earlier ones are listed."),
    ),
    responses(
        (status = 200, description = "The incidents.", body = [IncidentResponse]),
    ),
)]
pub(crate) async fn list(State(state): State<WebState>, uri: Uri) -> Answer<impl IntoResponse> {
    let mut query = QueryFields::only(&uri, &["before"])?;
    let before = query.take("before");
    let before = before.map(|id| parse_before(&id)).transpose()?;
    let control = state.control();
    let incidents = control.list_incidents(before).await?;
    Ok(Json(IncidentResponse::all(incidents, control.now())))
}

fn parse_before(id: &str) -> Result<IncidentId, Problem> {
    let rule = "must be the id of an incident";
    IncidentId::parse(id).ok_or_else(|| Problem::invalid_parameter("before", rule))
}
