use axum::{Json, extract::State, response::IntoResponse};
use keygate_control::AuditFilter;
use keygate_wire::{AuditEntryResponse, ListAuditQuery};

use crate::{answer::Answer, query::Query, state::WebState};

/// `GET /api/admin/audit`: up to 100 entries of the record of changes, newest first; `?account=`,
/// `?subject=` and `?action=` filter, `?before=` pages on. An extension.
#[utoipa::path(
    get,
    path = "/api/admin/audit",
    tag = "Admin",
    operation_id = "listAuditEntries",
    summary = "List the record of changes",
    description = "Up to 100 entries, newest first.",
    params(ListAuditQuery),
    responses(
        (status = 200, description = "The entries.", body = [AuditEntryResponse]),
    ),
)]
pub(crate) async fn audit(
    State(state): State<WebState>,
    Query(query): Query<ListAuditQuery>,
) -> Answer<impl IntoResponse> {
    let filter = AuditFilter {
        email: query.account.as_deref(),
        subject_id: query.subject.as_deref(),
        action: query.action,
        before: query.before,
    };
    let entries = state.control().list_audit_entries(filter).await?;
    Ok(Json(AuditEntryResponse::all(entries)))
}
