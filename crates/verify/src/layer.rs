use std::{
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use bytes::Bytes;
use http::{Request, Response, uri::PathAndQuery};
use keygate_core::Scope;
use keygate_http::{ClientAddress, delay_of, retain_headers};
use tower_layer::Layer;
use tower_service::Service;

use crate::{Refusal, Verifier, is_credential_header, refusal_response};

/// A tower layer that lets requests through whose key has a scope. What is behind it finds the key's
/// [`Credential`](keygate_core::Credential) among the request's extensions, and no header that carries credentials.
///
/// Clients that try many keys are told apart by the [`ClientAddress`] among the request's extensions.
#[derive(Clone)]
pub struct RequireScope {
    verifier: Arc<Verifier>,
    scope: Scope,
}

impl RequireScope {
    /// Asks `verifier` for keys with `scope`.
    pub fn new(verifier: Arc<Verifier>, scope: Scope) -> Self {
        Self { verifier, scope }
    }
}

impl<S> Layer<S> for RequireScope {
    type Service = Guarded<S>;

    fn layer(&self, inner: S) -> Guarded<S> {
        Guarded {
            inner,
            door: self.clone(),
        }
    }
}

/// A service behind [`RequireScope`].
#[derive(Clone)]
pub struct Guarded<S> {
    inner: S,
    door: RequireScope,
}

impl<S, B, R> Service<Request<B>> for Guarded<S>
where
    S: Service<Request<B>, Response = Response<R>, Future: Send> + Clone + Send + 'static,
    B: Send + 'static,
    R: From<Bytes>,
{
    type Response = Response<R>;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Response<R>, S::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        // The one that said that it is ready is the one to be called.
        let next = self.inner.clone();
        let mut inner = std::mem::replace(&mut self.inner, next);
        let RequireScope { verifier, scope } = self.door.clone();
        Box::pin(async move {
            let target = request
                .uri()
                .path_and_query()
                .map_or("", PathAndQuery::as_str);
            let client = request.extensions().get().copied();
            let client = || client.map(|ClientAddress(address)| address);
            let verified = verifier.verify(request.headers(), target, scope, client);
            match verified.await {
                Ok(key) => {
                    retain_headers(request.headers_mut(), |name| !is_credential_header(name));
                    request.extensions_mut().insert(key);
                    inner.call(request).await
                }
                Err(refusal) => {
                    if let Refusal::Unavailable(error) = &refusal {
                        tracing::error!(%error, "a key could not be looked up");
                    }
                    let response = refusal_response::<Bytes>(&refusal);
                    if let Some(delay) = delay_of(&response) {
                        tokio::time::sleep(delay).await;
                    }
                    Ok(response.map(R::from))
                }
            }
        })
    }
}
