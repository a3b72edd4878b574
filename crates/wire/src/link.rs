use keygate_core::{Link, LinkId, LinkKind, OneTimeToken, Timestamp, Token};
use serde::{Deserialize, Deserializer, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::{
    fields::parsed,
    schema::{self, CREATED_AT, ID, LATER_ID, TOKEN},
};

/// Where somebody makes an account, with a set-up link or an invitation.
pub fn signup_link(origin: &str, token: &Token) -> String {
    format!("{origin}/signup?token={}", token.expose())
}

/// Where the owner of an account chooses a new password.
pub fn password_link(origin: &str, token: &Token) -> String {
    format!("{origin}/reset-password?token={}", token.expose())
}

/// A one-time link, to be sent to the person who should use it.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Link, example = json!({
    "id": ID,
    "link": format!("https://keys.example.com/reset-password?token={TOKEN}"),
    "expires_at": "2026-06-02T08:00:00.000Z",
}))]
pub struct LinkResponse {
    /// Its id, by which it can be withdrawn.
    #[schema(value_type = String, format = "uuid")]
    id: LinkId,
    /// The address that it leads to.
    #[schema(format = "uri")]
    pub link: String,
    /// The first moment at which it no longer works.
    #[schema(value_type = String, format = DateTime)]
    pub expires_at: Timestamp,
}

impl LinkResponse {
    /// The link with which somebody makes an account, at `origin`.
    pub fn to_sign_up(origin: &str, made: &OneTimeToken) -> Self {
        Self::new(made, signup_link(origin, &made.token))
    }

    /// The link with which the owner of an account chooses a new password, at `origin`.
    pub fn to_reset_password(origin: &str, made: &OneTimeToken) -> Self {
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

/// A request for an invitation.
#[derive(Default, Deserialize, ToSchema)]
#[schema(as = Invite, example = json!({"email": "grace@example.com"}))]
#[serde(deny_unknown_fields)]
pub struct InviteRequest {
    /// The address of the only account that can be made with it, in any spelling; any, where it is left out.
    #[schema(format = Email, nullable = false)]
    pub email: Option<String>,
}

/// An active one-time link, without the link itself.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ListedLink)]
pub struct ListedLinkResponse {
    /// Its id, by which it can be withdrawn.
    #[schema(value_type = String, format = "uuid")]
    id: LinkId,
    #[schema(schema_with = schema::link_kind)]
    kind: LinkKind,
    /// The address of the account whose password it resets, or of the only one that it makes; null where it makes any.
    #[schema(value_type = Option<String>, format = Email, required)]
    account: Option<String>,
    /// The address of the admin who made it, or `operator`.
    created_by: String,
    /// When it was made.
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    /// The first moment at which it no longer works.
    #[schema(value_type = String, format = DateTime)]
    expires_at: Timestamp,
}

impl From<Link> for ListedLinkResponse {
    fn from(link: Link) -> Self {
        let maker = link.created_by.map(|email| email.to_string());
        Self {
            id: link.id,
            kind: link.kind,
            account: link.account.map(|email| email.to_string()),
            created_by: maker.unwrap_or_else(|| "operator".to_owned()),
            created_at: link.created_at,
            expires_at: link.expires_at,
        }
    }
}

/// Which links to list.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct ListLinksQuery {
    /// The `next` of the previous page.
    #[serde(deserialize_with = "cursor")]
    #[param(value_type = Option<String>, example = json!(LATER_ID))]
    pub cursor: Option<LinkId>,
    /// The page size; 100 by default.
    #[serde(deserialize_with = "limit")]
    #[param(minimum = 1, maximum = 1000, example = json!(100))]
    pub limit: Option<u32>,
}

fn cursor<'de, D: Deserializer<'de>>(reader: D) -> Result<Option<LinkId>, D::Error> {
    let rule = "must be what an earlier page gave as next";
    parsed(reader, LinkId::parse, rule)
}

fn limit<'de, D: Deserializer<'de>>(reader: D) -> Result<Option<u32>, D::Error> {
    let parse = |text: &str| {
        text.parse::<u32>()
            .ok()
            .filter(|limit| (1..=1_000).contains(limit))
    };
    parsed(reader, parse, "must be a number from 1 to 1000")
}

/// A page of links.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = LinkPage, example = json!({
    "data": [{
        "id": ID,
        "kind": "password_reset",
        "account": "ada@example.com",
        "created_by": "admin@example.com",
        "created_at": CREATED_AT,
        "expires_at": "2026-06-02T08:00:00.000Z",
    }],
    "next": null,
}))]
pub struct LinkPageResponse {
    data: Vec<ListedLinkResponse>,
    /// What goes on after this page, as `cursor`; null at the end.
    #[schema(required)]
    next: Option<String>,
}

impl LinkPageResponse {
    /// The first `limit` of these links.
    pub fn new(mut links: Vec<Link>, limit: u32) -> Self {
        let has_more = links.len() > limit as usize;
        links.truncate(limit as usize);
        let next = links.last().filter(|_| has_more);
        Self {
            next: next.map(|last| last.id.to_string()),
            data: links.into_iter().map(ListedLinkResponse::from).collect(),
        }
    }
}
