use axum::{
    handler::Handler,
    routing::{MethodFilter, MethodRouter, on},
};
use http::Method;

use crate::state::WebState;

/// Who may call a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Whoever has a live session.
    Session,
    /// Whoever has a live session and is an admin.
    Admin,
    /// A page, for whoever has a live session; others are asked to sign in.
    Page,
    /// The same, for admins.
    AdminPage,
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
    pub(crate) handler: MethodRouter<WebState>,
}

pub(crate) fn route<T: 'static>(
    access: Access,
    method: Method,
    path: &'static str,
    handler: impl Handler<T, WebState>,
) -> Route {
    let filter = MethodFilter::try_from(method.clone()).expect("a method of HTTP");
    Route {
        method,
        path,
        access,
        handler: on(filter, handler),
    }
}
