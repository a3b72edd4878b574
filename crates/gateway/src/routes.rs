use std::sync::LazyLock;

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
    own: Vec<Route>,
    built_in: Vec<Route>,
}

/// What a request asks for.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Asked<'a> {
    /// An answer to this method.
    Method(&'a Method),
    /// A WebSocket, by GET.
    WebSocket,
}

/// What WebSockets for inference are to. Not below: a server that speaks none answers a handshake like any GET, and
/// what is stored below needs `read`.
static SOCKETS: LazyLock<[Pattern; 2]> =
    LazyLock::new(|| ["/v1/realtime", "/v1/responses"].map(contract_pattern));

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
    pub fn new(own: Vec<Route>) -> Self {
        let inference =
            INFERENCE.map(|pattern| contract_route(&[Method::POST], pattern, Scope::Chat));
        let mut built_in = inference.to_vec();
        built_in.push(contract_route(
            &[Method::GET, Method::HEAD],
            "/**",
            Scope::Read,
        ));
        Self { own, built_in }
    }

    /// The scope that a request needs.
    pub(crate) fn required_scope(
        &self,
        asked: Asked<'_>,
        path: &Readings<'_>,
    ) -> Result<Scope, AmbiguousPath> {
        let method = match asked {
            Asked::Method(method) => method,
            Asked::WebSocket => &Method::GET,
        };
        let find = |routes: &[Route], path: &str| {
            let route = routes.iter().find(|route| route.covers(method, path));
            route.map(|route| route.scope)
        };
        path.agree(|path| {
            let own = find(&self.own, path);
            own.unwrap_or_else(|| match asked {
                Asked::Method(_) => find(&self.built_in, path).unwrap_or(Scope::Write),
                Asked::WebSocket if is_socket_for_inference(path) => Scope::Chat,
                Asked::WebSocket => Scope::Write,
            })
        })
    }
}

/// Whether a WebSocket to this path is for inference, by `OpenAI`'s APIs.
pub(crate) fn is_socket_for_inference(path: &str) -> bool {
    SOCKETS.iter().any(|pattern| pattern.matches(path))
}

fn contract_pattern(pattern: &str) -> Pattern {
    Pattern::parse(pattern).expect("the contract's patterns are valid")
}

fn contract_route(methods: &[Method], pattern: &str, scope: Scope) -> Route {
    Route {
        methods: methods.to_vec(),
        pattern: contract_pattern(pattern),
        scope,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scope_of(table: &RouteTable, method: &str, path: &str) -> Scope {
        let parsed = method.parse().expect("a method");
        let readings = Readings::of(path).expect(path);
        let asked = match method {
            "WEBSOCKET" => Asked::WebSocket,
            _ => Asked::Method(&parsed),
        };
        table.required_scope(asked, &readings).expect(path)
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
    fn sockets_for_inference_need_chat_and_others_write() {
        let table = RouteTable::new(vec![Route {
            methods: vec![Method::GET],
            pattern: Pattern::parse("/v1/ws").expect("a pattern"),
            scope: Scope::Read,
        }]);
        for (path, scope) in [
            ("/v1/realtime", Scope::Chat),
            ("/v1/responses", Scope::Chat),
            ("/v1/responses/stored", Scope::Write),
            ("/v1/models", Scope::Write),
            ("/v1/ws", Scope::Read),
        ] {
            assert_eq!(scope_of(&table, "WEBSOCKET", path), scope, "{path}");
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
