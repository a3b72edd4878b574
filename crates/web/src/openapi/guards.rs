use http::Method;
use keygate_core::Code;
use utoipa::openapi::{
    RefOr, Required,
    path::{Operation, ParameterIn},
    security::SecurityRequirement,
};

use super::{SESSION, errors};
use crate::route::{Access, Route};

/// Says who may make a call, and with what it is refused before its handler does anything: by its
/// guards, or because of its body or its query.
pub(super) fn describe(operation: &mut Operation, route: &Route) {
    let roles: &[&str] = match route.access {
        Access::Admin => &["admin"],
        _ => &[],
    };
    let needs_session = route.access != Access::Public;
    if needs_session {
        operation.security = Some(vec![SecurityRequirement::new(
            SESSION,
            roles.iter().copied(),
        )]);
    }
    for code in refusals(operation, route) {
        errors::add(operation, code);
    }
}

fn refusals(operation: &Operation, route: &Route) -> Vec<Code> {
    let needs_body = match &operation.request_body {
        Some(RefOr::T(body)) => body.required == Some(Required::True),
        _ => false,
    };
    let is_private = route.access != Access::Public;
    let is_write = route.method != Method::GET;
    // Also a call without fields is sent some.
    let has_input = is_write || has_query(operation);
    let rules = [
        (is_write, Code::InvalidRequest),
        (needs_body, Code::MissingParameter),
        (has_input, Code::InvalidParameter),
        (has_input, Code::UnknownParameter),
        (is_private, Code::SessionRequired),
        (is_private, Code::SessionExpired),
        (is_write, Code::OriginNotAllowed),
        (is_write, Code::CrossOriginRequest),
        (route.access == Access::Admin, Code::AdminRequired),
        (is_write, Code::RequestTimeout),
        (is_write, Code::BodyTooLarge),
        (
            is_write && route.access == Access::Session,
            Code::RateLimitExceeded,
        ),
        (is_write, Code::UnsupportedMediaType),
        (is_private, Code::InternalError),
        (is_private, Code::StorageUnavailable),
    ];
    let rules = rules.into_iter().filter(|(holds, _)| *holds);
    rules.map(|(_, code)| code).collect()
}

fn has_query(operation: &Operation) -> bool {
    let parameters = operation.parameters.iter().flatten();
    parameters
        .filter_map(|parameter| match parameter {
            RefOr::T(parameter) => Some(parameter),
            RefOr::Ref(_) => None,
        })
        .any(|parameter| parameter.parameter_in == ParameterIn::Query)
}
