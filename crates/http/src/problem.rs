use std::time::Duration;

use http::{
    HeaderValue, Response, StatusCode,
    header::{CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER},
};
use keygate_core::Problem;

/// The answer that tells a client of a problem: the contract's JSON, never to be stored, with
/// `Retry-After` in whole seconds where there is one.
pub fn problem_response<B: From<Vec<u8>>>(problem: &Problem) -> Response<B> {
    let mut response = Response::new(B::from(problem.to_json()));
    *response.status_mut() =
        StatusCode::from_u16(problem.code.status()).expect("the list has valid statuses");
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if let Some(after) = problem.retry_after {
        headers.insert(RETRY_AFTER, retry_after(after));
    }
    response
}

/// The value of `Retry-After`: whole seconds, rounded up, at least one.
pub fn retry_after(after: Duration) -> HeaderValue {
    let seconds = after.as_millis().div_ceil(1_000).max(1);
    HeaderValue::from(u64::try_from(seconds).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use keygate_core::Code;

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
