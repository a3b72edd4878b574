use axum::{
    Router,
    middleware::{from_fn, from_fn_with_state},
    routing::{MethodRouter, delete, get, patch, post},
};
use http::Method;

use crate::{
    answer::{method_not_allowed, not_found},
    api::{account, accounts, admin as administration, keys, session},
    assets, guard, health, pages,
    state::WebState,
};

/// Who may call a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Whoever has a live session.
    Session,
    /// Whoever has a live session and is an admin.
    Admin,
    /// Anybody.
    Public,
}

/// One method of one path.
pub struct Route {
    /// The method; GET takes HEAD as well.
    pub method: Method,
    /// The path, with its variables in braces.
    pub path: &'static str,
    /// Who may call it.
    pub access: Access,
    handler: MethodRouter<WebState>,
}

/// Every route there is. What is not said to be public needs a session.
pub fn routes() -> Vec<Route> {
    let private = |method, path, handler| Route {
        method,
        path,
        access: Access::Session,
        handler,
    };
    let admin = |method, path, handler| Route {
        method,
        path,
        access: Access::Admin,
        handler,
    };
    let public = |method, path, handler| Route {
        method,
        path,
        access: Access::Public,
        handler,
    };
    vec![
        public(Method::GET, "/healthz", get(health::healthz)),
        public(Method::GET, "/readyz", get(health::readyz)),
        public(Method::GET, "/assets/keygate.css", get(assets::stylesheet)),
        public(Method::GET, "/signup", get(pages::sign_up::show)),
        public(Method::POST, "/signup", post(pages::sign_up::submit)),
        public(Method::POST, "/api/accounts", post(accounts::create)),
        public(Method::POST, "/api/session", post(session::create)),
        private(Method::GET, "/api/session", get(session::show)),
        private(Method::DELETE, "/api/session", delete(session::delete)),
        private(
            Method::POST,
            "/api/account/password",
            post(account::change_password),
        ),
        public(
            Method::POST,
            "/api/account/password-reset",
            post(account::reset_password),
        ),
        private(Method::GET, "/api/account/sessions", get(account::sessions)),
        private(
            Method::DELETE,
            "/api/account/sessions",
            delete(account::end_other_sessions),
        ),
        private(
            Method::DELETE,
            "/api/account/sessions/{id}",
            delete(account::end_session),
        ),
        private(Method::GET, "/api/keys", get(keys::list)),
        private(Method::POST, "/api/keys", post(keys::create)),
        private(Method::GET, "/api/keys/{id}", get(keys::show)),
        private(Method::GET, "/api/keys/{id}/usage", get(keys::usage)),
        private(Method::GET, "/api/keys/{id}/history", get(keys::history)),
        private(Method::PATCH, "/api/keys/{id}", patch(keys::update)),
        private(Method::DELETE, "/api/keys/{id}", delete(keys::delete)),
        admin(
            Method::GET,
            "/api/admin/accounts",
            get(administration::accounts::list),
        ),
        admin(
            Method::POST,
            "/api/admin/accounts/{id}/suspend",
            post(administration::accounts::suspend),
        ),
        admin(
            Method::POST,
            "/api/admin/accounts/{id}/resume",
            post(administration::accounts::resume),
        ),
        admin(
            Method::POST,
            "/api/admin/accounts/{id}/password-reset",
            post(administration::accounts::reset_password),
        ),
        admin(
            Method::POST,
            "/api/admin/invitations",
            post(administration::invite),
        ),
        admin(Method::GET, "/api/admin/audit", get(administration::audit)),
    ]
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
        let handler = match access {
            Access::Public => handler,
            Access::Session => {
                handler.route_layer(from_fn_with_state(state.clone(), guard::require_session))
            }
            Access::Admin => handler
                .route_layer(from_fn(guard::require_admin))
                .route_layer(from_fn_with_state(state.clone(), guard::require_session)),
        };
        router = router.route(path, handler);
    }
    router
        .fallback(not_found)
        .method_not_allowed_fallback(method_not_allowed)
        // Before the session is looked at: what another page began is none of ours.
        .layer(from_fn_with_state(state.clone(), guard::same_origin_json))
        // Around everything, so that refusals are not kept either.
        .layer(from_fn(guard::no_store))
        .with_state(state)
}
