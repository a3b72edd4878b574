//! What clients are told of exchanges that fail.

use std::{error::Error, fmt::Display, time::Duration};

use http::{HeaderName, HeaderValue, Method, Response};
use keygate_core::{Code, Problem};
use keygate_http::problem_response;

use crate::{connector::ConnectError, progress::Late, upstream::Upstream};

/// How long a client may wait where there are as many requests as there can be.
const OVERLOADED: Duration = Duration::from_secs(1);

pub(crate) fn broken_body() -> Problem {
    Problem::new(Code::InvalidRequest, "The body is incomplete or malformed.")
}

pub(crate) fn stalled_body() -> Problem {
    Problem::new(
        Code::RequestTimeout,
        "The rest of the body did not arrive in time. It is not known whether the service behind this gateway has acted on its beginning.",
    )
}

/// What OpenAI's and Anthropic's clients go by, before anything else, when they decide whether to send a request
/// again by themselves.
const X_SHOULD_RETRY: HeaderName = HeaderName::from_static("x-should-retry");

/// The answer that tells a client of what failed. What the upstream may be about to do all the same is not
/// to be asked for twice.
pub(crate) fn failure_response<B: From<Vec<u8>>>(
    problem: &Problem,
    method: &Method,
) -> Response<B> {
    let mut response = problem_response(problem);
    if problem.code == Code::UpstreamTimeout && !method.is_safe() {
        let never = HeaderValue::from_static("false");
        response.headers_mut().insert(X_SHOULD_RETRY, never);
    }
    response
}

pub(crate) fn unreachable_problem(upstream: &Upstream, error: &dyn Error) -> Problem {
    let message = "The service behind this gateway cannot be reached, or closed the connection. It is not known whether it has acted on the request.";
    unreachable(message, upstream, error)
}

pub(crate) fn connect_problem(upstream: &Upstream, error: &ConnectError) -> Problem {
    if matches!(error, ConnectError::TooMany) {
        return overloaded(error);
    }
    let message = "The service behind this gateway cannot be reached. Nothing was sent to it.";
    unreachable(message, upstream, error)
}

fn unreachable(message: &'static str, upstream: &Upstream, error: &dyn Error) -> Problem {
    Problem::new(Code::UpstreamUnreachable, message)
        .because(format!("{upstream}: {}", causes(error)))
}

pub(crate) fn overloaded(why: impl Display) -> Problem {
    let message = "Too many requests are in progress. Try again later.";
    Problem::new(Code::Overloaded, message)
        .with_retry_after(OVERLOADED)
        .because(why.to_string())
}

fn causes(error: &dyn Error) -> String {
    let (mut causes, mut next) = (error.to_string(), error.source());
    while let Some(error) = next {
        causes.push_str(": ");
        causes.push_str(&error.to_string());
        next = error.source();
    }
    causes
}

/// What is wrong if nothing came in time.
pub(crate) fn late_problem(upstream: &Upstream, late: Late) -> Problem {
    match late {
        Late::Body => stalled_body(),
        Late::Answer => timeout_problem(upstream),
    }
}

pub(crate) fn timeout_problem(upstream: &Upstream) -> Problem {
    let message = "The service behind this gateway did not answer in time.";
    Problem::new(Code::UpstreamTimeout, message).because(upstream.to_string())
}
