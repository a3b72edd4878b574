use axum::{Json, extract::State, response::IntoResponse};
use keygate_wire::{AccountSummaryResponse, ListAccountsQuery};

use crate::{answer::Answer, query::Query, state::WebState};

/// `GET /api/admin/accounts`: up to 100 accounts, oldest first; `?search=` in their addresses, `?after=`
/// pages on. An extension.
#[utoipa::path(
    get,
    path = "/api/admin/accounts",
    tag = "Admin",
    operation_id = "listAccounts",
    summary = "List accounts",
    description = "Up to 100 accounts, oldest first.",
    params(ListAccountsQuery),
    responses(
        (status = 200, description = "The accounts.", body = [AccountSummaryResponse]),
    ),
)]
pub(crate) async fn list(
    State(state): State<WebState>,
    Query(ListAccountsQuery { search, after }): Query<ListAccountsQuery>,
) -> Answer<impl IntoResponse> {
    let search = search.unwrap_or_default();
    let accounts = state.control().list_accounts(&search, after).await?;
    let accounts = accounts.into_iter().map(AccountSummaryResponse::from);
    Ok(Json(accounts.collect::<Vec<_>>()))
}
