//! One list of the models of several upstreams.

use std::time::Duration;

use bytes::Bytes;
use futures_util::future::join_all;
use http::{HeaderValue, Response, header::CONTENT_TYPE, uri::PathAndQuery};
use keygate_core::{Code, Problem};
use keygate_http::problem_response;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::time::timeout;

use crate::{Upstream, upstreams::OfPath};

/// How long an upstream may take to list its models.
const LIST_PATIENCE: Duration = Duration::from_secs(5);

/// As servers know it that tell cases apart and mind a slash at the end.
fn plain(target: &PathAndQuery, of_path: &OfPath) -> Option<PathAndQuery> {
    let (path, own) = target.path().split_at(of_path.first().path_length());
    let own = own.trim_end_matches('/').to_ascii_lowercase();
    let query = target.query().map(|query| format!("?{query}"));
    let target = format!("{path}{own}{}", query.unwrap_or_default());
    target.parse().ok()
}

/// The models of all upstreams of a path, each that an upstream has requests for. Upstreams that don't list theirs in time
/// are left out.
pub(crate) async fn list(of_path: &OfPath, target: &PathAndQuery) -> Response<Bytes> {
    let target = &plain(target, of_path).unwrap_or_else(|| target.clone());
    let asked = of_path
        .by_model()
        .iter()
        .enumerate()
        .map(async |(place, balancer)| {
            let turn = balancer.choose();
            let listed = list_of(turn.upstream(), target).await;
            listed.map(|page| (place, page))
        });
    let listed: Vec<_> = join_all(asked).await.into_iter().flatten().collect();
    if listed.is_empty() {
        let message = "None of the services behind this gateway has listed its models.";
        return problem_response(&Problem::new(Code::UpstreamUnreachable, message));
    }
    let has_more = listed.iter().any(|(_, page)| page.has_more);
    let data: Vec<Value> = listed
        .into_iter()
        .flat_map(|(place, page)| page.data.into_iter().map(move |model| (place, model)))
        .filter(|(place, model)| {
            let id = model.get("id").and_then(Value::as_str);
            id.is_some() && of_path.place_for(id) == Some(*place)
        })
        .map(|(_, model)| model)
        .collect();
    let list = json!({"object": "list", "data": data, "has_more": has_more});
    let mut response = Response::new(Bytes::from(list.to_string()));
    let content_type = HeaderValue::from_static("application/json");
    response.headers_mut().insert(CONTENT_TYPE, content_type);
    response
}

/// What an upstream lists.
#[derive(Deserialize)]
struct Page {
    data: Vec<Value>,
    #[serde(default)]
    has_more: bool,
}

async fn list_of(upstream: &Upstream, target: &PathAndQuery) -> Option<Page> {
    let fetched = timeout(LIST_PATIENCE, upstream.fetch(target)).await;
    let body = match fetched {
        Ok(Ok(body)) => body,
        Ok(Err(error)) => {
            tracing::warn!(%upstream, %error, "an upstream has not listed its models");
            return None;
        }
        Err(_) => {
            tracing::warn!(%upstream, "an upstream has not listed its models in time");
            return None;
        }
    };
    let list: Option<Page> = serde_json::from_slice(&body).ok();
    if list.is_none() {
        tracing::warn!(%upstream, "an upstream has listed its models in a form that is not known");
    }
    list
}
