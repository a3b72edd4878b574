use std::net::SocketAddr;

use bytes::Bytes;
use http::{Request, header::AUTHORIZATION};
use http_body_util::{BodyExt, Empty};
use hyper_util::{client::legacy::Client, rt::TokioExecutor};

use crate::failure::Failure;

/// `GET /v1/models` with a key, as any client would.
pub(super) async fn list_models(address: SocketAddr, key: &str) -> Result<String, Failure> {
    let failed = |why: String| Failure::new(format!("The demo's first call failed: {why}."));
    let request = Request::get(format!("http://{address}/v1/models"))
        .header(AUTHORIZATION, format!("Bearer {key}"))
        .body(Empty::<Bytes>::new())
        .map_err(|error| failed(error.to_string()))?;
    let client = Client::builder(TokioExecutor::new()).build_http();
    let response = client.request(request).await;
    let response = response.map_err(|error| failed(error.to_string()))?;
    let status = response.status();
    let body = response.into_body().collect().await;
    let body = body.map_err(|error| failed(error.to_string()))?.to_bytes();
    let text = String::from_utf8_lossy(&body).into_owned();
    if status.is_success() {
        Ok(text)
    } else {
        Err(failed(format!("{status} {text}")))
    }
}
