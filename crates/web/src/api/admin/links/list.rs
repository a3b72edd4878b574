use axum::{Json, extract::State, response::IntoResponse};
use http::Uri;
use keygate_core::{LinkId, Problem};
use keygate_wire::{LinkPageResponse, schema};

use crate::{answer::Answer, query::QueryFields, state::WebState};

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
        ("cursor" = Option<String>, Query, example = json!(schema::LATER_ID),
            description = "Goes on after an earlier page: what that said as `next`."),
        ("limit" = Option<u32>, Query, minimum = 1, maximum = 1000, example = json!(100),
            description = "How many at most; 100 where it is not said."),
    ),
    responses(
        (status = 200, description = "The links.", body = LinkPageResponse),
    ),
)]
pub(crate) async fn list(State(state): State<WebState>, uri: Uri) -> Answer<impl IntoResponse> {
    let mut query = QueryFields::only(&uri, &["cursor", "limit"])?;
    let limit = query.limit()?;
    let cursor = query.take("cursor");
    let before = cursor.map(|cursor| parse_cursor(&cursor)).transpose()?;
    // One more says whether there is another page.
    let links = state.control().list_links(before, limit + 1).await?;
    Ok(Json(LinkPageResponse::new(links, limit)))
}

fn parse_cursor(cursor: &str) -> Result<LinkId, Problem> {
    let rule = "must be what an earlier page gave as next";
    LinkId::parse(cursor).ok_or_else(|| Problem::invalid_parameter("cursor", rule))
}
