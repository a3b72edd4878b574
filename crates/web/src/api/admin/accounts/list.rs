use axum::{Json, extract::State, response::IntoResponse};
use http::Uri;
use keygate_control::AccountSummary;
use keygate_core::{AccountId, EmailAddress, Problem, Role, Timestamp};
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    answer::Answer,
    openapi::{examples, types},
    query::QueryFields,
    state::WebState,
};

/// An account, to an admin.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = AccountSummary)]
struct AccountSummaryResponse {
    /// Unique.
    #[schema(value_type = String, format = "uuid")]
    id: AccountId,
    /// The address of its owner, in its canonical spelling.
    #[schema(value_type = String, format = Email)]
    email: EmailAddress,
    #[schema(schema_with = types::role)]
    role: Role,
    /// How many of its keys are active.
    active_keys: u64,
    /// How many keys it has.
    keys: u64,
    /// Since when it is suspended; null where it is in good standing.
    #[schema(value_type = Option<String>, format = DateTime, required)]
    suspended_at: Option<Timestamp>,
    /// When it was made.
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
}

impl From<AccountSummary> for AccountSummaryResponse {
    fn from(summary: AccountSummary) -> Self {
        let account = summary.account;
        Self {
            id: account.id,
            email: account.email,
            role: account.role,
            active_keys: summary.active_keys,
            keys: summary.keys,
            suspended_at: account.suspended_at,
            created_at: account.created_at,
        }
    }
}

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
        ("after" = Option<String>, Query, format = "uuid", example = json!(examples::ID),
            description = "Goes on after the last page: its last account's id. Only later ones are listed."),
    ),
    responses(
        (status = 200, description = "The accounts.", body = [AccountSummaryResponse],
            example = json!([examples::account_summary()])),
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
