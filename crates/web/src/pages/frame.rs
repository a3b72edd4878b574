use std::sync::Arc;

use axum::extract::Request;
use http::HeaderMap;
use keygate_control::SignedInSession;
use keygate_core::{EmailAddress, Role};

use crate::{brand::Brand, state::WebState};

/// What stands around every page.
#[derive(Clone, PartialEq)]
pub(crate) struct Frame {
    /// Who is signed in.
    pub(crate) viewer: Option<Viewer>,
    pub(crate) brand: Arc<Brand>,
    /// The part of the dashboard that the page belongs to.
    pub(crate) section: &'static str,
}

/// Who looks at a page.
#[derive(Clone, PartialEq)]
pub(crate) struct Viewer {
    pub(crate) email: EmailAddress,
    role: Role,
}

impl Frame {
    /// For a page of whoever is signed in.
    pub(crate) fn of(state: &WebState, signed_in: &SignedInSession, section: &'static str) -> Self {
        Self {
            brand: state.brand().clone(),
            viewer: Some(Viewer {
                email: signed_in.account.email.clone(),
                role: signed_in.account.role,
            }),
            section,
        }
    }

    /// For a page of whoever a request comes from.
    pub(crate) fn of_request(state: &WebState, request: &Request, section: &'static str) -> Self {
        let signed_in: Option<&SignedInSession> = request.extensions().get();
        signed_in.map_or_else(
            || Self::signed_out(state, section),
            |signed_in| Self::of(state, signed_in, section),
        )
    }

    /// For a page before anybody is signed in.
    pub(crate) fn signed_out(state: &WebState, section: &'static str) -> Self {
        Self {
            brand: state.brand().clone(),
            viewer: None,
            section,
        }
    }

    /// For a page that anybody may see, who may be signed in.
    pub(crate) async fn public(
        state: &WebState,
        headers: &HeaderMap,
        section: &'static str,
    ) -> Self {
        let token = state.cookie().read(headers);
        match state.control().authenticate(token).await {
            Ok(signed_in) => Self::of(state, &signed_in, section),
            Err(_) => Self::signed_out(state, section),
        }
    }

    pub(crate) fn is_admin(&self) -> bool {
        let viewer = self.viewer.as_ref();
        viewer.is_some_and(|viewer| viewer.role == Role::Admin)
    }
}
