use std::{fmt::Display, sync::Arc, time::Duration};

use http::{
    HeaderValue, Response, StatusCode,
    header::{CACHE_CONTROL, CONNECTION, CONTENT_TYPE, RETRY_AFTER, X_CONTENT_TYPE_OPTIONS},
};
use keygate_core::{Code, Problem};

use crate::error::{ErrorResponse, status_of};

/// The answer that tells a client of a problem: the contract's JSON, never to be stored or taken for anything
/// else, with `Retry-After` in whole seconds where there is one. After a body that stalled the connection is of
/// no use.
pub fn problem_response<B: From<Vec<u8>>>(problem: &Problem) -> Response<B> {
    let mut response = Response::new(B::from(ErrorResponse::from(problem).to_json()));
    *response.status_mut() =
        StatusCode::from_u16(status_of(problem.code)).expect("the list has valid statuses");
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    if let Some(after) = problem.retry_after {
        headers.insert(RETRY_AFTER, retry_after(after));
    }
    if problem.code == Code::RequestTimeout {
        headers.insert(CONNECTION, HeaderValue::from_static("close"));
    }
    if let Some(failure) = ServerFailure::of(problem) {
        response.extensions_mut().insert(failure);
    }
    response
}

/// What failed in keygate or behind it. It goes with the answer as far as to where the request's id is
/// known, so that the log says both in one line.
#[derive(Debug, Clone)]
pub struct ServerFailure {
    /// Which error was answered.
    pub code: Code,
    cause: Option<Arc<str>>,
}

/// The failure that an answer of keygate's own tells of, if it does.
pub fn failure_of<B>(response: &Response<B>) -> Option<&ServerFailure> {
    response.extensions().get()
}

impl ServerFailure {
    /// What goes with the answer that tells of this problem, if that is none of the client's.
    pub fn of(problem: &Problem) -> Option<Self> {
        (status_of(problem.code) >= 500).then(|| Self {
            code: problem.code,
            cause: problem.cause.as_deref().map(Arc::from),
        })
    }

    /// Writes the one line of the log about the request with this id.
    pub fn log(&self, id: &impl Display) {
        let code = self.code.as_str();
        let cause = self.cause.as_deref();
        tracing::warn!(request_id = %id, code, cause, "a request failed");
    }
}

/// The value of `Retry-After`: whole seconds, rounded up, at least one.
pub fn retry_after(after: Duration) -> HeaderValue {
    let seconds = after.as_millis().div_ceil(1_000).max(1);
    HeaderValue::from(u64::try_from(seconds).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retry_after_is_rounded_up_to_whole_seconds() {
        for (millis, seconds) in [(0, "1"), (1, "1"), (1_000, "1"), (1_001, "2")] {
            let problem = Problem::new(Code::Overloaded, "busy")
                .with_retry_after(Duration::from_millis(millis));
            let response: Response<Vec<u8>> = problem_response(&problem);
            assert_eq!(response.status(), 503);
            assert_eq!(response.headers()[RETRY_AFTER], seconds, "{millis} ms");
        }
    }
}
