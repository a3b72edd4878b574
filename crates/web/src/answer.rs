use axum::{
    Json,
    body::Body,
    response::{IntoResponse, Response},
};
use keygate_core::{Code, Problem};
use keygate_http::problem_response;
use serde_json::json;

/// What a handler answers: something, or the contract's error.
pub(crate) type Answer<T> = Result<T, ApiError>;

/// A [`Problem`] as a response.
#[derive(Debug)]
pub(crate) struct ApiError(Problem);

impl From<Problem> for ApiError {
    fn from(problem: Problem) -> Self {
        Self(problem)
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        problem_response::<Body>(&self.0)
    }
}

/// `{"success":true}`
pub(crate) fn success() -> impl IntoResponse {
    Json(json!({"success": true}))
}

pub(crate) async fn not_found() -> ApiError {
    let message = "There is nothing here. Check the path.";
    Problem::new(Code::NotFound, message).into()
}

pub(crate) async fn method_not_allowed() -> ApiError {
    let message =
        "This path does not take that method; the Allow header lists those that it takes.";
    Problem::new(Code::MethodNotAllowed, message).into()
}
