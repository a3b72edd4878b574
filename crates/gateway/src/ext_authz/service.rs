//! The one method of `envoy.service.auth.v3.Authorization`, as a service of tonic's.

use std::{
    convert::Infallible,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use tokio::time::timeout;
use tonic::{
    Request, Response, Status,
    body::Body,
    server::{Grpc, NamedService, UnaryService},
};
use tonic_prost::ProstCodec;
use tower_service::Service;

use super::{
    CHECK, ExtAuthz,
    messages::{CheckRequest, CheckResponse},
};

/// How long a question may take to come and to be answered.
const QUESTION_TIMEOUT: Duration = Duration::from_secs(10);

type Answering<T, E> = Pin<Box<dyn Future<Output = Result<T, E>> + Send>>;

/// Answers Envoy's questions with an [`ExtAuthz`].
#[derive(Clone)]
pub struct Authorization(pub Arc<ExtAuthz>);

impl NamedService for Authorization {
    const NAME: &'static str = "envoy.service.auth.v3.Authorization";
}

impl Service<http::Request<Body>> for Authorization {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = Answering<Self::Response, Infallible>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        let this = self.clone();
        Box::pin(async move {
            if request.uri().path() != CHECK {
                return Ok(Status::unimplemented("there is only Check").into_http());
            }
            let codec = ProstCodec::<CheckResponse, CheckRequest>::default();
            let mut grpc = Grpc::new(codec);
            let answered = timeout(QUESTION_TIMEOUT, grpc.unary(this, request)).await;
            Ok(answered.unwrap_or_else(|_| late().into_http()))
        })
    }
}

fn late() -> Status {
    Status::deadline_exceeded(
        "The question did not come whole, or was not answered, in 10 seconds.",
    )
}

impl UnaryService<CheckRequest> for Authorization {
    type Response = CheckResponse;
    type Future = Answering<Response<CheckResponse>, Status>;

    fn call(&mut self, request: Request<CheckRequest>) -> Self::Future {
        let decider = self.0.clone();
        Box::pin(async move { decider.check(request).await })
    }
}
