use std::sync::LazyLock;

use http::Method;
use keygate_core::Scope;
use percent_encoding::percent_decode_str;

use crate::{
    is_data_plane,
    path::{AmbiguousPath, Pattern, Readings},
};

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
}

/// What a request asks for.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Asked<'a> {
    /// An answer to this method.
    Method(&'a Method),
    /// A WebSocket, by GET.
    WebSocket,
}

/// What POSTs for inference go to in APIs in the shape of `OpenAI`'s and Anthropic's: below `/v1`, or below the path
/// of an upstream.
const BELOW_V1: [&str; 14] = [
    "/chat/completions",
    "/completions",
    "/responses/**",
    "/messages",
    "/messages/count_tokens",
    "/embeddings",
    "/moderations",
    "/moderate",
    "/rerank",
    "/score",
    "/tokenize",
    "/detokenize",
    "/audio/**",
    "/images/**",
];

/// What else those APIs have there: with what their other paths begin.
const OTHERS_BELOW_V1: [&str; 6] = [
    "assistants",
    "batches",
    "files",
    "fine_tuning",
    "models",
    "uploads",
];

/// What POSTs for inference go to in other APIs: those of Gemini and Ollama. Azure's are those of `BELOW_V1`, each
/// below a deployment.
const ELSEWHERE: [&str; 8] = [
    "/v1beta/models/*:generateContent",
    "/v1beta/models/*:streamGenerateContent",
    "/v1beta/models/*:embedContent",
    "/v1beta/models/*:countTokens",
    "/api/chat",
    "/api/generate",
    "/api/embed",
    "/api/embeddings",
];

const AZURE: &str = "/openai/deployments/*";

/// Where inference is, in all APIs that are known.
static POSTS: LazyLock<Places> = LazyLock::new(|| Places {
    below_v1: BELOW_V1.map(contract_pattern).to_vec(),
    elsewhere: ELSEWHERE
        .into_iter()
        .map(contract_pattern)
        .chain(BELOW_V1.map(|path| contract_pattern(&format!("{AZURE}{path}"))))
        .collect(),
});

/// What WebSockets for inference are to. Not below: a server that speaks none answers a handshake like any GET, and
/// what is stored below needs `read`.
static SOCKETS: LazyLock<Places> = LazyLock::new(|| Places {
    below_v1: ["/realtime", "/responses"].map(contract_pattern).to_vec(),
    elsewhere: Vec::new(),
});

struct Places {
    below_v1: Vec<Pattern>,
    elsewhere: Vec<Pattern>,
}

impl Places {
    /// Whether a path is one of these, by itself or below the path of its upstream.
    fn cover(&self, path: &str, upstream_path: Option<usize>) -> bool {
        let is_any =
            |patterns: &[Pattern], path: &str| patterns.iter().any(|own| own.matches(path));
        let is_whole = |path: &str| {
            below_v1(path).is_some_and(|rest| is_any(&self.below_v1, rest))
                || is_any(&self.elsewhere, path)
        };
        is_whole(path)
            || upstream_path.is_some_and(|length| {
                let rest = &path[length..];
                is_any(&self.below_v1, rest) || length > 0 && is_whole(rest)
            })
    }
}

fn below_v1(path: &str) -> Option<&str> {
    let (beginning, rest) = path.split_at_checked("/v1".len())?;
    (beginning.eq_ignore_ascii_case("/v1") && rest.starts_with('/')).then_some(rest)
}

/// Whether a path lacks the `/v1` at its beginning: it goes on like one that has it, or has it elsewhere.
pub(crate) fn lacks_v1(path: &str) -> bool {
    let mut segments = path.split('/').skip(1);
    let first = segments.next().unwrap_or_default();
    let begins_with = |pattern: &&str| pattern.split('/').nth(1) == Some(first);
    let is_meant = OTHERS_BELOW_V1.contains(&first)
        || BELOW_V1.iter().any(begins_with)
        || segments.any(|segment| segment == "v1");
    is_meant && !is_data_plane(path)
}

impl RouteTable {
    /// A table of the operator's routes, followed by the built-in ones.
    pub fn new(own: Vec<Route>) -> Self {
        Self { own }
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
        path.agree(|reading| {
            let own = self.own.iter().find(|route| route.covers(method, reading));
            own.map_or_else(
                || built_in(asked, reading, path.upstream_path),
                |route| route.scope,
            )
        })
    }
}

/// The contract's table.
fn built_in(asked: Asked<'_>, path: &str, upstream_path: Option<usize>) -> Scope {
    match asked {
        Asked::Method(&Method::GET | &Method::HEAD) => Scope::Read,
        Asked::Method(&Method::POST) if POSTS.cover(path, upstream_path) => Scope::Chat,
        Asked::WebSocket if SOCKETS.cover(path, upstream_path) => Scope::Chat,
        _ => Scope::Write,
    }
}

/// Whether a WebSocket to this path is for inference, by `OpenAI`'s APIs.
pub(crate) fn is_socket_for_inference(path: &Readings<'_>) -> bool {
    SOCKETS.cover(path.sent, path.upstream_path)
}

/// Whether a POST to this path is for inference.
pub(crate) fn is_inference(path: &Readings<'_>) -> bool {
    POSTS.cover(path.sent, path.upstream_path)
}

/// The model that a path names: Azure's deployment, or what is called by its name.
pub(crate) fn model_in_path(method: &Method, path: &Readings<'_>) -> Option<String> {
    let mut segments = path.sent.split('/');
    let names_one = |segment: &&str| {
        segment.eq_ignore_ascii_case("deployments") || segment.eq_ignore_ascii_case("models")
    };
    segments.find(names_one)?;
    let name = segments.next().filter(|name| !name.is_empty())?;
    let decoded = percent_decode_str(name).decode_utf8().ok()?;
    // In Gemini's API what is to be done with a model follows its name.
    let verb = decoded.rsplit_once(':').filter(|_| *method == Method::POST);
    let model = verb.map_or(&*decoded, |(model, _)| model);
    Some(model.to_owned())
}

/// Whether a request asks for a list of models.
pub(crate) fn is_model_list(method: &Method, path: &Readings<'_>) -> bool {
    let is_list = |length| {
        let below = path.sent[length..].trim_end_matches('/');
        below.eq_ignore_ascii_case("/models") || below.eq_ignore_ascii_case("/v1/models")
    };
    *method == Method::GET && path.upstream_path.is_some_and(is_list)
}

fn contract_pattern(pattern: &str) -> Pattern {
    Pattern::parse(pattern).expect("the contract's patterns are valid")
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

    /// What a POST to a path needs where the first `upstream_path` bytes of it are its upstream's.
    fn scope_of_post(path: &str, upstream_path: Option<usize>) -> Scope {
        built_in(Asked::Method(&Method::POST), path, upstream_path)
    }

    #[test]
    fn inference_in_other_apis_needs_chat() {
        for (path, scope) in [
            ("/openai/deployments/gpt-4o/chat/completions", Scope::Chat),
            (
                "/openai/deployments/whisper/audio/translations",
                Scope::Chat,
            ),
            ("/openai/deployments/gpt-4o/files", Scope::Write),
            ("/openai/files", Scope::Write),
            ("/v1beta/models/gemini-2.5-pro:generateContent", Scope::Chat),
            (
                "/v1beta/models/gemini-2.5-pro:streamGenerateContent",
                Scope::Chat,
            ),
            ("/v1beta/models/gemini-2.5-pro:predict", Scope::Write),
            ("/v1beta/cachedContents", Scope::Write),
            ("/api/chat", Scope::Chat),
            ("/api/embed", Scope::Chat),
            ("/api/pull", Scope::Write),
            ("/chat/completions", Scope::Write),
            ("/tokenize", Scope::Write),
        ] {
            assert_eq!(scope_of_post(path, None), scope, "{path}");
        }
    }

    #[test]
    fn paths_count_from_that_of_the_upstream() {
        for (upstream, rest, scope) in [
            ("", "/tokenize", Scope::Chat),
            ("", "/v1/chat/completions", Scope::Chat),
            ("", "/predict", Scope::Write),
            ("/ollama", "/api/chat", Scope::Chat),
            ("/ollama", "/api/pull", Scope::Write),
            ("/ollama", "/v1/chat/completions", Scope::Chat),
            ("/azure", "/openai/deployments/gpt/embeddings", Scope::Chat),
            ("/groq", "/chat/completions", Scope::Chat),
            ("/groq", "/files", Scope::Write),
            ("/v1/audio", "/speech", Scope::Chat),
            ("/v1/files", "/x", Scope::Write),
        ] {
            let path = format!("{upstream}{rest}");
            assert_eq!(scope_of_post(&path, Some(upstream.len())), scope, "{path}");
        }
    }

    #[test]
    fn models_are_found_in_paths() {
        for (method, path, expected) in [
            (
                Method::POST,
                "/openai/deployments/gpt-4o/chat/completions",
                Some("gpt-4o"),
            ),
            (
                Method::POST,
                "/v1beta/models/gemini-2.5-pro:generateContent",
                Some("gemini-2.5-pro"),
            ),
            (Method::GET, "/v1/models/llama3:8b", Some("llama3:8b")),
            (Method::GET, "/v1/Models/llama3", Some("llama3")),
            (Method::GET, "/v1/models/org%2Fname", Some("org/name")),
            (Method::GET, "/v1/models/", None),
            (Method::GET, "/v1/models", None),
            (Method::POST, "/v1/chat/completions", None),
        ] {
            let readings = Readings::of(path).expect(path);
            let found = model_in_path(&method, &readings);
            assert_eq!(found.as_deref(), expected, "{path}");
        }
    }

    #[test]
    fn paths_that_lack_v1_are_known() {
        for (path, lacks) in [
            ("/chat/completions", true),
            ("/tokenize", true),
            ("/models/x", true),
            ("/openai/v1/models", true),
            ("/api/v1", true),
            ("/v1/models", false),
            ("/v1/v1/models", false),
            ("/", false),
            ("/robots.txt", false),
            ("/chatter", false),
        ] {
            assert_eq!(lacks_v1(path), lacks, "{path}");
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
