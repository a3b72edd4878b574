use std::{collections::BTreeSet, sync::LazyLock};

use axum::{
    Extension, Router,
    extract::{MatchedPath, Request},
    middleware::{Next, from_fn, from_fn_with_state},
    response::Response,
    routing::MethodRouter,
};
use http::Method;
use tower_http::compression::CompressionLayer;

use crate::{
    api::{account, accounts, admin, keys, session, status},
    assets, count, guard, health,
    openapi::{self, Document, LazyDocument},
    pages::{self, notice},
    route::{Access, Route, route},
    state::WebState,
};

use Access::{Admin, AdminPage, Page, Public, Session};

static DOCUMENT: LazyLock<Document> = LazyLock::new(|| Document::of(&routes()));

/// The OpenAPI document of all routes as JSON, as it stands in `docs/openapi.json`.
pub fn openapi_json() -> &'static str {
    DOCUMENT.json()
}

/// Every route there is.
pub fn routes() -> Vec<Route> {
    let mut routes = api();
    routes.extend(pages());
    routes
}

#[rustfmt::skip]
fn api() -> Vec<Route> {
    const GET: Method = Method::GET;
    const POST: Method = Method::POST;
    const PATCH: Method = Method::PATCH;
    const DELETE: Method = Method::DELETE;
    vec![
        route(Public, GET, "/healthz", health::healthz),
        route(Public, GET, "/readyz", health::readyz),
        route(Public, GET, "/readyz/checks", health::checks),
        route(Public, GET, "/openapi.json", openapi::show),
        route(Public, POST, "/api/accounts", accounts::create),
        route(Public, POST, "/api/session", session::create),
        route(Session, GET, "/api/session", session::show),
        route(Session, DELETE, "/api/session", session::delete),
        route(Session, POST, "/api/account/password", account::change_password),
        route(Public, POST, "/api/account/password-reset", account::reset_password),
        route(Session, GET, "/api/account/sessions", account::sessions),
        route(Session, DELETE, "/api/account/sessions", account::end_other_sessions),
        route(Session, DELETE, "/api/account/sessions/{id}", account::end_session),
        route(Session, GET, "/api/keys", keys::list),
        route(Session, POST, "/api/keys", keys::create),
        route(Session, GET, "/api/keys/{id}", keys::show),
        route(Session, GET, "/api/keys/{id}/usage", keys::usage),
        route(Session, GET, "/api/keys/{id}/history", keys::history),
        route(Session, PATCH, "/api/keys/{id}", keys::update),
        route(Session, DELETE, "/api/keys/{id}", keys::delete),
        route(Admin, GET, "/api/admin/accounts", admin::accounts::list),
        route(Admin, POST, "/api/admin/accounts/{id}/suspend", admin::accounts::suspend),
        route(Admin, POST, "/api/admin/accounts/{id}/resume", admin::accounts::resume),
        route(Admin, POST, "/api/admin/accounts/{id}/password-reset", admin::accounts::reset_password),
        route(Admin, POST, "/api/admin/invitations", admin::invite),
        route(Admin, GET, "/api/admin/links", admin::links::list),
        route(Admin, DELETE, "/api/admin/links/{id}", admin::links::withdraw),
        route(Admin, GET, "/api/admin/audit", admin::audit),
        route(Public, GET, "/api/status", status::show),
        route(Admin, GET, "/api/admin/incidents", admin::incidents::list),
        route(Admin, POST, "/api/admin/incidents", admin::incidents::post),
        route(Admin, POST, "/api/admin/maintenance", admin::incidents::schedule),
        route(Admin, GET, "/api/admin/incidents/{id}", admin::incidents::show),
        route(Admin, PATCH, "/api/admin/incidents/{id}", admin::incidents::edit),
        route(Admin, POST, "/api/admin/incidents/{id}/updates", admin::incidents::update),
        route(Admin, PATCH, "/api/admin/incidents/{id}/updates/{update_id}", admin::incidents::edit_update),
    ]
}

#[rustfmt::skip]
fn pages() -> Vec<Route> {
    const GET: Method = Method::GET;
    const POST: Method = Method::POST;
    vec![
        route(Public, GET, "/", pages::start::show),
        route(Public, GET, "/assets/{file}", assets::show),
        route(Public, GET, "/assets/logo", pages::logo::show),
        route(Public, GET, "/signup", pages::sign_up::show),
        route(Public, POST, "/signup", pages::sign_up::submit),
        route(Public, GET, "/signin", pages::sign_in::show),
        route(Public, POST, "/signin", pages::sign_in::submit),
        route(Public, POST, "/signout", pages::sign_out::submit),
        route(Public, GET, "/reset-password", pages::reset_password::show),
        route(Public, POST, "/reset-password", pages::reset_password::submit),
        route(Public, GET, "/docs", pages::docs::show),
        route(Public, GET, "/status", pages::status::show),
        route(Public, GET, "/status/feed.atom", pages::status::feed),
        route(Page, GET, "/keys", pages::keys::list),
        route(Page, GET, "/keys/new", pages::keys::new),
        route(Page, POST, "/keys/new", pages::keys::create),
        route(Page, GET, "/keys/{id}", pages::keys::show),
        route(Page, POST, "/keys/{id}", pages::keys::change),
        route(Page, GET, "/account", pages::account::show),
        route(Page, POST, "/account", pages::account::change),
        route(AdminPage, GET, "/admin/accounts", pages::admin::accounts::show),
        route(AdminPage, POST, "/admin/accounts", pages::admin::accounts::change),
        route(AdminPage, GET, "/admin/links", pages::admin::links::show),
        route(AdminPage, POST, "/admin/links", pages::admin::links::change),
        route(AdminPage, GET, "/admin/audit", pages::admin::audit),
        route(AdminPage, GET, "/admin/incidents", pages::admin::incidents::list),
        route(AdminPage, GET, "/admin/incidents/new", pages::admin::incidents::new),
        route(AdminPage, POST, "/admin/incidents/new", pages::admin::incidents::post),
        route(AdminPage, GET, "/admin/maintenance/new", pages::admin::incidents::new_maintenance),
        route(AdminPage, POST, "/admin/maintenance/new", pages::admin::incidents::schedule),
        route(AdminPage, GET, "/admin/incidents/{id}", pages::admin::incidents::show),
        route(AdminPage, POST, "/admin/incidents/{id}", pages::admin::incidents::change),
    ]
}

/// Whether a path is one of keygate's own, or would be below one: by its first segment, whatever its case.
pub fn is_own(path: &str) -> bool {
    static OWN: LazyLock<BTreeSet<&str>> = LazyLock::new(|| {
        routes()
            .iter()
            .filter_map(|route| first_segment(route.path))
            .collect()
    });
    let first = first_segment(path).unwrap_or_default();
    path == "/" || OWN.iter().any(|own| own.eq_ignore_ascii_case(first))
}

fn first_segment(path: &str) -> Option<&str> {
    let first = path.split('/').nth(1)?;
    (!first.is_empty()).then_some(first)
}

/// All routes behind their guards.
pub fn router(state: WebState) -> Router {
    let mut router = Router::new();
    for Route {
        path,
        access,
        handler,
        ..
    } in routes()
    {
        router = router.route(path, guarded(access, handler, &state));
    }
    router
        .route_layer(from_fn(note_route))
        .fallback(pages::message::nothing_here)
        .method_not_allowed_fallback(pages::message::other_method)
        // Before the session is looked at: what another page began is none of ours.
        .layer(from_fn_with_state(state.clone(), guard::same_origin_json))
        .layer(CompressionLayer::new().compress_when(pages::is_compressible))
        .layer(from_fn(notice::keep_true))
        .layer(from_fn_with_state(state.clone(), guard::clear_old_cookie))
        .layer(from_fn_with_state(state.clone(), guard::own_host))
        // Around everything, so that refusals are not kept either.
        .layer(from_fn(guard::no_store))
        .layer(from_fn_with_state(state.clone(), count::answers))
        .layer(Extension::<LazyDocument>(&DOCUMENT))
        .with_state(state)
}

/// The route that a request took, as a template, where the answer comes from one.
pub fn matched_route<B>(answer: &http::Response<B>) -> Option<&str> {
    let path: &MatchedPath = answer.extensions().get()?;
    Some(path.as_str())
}

/// Notes with an answer which route was taken.
async fn note_route(path: Option<MatchedPath>, request: Request, next: Next) -> Response {
    let mut answer = next.run(request).await;
    if let Some(path) = path {
        answer.extensions_mut().insert(path);
    }
    answer
}

fn guarded(
    access: Access,
    handler: MethodRouter<WebState>,
    state: &WebState,
) -> MethodRouter<WebState> {
    let session = || from_fn_with_state(state.clone(), guard::require_session);
    let signed_in = || from_fn_with_state(state.clone(), guard::require_signed_in);
    match access {
        Public => handler,
        Session => handler.route_layer(session()),
        Admin => handler
            .route_layer(from_fn(guard::require_admin))
            .route_layer(session()),
        Page => handler.route_layer(signed_in()),
        AdminPage => handler
            .route_layer(from_fn_with_state(
                state.clone(),
                guard::require_signed_in_admin,
            ))
            .route_layer(signed_in()),
    }
}
