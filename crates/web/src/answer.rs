use axum::{
    body::Body,
    response::{IntoResponse, Response},
};
use keygate_core::{Code, Problem};
use keygate_http::problem_response;

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

/// What a request gets that comes as the program ends.
pub(crate) fn shutting_down() -> Problem {
    Problem::new(Code::Overloaded, "keygate is shutting down.")
}

pub(crate) fn not_found() -> Problem {
    Problem::new(Code::NotFound, "There is nothing here. Check the path.")
}

pub(crate) fn method_not_allowed() -> Problem {
    let message =
        "This path does not take that method; the Allow header lists those that it takes.";
    Problem::new(Code::MethodNotAllowed, message)
}
