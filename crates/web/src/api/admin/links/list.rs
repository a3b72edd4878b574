use axum::{Json, extract::State, response::IntoResponse};
use keygate_control::PAGE;
use keygate_wire::{LinkPageResponse, ListLinksQuery};

use crate::{answer::Answer, query::Query, state::WebState};

/// `GET /api/admin/links`: one-time links that still work, newest first. An extension.
#[utoipa::path(
    get,
    path = "/api/admin/links",
    tag = "Admin",
    operation_id = "listLinks",
    summary = "List one-time links",
    description = "Active invitations and password reset links, newest first. The link itself is shown only \
        once, when it is created.",
    params(ListLinksQuery),
    responses(
        (status = 200, description = "The links.", body = LinkPageResponse),
    ),
)]
pub(crate) async fn list(
    State(state): State<WebState>,
    Query(ListLinksQuery { cursor, limit }): Query<ListLinksQuery>,
) -> Answer<impl IntoResponse> {
    let limit = limit.unwrap_or(PAGE);
    // One more says whether there is another page.
    let links = state.control().list_links(cursor, limit + 1).await?;
    Ok(Json(LinkPageResponse::new(links, limit)))
}
