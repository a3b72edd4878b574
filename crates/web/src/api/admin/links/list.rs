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

/// A page of links.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = LinkPage)]
pub(crate) struct LinkPageResponse {
    data: Vec<ListedLinkResponse>,
    /// What goes on after this page, as `cursor`; null at the end.
    #[schema(required)]
    next: Option<String>,
}

/// `GET /api/admin/links`: one-time links that still work, newest first. An extension.
#[utoipa::path(
    get,
    path = "/api/admin/links",
    tag = "Admin",
    operation_id = "listLinks",
    summary = "List one-time links",
    description = "Invitations and links for a new password that still work, newest first. Where they lead \
        is shown only when they are made.",
    params(
        ("cursor" = Option<String>, Query, example = json!(examples::LATER_ID),
            description = "Goes on after an earlier page: what that said as `next`."),
        ("limit" = Option<u32>, Query, minimum = 1, maximum = 1000, example = json!(100),
            description = "How many at most; 100 where it is not said."),
    ),
    responses(
        (status = 200, description = "The links.", body = LinkPageResponse,
            example = json!({"data": [examples::listed_link()], "next": null})),
    ),
)]
pub(crate) async fn list(State(state): State<WebState>, uri: Uri) -> Answer<impl IntoResponse> {
    let mut query = QueryFields::only(&uri, &["cursor", "limit"])?;
    let limit = query.limit()?;
    let cursor = query.take("cursor");
    let before = cursor.map(|cursor| parse_cursor(&cursor)).transpose()?;
    // One more says whether there is another page.
    let mut links = state.control().list_links(before, limit + 1).await?;
    let has_more = links.len() > limit as usize;
    links.truncate(limit as usize);
    let next = links.last().filter(|_| has_more);
    Ok(Json(LinkPageResponse {
        next: next.map(|last| last.id.to_string()),
        data: links.into_iter().map(ListedLinkResponse::from).collect(),
    }))
}

fn parse_cursor(cursor: &str) -> Result<LinkId, Problem> {
    let rule = "must be what an earlier page gave as next";
    LinkId::parse(cursor).ok_or_else(|| Problem::invalid_parameter("cursor", rule))
}
