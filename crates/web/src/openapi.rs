//! The reference of the management API, an OpenAPI 3.1 document, made from the handlers.
//!
//! A handler says what is its own; what holds for many calls is added here, so that it cannot be
//! forgotten: what the guards before a handler answer, and what is an extension to the API that
//! keygate was built after.

mod errors;
pub(crate) mod examples;
mod extensions;
mod guards;

pub(crate) use errors::{PasswordLimits, list};

use std::sync::LazyLock;

use axum::{Extension, response::IntoResponse};
use http::{Method, header::CONTENT_TYPE};
use serde_json::Value;
use utoipa::{
    OpenApi as _,
    openapi::{
        OpenApi, RefOr, Schema,
        path::Operation,
        security::{ApiKey, ApiKeyValue, SecurityScheme},
    },
};

use crate::{api, health, route::Route};

/// The name of the one security scheme.
const SESSION: &str = "session";

#[derive(utoipa::OpenApi)]
#[openapi(
    info(
        title = "keygate",
        description = "The management API: keys, accounts, sessions. It takes a session cookie, never an API key; \
            `POST /api/session` gives one. Bodies are JSON objects of at most 128 KiB, or 16 KiB \
            without a session, without unknown or duplicate fields. Every answer has an `X-Request-ID`. Times are UTC with three decimals."
    ),
    servers((url = "/")),
    tags(
        (name = "Keys", description = "The API keys of the account that is signed in."),
        (name = "Account", description = "Making an account, and its password."),
        (name = "Sessions", description = "Signing in and out."),
        (name = "Admin", description = "What admins do for all accounts."),
        (name = "Status", description = "The status of the service, and its incidents."),
        (name = "Probes", description = "For load balancers and monitoring."),
    ),
    components(schemas(keygate_http::ErrorResponse)),
)]
struct Base;

/// The whole document.
pub(crate) struct Document {
    document: OpenApi,
    json: String,
}

/// It is put together when somebody asks for it.
pub(crate) type LazyDocument = &'static LazyLock<Document>;

impl Document {
    /// Says of these routes what there is to say.
    pub(crate) fn of(routes: &[Route]) -> Self {
        let document = assemble(routes);
        let json = document.to_pretty_json();
        let json = json.expect("the document serialises") + "\n";
        Self { document, json }
    }

    pub(crate) fn json(&self) -> &str {
        &self.json
    }

    pub(crate) fn value(&self) -> Value {
        serde_json::to_value(&self.document).expect("the document serialises")
    }
}

fn assemble(routes: &[Route]) -> OpenApi {
    let parts = [
        api::keys::Reference::openapi(),
        api::accounts::Reference::openapi(),
        api::session::Reference::openapi(),
        api::account::Reference::openapi(),
        api::admin::accounts::Reference::openapi(),
        api::admin::links::Reference::openapi(),
        api::admin::Reference::openapi(),
        api::status::Reference::openapi(),
        api::admin::incidents::Reference::openapi(),
        health::Reference::openapi(),
    ];
    let document = Base::openapi();
    let mut document = parts.into_iter().fold(document, OpenApi::merge_from);
    let components = document.components.get_or_insert_default();
    components.add_security_scheme(SESSION, session_cookie());
    let examples = examples::take(components);
    for route in routes {
        if let Some(operation) = operation(&mut document, route) {
            leave_out(operation);
            examples::show(operation, &examples);
            guards::describe(operation, route);
            extensions::mark(operation, route);
            errors::shape(operation);
        }
    }
    document
}

/// A body that may be left out is none then, and not `null`.
fn leave_out(operation: &mut Operation) {
    let Some(RefOr::T(body)) = &mut operation.request_body else {
        return;
    };
    for content in body.content.values_mut() {
        if let RefOr::T(content) = content
            && let Some(RefOr::T(Schema::OneOf(either))) = &mut content.schema
        {
            let is_named = |one: &RefOr<Schema>| matches!(one, RefOr::Ref(_));
            content.schema = either.items.iter().find(|one| is_named(one)).cloned();
        }
    }
}

fn operation<'a>(document: &'a mut OpenApi, route: &Route) -> Option<&'a mut Operation> {
    let item = document.paths.paths.get_mut(route.path)?;
    let operation = match route.method {
        Method::GET => &mut item.get,
        Method::POST => &mut item.post,
        Method::PATCH => &mut item.patch,
        Method::DELETE => &mut item.delete,
        _ => return None,
    };
    operation.as_mut()
}

fn session_cookie() -> SecurityScheme {
    SecurityScheme::ApiKey(ApiKey::Cookie(ApiKeyValue::with_description(
        "keygate_session",
        "A live session; where it says `admin`, one of an admin. What is set is called so with a word behind it, \
         which tells this keygate from others on the same host: `keygate_session_0a1b2c3d`. Where the public address \
         is https, both names begin with `__Host-`.",
    )))
}

/// `GET /openapi.json`
pub(crate) async fn show(Extension(document): Extension<LazyDocument>) -> impl IntoResponse {
    ([(CONTENT_TYPE, "application/json")], document.json())
}
