use std::convert::Infallible;

use axum::extract::FromRequestParts;
use http::{header::USER_AGENT, request::Parts};
use keygate_control::Client;
use keygate_http::ClientAddress;

use crate::state::WebState;

/// Who sends a request, as far as a session remembers it.
pub(crate) struct Sender {
    address: ClientAddress,
    user_agent: Option<String>,
    browser: Option<String>,
}

impl Sender {
    /// For a call of the API, whose answer sets no cookie but the session's.
    pub(crate) fn client(&self) -> Client<'_> {
        Client {
            keeps_token: false,
            ..self.browser()
        }
    }

    /// For a page.
    pub(crate) fn browser(&self) -> Client<'_> {
        Client {
            keeps_token: true,
            address: self.address.0,
            user_agent: self.user_agent.as_deref(),
            browser: self.browser.as_deref(),
        }
    }
}

impl FromRequestParts<WebState> for Sender {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, state: &WebState) -> Result<Self, Infallible> {
        let user_agent = parts.headers.get(USER_AGENT);
        Ok(Self {
            address: *parts
                .extensions
                .get()
                .expect("the server says who the client is"),
            browser: state
                .browser_cookie()
                .read(&parts.headers)
                .map(str::to_owned),
            user_agent: user_agent.map(|name| String::from_utf8_lossy(name.as_bytes()).into()),
        })
    }
}
