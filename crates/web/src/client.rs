use std::convert::Infallible;

use axum::extract::FromRequestParts;
use http::{header::USER_AGENT, request::Parts};
use keygate_control::Client;
use keygate_http::ClientAddress;

/// Who sends a request, as far as a session remembers it.
pub(crate) struct Sender {
    address: ClientAddress,
    user_agent: Option<String>,
}

impl Sender {
    pub(crate) fn client(&self) -> Client<'_> {
        Client {
            address: self.address.0,
            user_agent: self.user_agent.as_deref(),
        }
    }
}

impl<S: Sync> FromRequestParts<S> for Sender {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        let user_agent = parts.headers.get(USER_AGENT);
        Ok(Self {
            address: *parts
                .extensions
                .get()
                .expect("the server says who the client is"),
            user_agent: user_agent.map(|name| String::from_utf8_lossy(name.as_bytes()).into()),
        })
    }
}
