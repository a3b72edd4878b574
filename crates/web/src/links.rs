//! Where one-time links lead.

use keygate_control::OneTimeToken;
use keygate_core::{LinkId, Timestamp, Token};
use serde::Serialize;
use utoipa::ToSchema;

/// Where somebody makes an account, with a set-up link or an invitation.
pub fn signup_link(origin: &str, token: &Token) -> String {
    format!("{origin}/signup?token={}", token.expose())
}

/// Where the owner of an account chooses a new password.
pub fn password_link(origin: &str, token: &Token) -> String {
    format!("{origin}/reset-password?token={}", token.expose())
}

/// A one-time link, to be sent to whoever is to use it.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Link)]
pub(crate) struct LinkResponse {
    /// Its id, by which it can be withdrawn.
    #[schema(value_type = String, format = "uuid")]
    pub(crate) id: LinkId,
    /// The address that it leads to.
    #[schema(format = "uri")]
    pub(crate) link: String,
    /// The first moment at which it no longer works.
    #[schema(value_type = String, format = DateTime)]
    pub(crate) expires_at: Timestamp,
}

impl LinkResponse {
    pub(crate) fn to_sign_up(origin: &str, made: &OneTimeToken) -> Self {
        Self::new(made, signup_link(origin, &made.token))
    }

    pub(crate) fn to_reset_password(origin: &str, made: &OneTimeToken) -> Self {
        Self::new(made, password_link(origin, &made.token))
    }

    fn new(made: &OneTimeToken, link: String) -> Self {
        Self {
            id: made.id,
            link,
            expires_at: made.expires_at,
        }
    }
}
