use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use http::{HeaderMap, Request, Response, Version, uri::PathAndQuery};
use hyper::body::Incoming;
use keygate_core::{Code, Problem};
use keygate_traces::RequestSpan;
use tokio::time::{Instant, sleep_until};

use crate::{
    body::RequestBody, framing::check_answer, gateway::Passage, headers, identity,
    upstream::Upstream,
};

/// When a piece of the request last went to the upstream.
pub(crate) struct Progress {
    began: Instant,
    last_millis: AtomicU64,
    client_failed: AtomicBool,
}

impl Progress {
    fn begin() -> Arc<Self> {
        Arc::new(Self {
            began: Instant::now(),
            last_millis: AtomicU64::new(0),
            client_failed: AtomicBool::new(false),
        })
    }

    pub(crate) fn note(&self) {
        let millis = u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.last_millis.store(millis, Ordering::Relaxed);
    }

    /// The client broke off, or sent what is no HTTP.
    pub(crate) fn note_client_failure(&self) {
        self.client_failed.store(true, Ordering::Relaxed);
    }

    fn last(&self) -> Instant {
        self.began + Duration::from_millis(self.last_millis.load(Ordering::Relaxed))
    }
}

/// Sends a request to its upstream and gives the answer as soon as its head is there.
///
/// The response timeout runs from the last piece of the request that the upstream took, so that a
/// long upload is not cut off. A request that may have been sent is never sent again. Whoever
/// drops the future, or the body of the answer, ends the request at the upstream too.
pub(crate) async fn forward(
    request: Request<Incoming>,
    target: &PathAndQuery,
    passage: &Passage<'_>,
    span: Option<&RequestSpan>,
) -> Result<Response<Incoming>, Problem> {
    let upstream = passage.upstream;
    let progress = Progress::begin();
    let mut request = prepare(request, target, passage, progress.clone())?;
    if let Some(span) = span {
        let mut told = HeaderMap::new();
        upstream.begin_span(span, identity::into(&mut told));
        headers::of_trace(request.headers_mut(), told);
    }
    let answered = ask(request, upstream, &progress).await;
    if let Some(span) = span {
        match &answered {
            Ok(answer) => span.note_upstream_status(answer.status()),
            Err(problem) => span.note_upstream_failure(problem.code.as_str()),
        }
    }
    answered
}

async fn ask(
    request: Request<RequestBody>,
    upstream: &Upstream,
    progress: &Progress,
) -> Result<Response<Incoming>, Problem> {
    let mut answer = std::pin::pin!(upstream.client.request(request));
    loop {
        let deadline = progress.last() + upstream.silence_timeout();
        tokio::select! {
            biased;
            response = &mut answer => {
                let mut response = response.map_err(|error| {
                    if progress.client_failed.load(Ordering::Relaxed) {
                        broken_body()
                    } else {
                        unreachable_problem(upstream, &error)
                    }
                })?;
                check_answer(response.status(), response.headers())
                    .map_err(|malformed| unreachable_problem(upstream, &malformed))?;
                headers::for_client(response.headers_mut());
                *response.version_mut() = Version::HTTP_11;
                return Ok(response);
            }
            () = sleep_until(deadline) => {
                if progress.last() + upstream.silence_timeout() <= Instant::now() {
                    return Err(timeout_problem(upstream));
                }
            }
        }
    }
}

fn prepare(
    request: Request<Incoming>,
    target: &PathAndQuery,
    passage: &Passage<'_>,
    progress: Arc<Progress>,
) -> Result<Request<RequestBody>, Problem> {
    let (mut parts, client) = request.into_parts();
    let upstream = passage.upstream;
    parts.uri = upstream.uri(target).map_err(|_| {
        Problem::new(
            Code::InvalidRequest,
            "The path is too long for the upstream.",
        )
    })?;
    parts.version = Version::HTTP_11;
    let authorization = upstream.authorization.as_ref();
    headers::for_upstream(
        &mut parts.headers,
        passage.peer,
        &passage.key,
        authorization,
    );
    // What the server noted about the client's connection means nothing to the upstream's.
    parts.extensions.clear();
    Ok(Request::from_parts(parts, RequestBody { client, progress }))
}

fn broken_body() -> Problem {
    Problem::new(Code::InvalidRequest, "The body broke off or is malformed.")
}

pub(crate) fn unreachable_problem(upstream: &Upstream, error: &dyn std::error::Error) -> Problem {
    let chain = std::iter::successors(Some(error), |error| error.source());
    let chain: Vec<String> = chain.map(ToString::to_string).collect();
    let message = "The service behind this gateway cannot be reached, or broke off. It is not known whether it has acted on the request.";
    Problem::new(Code::UpstreamUnreachable, message)
        .because(format!("{upstream}: {}", chain.join(": ")))
}

pub(crate) fn timeout_problem(upstream: &Upstream) -> Problem {
    let message = "The service behind this gateway did not answer in time.";
    Problem::new(Code::UpstreamTimeout, message).because(upstream.to_string())
}
