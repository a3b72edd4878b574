use utoipa::openapi::{
    RefOr,
    extensions::Extensions,
    path::{Operation, ParameterIn},
};

use crate::route::Route;

/// The calls of the API that keygate was built after. They have no query parameters there.
const ORIGINAL: [(&str, &str); 4] = [
    ("GET", "/api/keys"),
    ("POST", "/api/keys"),
    ("PATCH", "/api/keys/{id}"),
    ("DELETE", "/api/keys/{id}"),
];

/// Marks what is an extension to that API: the call with all of its parameters, or some of them.
pub(super) fn mark(operation: &mut Operation, route: &Route) {
    let is_original = ORIGINAL.contains(&(route.method.as_str(), route.path));
    if !is_original {
        add_mark(&mut operation.extensions);
    }
    for parameter in operation.parameters.iter_mut().flatten() {
        if let RefOr::T(parameter) = parameter
            && !(is_original && parameter.parameter_in == ParameterIn::Path)
        {
            add_mark(&mut parameter.extensions);
        }
    }
}

fn add_mark(extensions: &mut Option<Extensions>) {
    let extensions = extensions.get_or_insert_default();
    extensions.insert("x-keygate-extension".into(), true.into());
}
