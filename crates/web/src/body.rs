//! The body of a write, read as the type of its request.

use std::time::Duration;

use axum::extract::{FromRequest, Request};
use http_body::Body as _;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use keygate_control::SignedInSession;
use keygate_core::{Code, Problem};
use keygate_wire::{Fields, NoRequest};
use serde::de::DeserializeOwned;

use crate::answer::{ApiError, shutting_down};

/// The longest body that is taken from whoever is signed in, and from anybody else, in KiB.
const MAX_KIB: usize = 128;
const MAX_KIB_OF_STRANGER: usize = 16;
/// A body of more bytes is taken apart away from the async threads.
const SHORT: usize = 16 * 1024;
/// How long a body may take to arrive.
pub(crate) const BODY_TIMEOUT: Duration = Duration::from_secs(10);

/// A request that stands in the body.
pub(crate) struct JsonBody<T>(pub(crate) T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for JsonBody<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, _: &S) -> Result<Self, ApiError> {
        let fields = fields(read_body(request).await?).await?;
        Ok(Self(fields.read()?))
    }
}

/// The fields of a body that is there.
async fn fields(bytes: Vec<u8>) -> Result<Fields, Problem> {
    if bytes.len() <= SHORT {
        return Fields::from_json(&bytes);
    }
    let parsed = tokio::task::spawn_blocking(move || Fields::from_json(&bytes)).await;
    parsed.map_err(|_| shutting_down())?
}

/// The body of a call that has no fields: there is none, or an object without any.
pub(crate) struct NoFields;

impl<S: Send + Sync> FromRequest<S> for NoFields {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Self, ApiError> {
        let OptionalBody(NoRequest {}) = OptionalBody::from_request(request, state).await?;
        Ok(Self)
    }
}

/// A request whose fields may all be left out, and the body with them.
pub(crate) struct OptionalBody<T>(pub(crate) T);

impl<S: Send + Sync, T: DeserializeOwned + Default> FromRequest<S> for OptionalBody<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, _: &S) -> Result<Self, ApiError> {
        let bytes = read_body(request).await?;
        if bytes.is_empty() {
            return Ok(Self(T::default()));
        }
        Ok(Self(fields(bytes).await?.read()?))
    }
}

/// The whole body. Who has not signed in may send less.
pub(crate) async fn read_body(request: Request) -> Result<Vec<u8>, Problem> {
    let signed_in: Option<&SignedInSession> = request.extensions().get();
    let max_kib = signed_in.map_or(MAX_KIB_OF_STRANGER, |_| MAX_KIB);
    let body = request.into_body();
    if body.size_hint().lower() > max_kib as u64 * 1024 {
        return Err(body_too_large(max_kib));
    }
    let body = Limited::new(body, max_kib * 1024).collect();
    match tokio::time::timeout(BODY_TIMEOUT, body).await {
        Ok(Ok(body)) => Ok(body.to_bytes().into()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(body_too_large(max_kib)),
        Ok(Err(_)) => Err(Problem::new(
            Code::InvalidRequest,
            "The body is incomplete.",
        )),
        Err(_) => Err(Problem::new(
            Code::RequestTimeout,
            "The body did not arrive within 10 seconds.",
        )),
    }
}

fn body_too_large(max_kib: usize) -> Problem {
    let message = format!("The body may have at most {max_kib} KiB.");
    Problem::new(Code::BodyTooLarge, message)
}
