use axum::{Json, extract::State, response::IntoResponse};
use http::Uri;
use keygate_control::Link;
use keygate_core::{LinkId, Problem, Timestamp};
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    answer::Answer,
    openapi::{examples, types},
    query::QueryFields,
    state::WebState,
};

/// A one-time link that still works; never where it leads.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ListedLink)]
pub struct ListedLinkResponse {
    /// Its id, by which it can be withdrawn.
    #[schema(value_type = String, format = "uuid")]
    id: LinkId,
    #[schema(schema_with = types::link_kind)]
    kind: &'static str,
    /// The address of the account whose password it resets; null for other links.
    #[schema(value_type = Option<String>, format = Email, required)]
    account: Option<String>,
    /// The address of the admin who made it, or `operator`.
    created_by: String,
    /// When it was made.
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    /// The first moment at which it no longer works.
    #[schema(value_type = String, format = DateTime)]
    expires_at: Timestamp,
}

impl From<Link> for ListedLinkResponse {
    fn from(link: Link) -> Self {
        let maker = link.created_by.map(|email| email.to_string());
        Self {
            id: link.id,
            kind: link.kind.as_str(),
            account: link.account.map(|email| email.to_string()),
            created_by: maker.unwrap_or_else(|| "operator".to_owned()),
            created_at: link.created_at,
            expires_at: link.expires_at,
        }
    }
}

/// `GET /api/admin/links`: up to 100 one-time links that still work, newest first; `?before=` pages on. An
/// extension.
#[utoipa::path(
    get,
    path = "/api/admin/links",
    tag = "Admin",
    operation_id = "listLinks",
    summary = "List one-time links",
    description = "Up to 100 invitations and links for a new password that still work, newest first. Where they lead \
        is shown only when they are made.",
    params(
        ("before" = Option<String>, Query, format = "uuid", example = json!(examples::LATER_ID),
            description = "Goes on after the last page: its last link's id. Only earlier ones are listed."),
    ),
    responses(
        (status = 200, description = "The links.", body = [ListedLinkResponse],
            example = json!([examples::listed_link()])),
    ),
)]
pub(crate) async fn list(State(state): State<WebState>, uri: Uri) -> Answer<impl IntoResponse> {
    let mut query = QueryFields::only(&uri, &["before"])?;
    let before = query.take("before");
    let before = before.map(|id| parse_before(&id)).transpose()?;
    let links = state.control().list_links(before).await?;
    let links = links.into_iter().map(ListedLinkResponse::from);
    Ok(Json(links.collect::<Vec<_>>()))
}

fn parse_before(id: &str) -> Result<LinkId, Problem> {
    let rule = "must be the id of a link";
    LinkId::parse(id).ok_or_else(|| Problem::invalid_parameter("before", rule))
}
