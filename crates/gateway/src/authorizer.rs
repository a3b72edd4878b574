use std::{net::IpAddr, sync::Arc};

use bytes::Bytes;
use http::{HeaderValue, Method, Response};
use keygate_core::{Code, Credential, Denial, Problem};
use keygate_http::{Headers, problem_response};
use keygate_verify::{HeldKey, Refusal, Verifier, refusal_response};

use crate::{
    RouteTable,
    path::{AmbiguousPath, Readings, path_of},
    routes::{Asked, is_socket_for_inference},
    websocket::is_websocket,
};

/// Decides about requests, wherever they are: by what the route table asks for and the key gives.
/// The gateway, forward-auth and `ext_authz` all ask this one.
pub struct Authorizer {
    verifier: Arc<Verifier>,
    routes: RouteTable,
}

/// Why a request is refused.
#[derive(Debug)]
pub(crate) enum Refused {
    /// Servers may take it for different requests, and why.
    Ambiguous(&'static str),
    Key(Refusal),
}

impl Authorizer {
    /// Decides by these routes and the keys that the verifier knows.
    pub fn new(verifier: Arc<Verifier>, routes: RouteTable) -> Self {
        Self { verifier, routes }
    }

    /// While the store is away and decisions go by what is in memory: how old that is, in whole seconds.
    pub(crate) fn stale_seconds(&self) -> Option<HeaderValue> {
        let age = self.verifier.stale_age()?;
        Some(age.as_secs().into())
    }

    /// The key that opens the door to this request. `path` is that of the target, which has the
    /// query too. `client` is asked for if the key has to be looked up.
    pub(crate) async fn authorize(
        &self,
        asked: Asked<'_>,
        target: &str,
        path: &Readings<'_>,
        headers: &impl Headers,
        client: impl FnOnce() -> Option<IpAddr>,
    ) -> Result<Credential, Refused> {
        // To some servers it is the same method as in capitals, with which routes are compared.
        if let Asked::Method(method) = asked
            && method
                .as_str()
                .contains(|one: char| one.is_ascii_lowercase())
        {
            return Err(Refused::Ambiguous(AMBIGUOUS_METHOD));
        }
        let scope = self.routes.required_scope(asked, path)?;
        let verified = self.verifier.verify(headers, target, scope, client).await;
        verified.map_err(Refused::Key)
    }

    /// The key of a request that was authorized, for what lasts longer than its answer.
    pub(crate) fn hold(
        &self,
        asked: Asked<'_>,
        target: &str,
        path: &Readings<'_>,
        headers: &impl Headers,
    ) -> Result<HeldKey, Refused> {
        let scope = self.routes.required_scope(asked, path)?;
        let held = self.verifier.hold(headers, target, scope);
        held.map_err(Refused::Key)
    }

    /// The key of a socket that a proxy passes on, if a GET there is its to make, too: an API that opens no socket
    /// answers as to one. Where sockets are for inference a GET gives nothing.
    fn also_get(&self, key: Credential, path: &Readings<'_>) -> Result<Credential, Refused> {
        let get = self
            .routes
            .required_scope(Asked::Method(&Method::GET), path)?;
        if is_socket_for_inference(path) || key.scopes.permits(get) {
            return Ok(key);
        }
        Err(Refused::Key(Denial::InsufficientScope(get).into()))
    }

    /// The same for a request that a proxy asks about, and the answer that it passes on if the door
    /// stays shut: 401, 403, 429 or 503, since others mean to proxies that the check has failed.
    pub(crate) async fn authorize_elsewhere(
        &self,
        method: &Method,
        target: &str,
        headers: &impl Headers,
        client: impl FnOnce() -> Option<IpAddr>,
    ) -> Result<Credential, Response<Bytes>> {
        let verified = match Readings::of(path_of(target)) {
            // Neither is an exchange of a request for an answer.
            Ok(_) if matches!(*method, Method::CONNECT | Method::TRACE) => {
                Err(Refused::Ambiguous(NO_EXCHANGE))
            }
            Ok(path) if *method == Method::GET && is_websocket(headers) => {
                let asked = Asked::WebSocket;
                let verified = self.authorize(asked, target, &path, headers, client).await;
                verified.and_then(|key| self.also_get(key, &path))
            }
            Ok(path) => {
                let asked = Asked::Method(method);
                self.authorize(asked, target, &path, headers, client).await
            }
            Err(ambiguous) => Err(ambiguous.into()),
        };
        verified.map_err(|refused| match refused {
            Refused::Ambiguous(why) => forbidden(why),
            Refused::Key(refusal) => refusal_response(&refusal),
        })
    }
}

pub(crate) const UNTRUSTED: &str = "This address is not a trusted proxy. The operator lists the proxies in server.trusted_proxies.";

pub(crate) const AMBIGUOUS_PATH: &str = "The path can be read in more than one way. Send it without empty or dot segments, backslashes, or needless percent-encoding.";

const NO_EXCHANGE: &str = "CONNECT and TRACE are not for the API.";

const AMBIGUOUS_METHOD: &str =
    "The method can be read in more than one way. Send it in capital letters.";

/// The refusal of a request about which it is not clear what it is.
pub(crate) fn forbidden(message: &'static str) -> Response<Bytes> {
    problem_response(&Problem::new(Code::ForwardAuthRefused, message))
}

impl From<AmbiguousPath> for Refused {
    fn from(AmbiguousPath: AmbiguousPath) -> Self {
        Self::Ambiguous(AMBIGUOUS_PATH)
    }
}
