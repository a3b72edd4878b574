use axum::{Json, extract::State, response::IntoResponse};
use http::Uri;
use keygate_core::{AccountId, Problem};
use keygate_wire::{AccountSummaryResponse, schema};

use crate::{answer::Answer, query::QueryFields, state::WebState};

/// `GET /api/admin/accounts`: up to 100 accounts, oldest first; `?search=` in their addresses, `?after=`
/// pages on. An extension.
#[utoipa::path(
    get,
    path = "/api/admin/accounts",
    tag = "Admin",
    operation_id = "listAccounts",
    summary = "List accounts",
    description = "Up to 100 accounts, oldest first.",
    params(
        ("search" = Option<String>, Query, description = "Only accounts with this in their address.",
            example = json!("ada@")),
        ("after" = Option<String>, Query, format = "uuid", example = json!(schema::ID),
            description = "Goes on after the last page: its last account's id. Only later ones are listed."),
    ),
    responses(
        (status = 200, description = "The accounts.", body = [AccountSummaryResponse]),
    ),
)]
pub(crate) async fn list(State(state): State<WebState>, uri: Uri) -> Answer<impl IntoResponse> {
    let mut query = QueryFields::only(&uri, &["search", "after"])?;
    let after = query.take("after");
    let after = after.map(|id| parse_after(&id)).transpose()?;
    let search = query.take("search").unwrap_or_default();
    let accounts = state.control().list_accounts(&search, after).await?;
    let accounts = accounts.into_iter().map(AccountSummaryResponse::from);
    Ok(Json(accounts.collect::<Vec<_>>()))
}

fn parse_after(id: &str) -> Result<AccountId, Problem> {
    let rule = "must be the id of an account";
    AccountId::parse(id).ok_or_else(|| Problem::invalid_parameter("after", rule))
}
