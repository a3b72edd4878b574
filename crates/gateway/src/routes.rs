use http::Method;
use keygate_core::Scope;

use crate::path::{AmbiguousPath, Pattern, Readings};

/// A route: which scope a kind of request needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    /// The methods that it covers; empty for all.
    pub methods: Vec<Method>,
    /// The paths that it covers.
    pub pattern: Pattern,
    /// The required scope.
    pub scope: Scope,
}

impl Route {
    fn covers(&self, method: &Method, path: &str) -> bool {
        (self.methods.is_empty() || self.methods.contains(method)) && self.pattern.matches(path)
    }
}

/// Which scope each request needs: the operator's routes first, then the built-in ones. The first
/// that covers a request decides.
#[derive(Debug, Clone)]
pub struct RouteTable {
    routes: Vec<Route>,
}

/// What POSTs for inference go to.
const INFERENCE: [&str; 14] = [
    "/v1/chat/completions",
    "/v1/completions",
    "/v1/responses/**",
    "/v1/messages",
    "/v1/messages/count_tokens",
    "/v1/embeddings",
    "/v1/moderations",
    "/v1/moderate",
    "/v1/rerank",
    "/v1/score",
    "/v1/tokenize",
    "/v1/detokenize",
    "/v1/audio/**",
    "/v1/images/**",
];

impl RouteTable {
    /// A table of the operator's routes, followed by the built-in ones.
    pub fn new(mut routes: Vec<Route>) -> Self {
        let inference =
            INFERENCE.map(|pattern| contract_route(&[Method::POST], pattern, Scope::Chat));
        routes.extend(inference);
        routes.extend([
            contract_route(&[Method::GET, Method::HEAD], "/**", Scope::Read),
            contract_route(&[], "/**", Scope::Write),
        ]);
        Self { routes }
    }

    /// The scope that a request needs.
    pub(crate) fn required_scope(
        &self,
        method: &Method,
        path: &Readings<'_>,
    ) -> Result<Scope, AmbiguousPath> {
        path.agree(|path| {
            let route = self.routes.iter().find(|route| route.covers(method, path));
            route.map_or(Scope::Write, |route| route.scope)
        })
    }
}

fn contract_route(methods: &[Method], pattern: &str, scope: Scope) -> Route {
    Route {
        methods: methods.to_vec(),
        pattern: Pattern::parse(pattern).expect("the contract's patterns are valid"),
        scope,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scope_of(table: &RouteTable, method: &str, path: &str) -> Scope {
        let method = method.parse().expect("a method");
        let readings = Readings::of(path).expect(path);
        table.required_scope(&method, &readings).expect(path)
    }

    /// Scope by method and path, as the contract's table has it, whole.
    #[test]
    fn the_default_table_is_the_contracts() {
        let table = RouteTable::new(Vec::new());
        let inference = [
            "chat/completions",
            "completions",
            "responses",
            "responses/input_tokens",
            "responses/compact",
            "responses/r/cancel",
            "messages",
            "messages/count_tokens",
            "embeddings",
            "moderations",
            "moderate",
            "rerank",
            "score",
            "tokenize",
            "detokenize",
            "audio/speech",
            "audio/transcriptions",
            "images/generations",
            "images/edits",
        ];
        let others = [
            "files",
            "batches",
            "fine_tuning/jobs",
            "models/x",
            "chat",
            "messages/batches",
        ];
        for path in inference.iter().chain(&others) {
            let path = format!("/v1/{path}");
            assert_eq!(scope_of(&table, "GET", &path), Scope::Read, "GET {path}");
            assert_eq!(scope_of(&table, "HEAD", &path), Scope::Read, "HEAD {path}");
            for method in ["PUT", "PATCH", "DELETE", "OPTIONS", "PURGE"] {
                assert_eq!(
                    scope_of(&table, method, &path),
                    Scope::Write,
                    "{method} {path}"
                );
            }
        }
        for path in inference {
            let scope = scope_of(&table, "POST", &format!("/v1/{path}"));
            assert_eq!(scope, Scope::Chat, "POST {path}");
        }
        for path in others {
            let scope = scope_of(&table, "POST", &format!("/v1/{path}"));
            assert_eq!(scope, Scope::Write, "POST {path}");
        }
    }

    #[test]
    fn the_operators_routes_come_first() {
        let table = RouteTable::new(vec![Route {
            methods: vec![Method::DELETE],
            pattern: Pattern::parse("/v1/models/**").expect("a pattern"),
            scope: Scope::Admin,
        }]);
        assert_eq!(scope_of(&table, "DELETE", "/v1/models/x"), Scope::Admin);
        assert_eq!(scope_of(&table, "DELETE", "/v1/files/x"), Scope::Write);
        assert_eq!(scope_of(&table, "GET", "/v1/models/x"), Scope::Read);
    }
}
