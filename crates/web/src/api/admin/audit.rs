use axum::{Json, extract::State, response::IntoResponse};
use http::Uri;
use keygate_control::{Action, AuditFilter};
use keygate_core::Problem;
use keygate_wire::{
    AuditEntryResponse,
    schema::{self, ActionName},
};

use crate::{
    answer::Answer,
    api::audit::{all, parse_before},
    query::QueryFields,
    state::WebState,
};

/// `GET /api/admin/audit`: up to 100 entries of the record of changes, newest first; `?account=`,
/// `?subject=` and `?action=` filter, `?before=` pages on. An extension.
#[utoipa::path(
    get,
    path = "/api/admin/audit",
    tag = "Admin",
    operation_id = "listAuditEntries",
    summary = "List the record of changes",
    description = "Up to 100 entries, newest first.",
    params(
        ("account" = Option<String>, Query, format = Email, example = json!("ada@example.com"),
            description = "Only what concerns the account of this address."),
        ("subject" = Option<String>, Query, format = "uuid", example = json!(schema::ID),
            description = "Only what concerns the key, session, link or incident with this id."),
        ("action" = inline(Option<ActionName>), Query, description = "Only this action.", example = json!("key.issue")),
        ("before" = Option<u64>, Query, example = json!(6),
            description = "Goes on after the last page: its last entry's number. Only earlier ones are listed."),
    ),
    responses(
        (status = 200, description = "The entries.", body = [AuditEntryResponse]),
    ),
)]
pub(crate) async fn audit(State(state): State<WebState>, uri: Uri) -> Answer<impl IntoResponse> {
    let mut query = QueryFields::only(&uri, &["account", "subject", "action", "before"])?;
    let (email, subject_id) = (query.take("account"), query.take("subject"));
    let action = query.take("action");
    let filter = AuditFilter {
        email: email.as_deref(),
        subject_id: subject_id.as_deref(),
        action: action.map(|name| parse_action(&name)).transpose()?,
        before: parse_before(&mut query)?,
    };
    let entries = state.control().list_audit_entries(filter).await?;
    Ok(Json(all(entries)))
}

fn parse_action(name: &str) -> Result<Action, Problem> {
    let rule = "must be an action, like key.issue";
    Action::parse(name).ok_or_else(|| Problem::invalid_parameter("action", rule))
}
