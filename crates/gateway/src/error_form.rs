//! Errors of keygate's own in the form that the client's library reads.

use bytes::Bytes;
use http::{
    HeaderName, HeaderValue, Method, Request, Response, StatusCode, Version,
    header::{CONTENT_TYPE, TE},
    response::Parts,
};
use keygate_http::{Headers, RequestId};
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};
use serde_json::{Value, json};

use crate::is_data_plane;

/// What Anthropic's clients send with each request.
const ANTHROPIC_VERSION: HeaderName = HeaderName::from_static("anthropic-version");
/// Where Anthropic's clients read the request's id.
const REQUEST_ID: HeaderName = HeaderName::from_static("request-id");

/// Whose clients read an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ErrorForm {
    /// `OpenAI`'s, and whoever else: errors have this form already.
    OpenAi,
    /// Anthropic's.
    Anthropic,
    /// That of Ollama's own paths.
    Ollama,
    /// gRPC's: a status of its own, in the head.
    Grpc,
}

const GRPC_STATUS: HeaderName = HeaderName::from_static("grpc-status");
const GRPC_MESSAGE: HeaderName = HeaderName::from_static("grpc-message");

/// What a message has as it is: visible ASCII and spaces, but for what begins the others.
const NOT_PLAIN: &AsciiSet = &CONTROLS.add(b'%');

fn is_grpc(headers: &impl Headers) -> bool {
    let has = |name, passes: fn(&[u8]) -> bool| headers.values(name).any(passes);
    has(&CONTENT_TYPE, |value| {
        let rest = value.strip_prefix(b"application/grpc");
        rest.is_some_and(|rest| matches!(rest.first(), None | Some(b'+' | b';')))
    }) && has(&TE, |value| value == b"trailers")
}

/// What is below `/api` in Ollama's API.
const OLLAMA: [&str; 13] = [
    "blobs",
    "chat",
    "copy",
    "create",
    "delete",
    "embed",
    "embeddings",
    "generate",
    "ps",
    "pull",
    "push",
    "show",
    "tags",
];

fn is_ollamas(path: &str) -> bool {
    let below = path.split_once("/api/").map(|(_, below)| below);
    let first = below.and_then(|below| below.split('/').next());
    first.is_some_and(|first| OLLAMA.contains(&first))
}

impl ErrorForm {
    /// The form for a call of gRPC's, if that is what a request is: a POST over HTTP/2 that says its type, and that it
    /// takes trailers.
    pub(crate) fn of_grpc<B>(request: &Request<B>) -> Option<Self> {
        let is_call = request.version() == Version::HTTP_2 && *request.method() == Method::POST;
        (is_call && is_grpc(request.headers())).then_some(Self::Grpc)
    }

    /// The form for whoever sends a request with this path and these headers.
    pub(crate) fn of(path: &str, headers: &impl Headers) -> Self {
        let is_messages = path
            .strip_prefix("/v1/messages")
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
        if is_messages || headers.values(&ANTHROPIC_VERSION).next().is_some() {
            Self::Anthropic
        } else if !is_data_plane(path) && is_ollamas(path) {
            Self::Ollama
        } else {
            Self::OpenAi
        }
    }

    /// The same answer in this form, if it is an error.
    pub(crate) fn apply(self, answer: Response<Bytes>, id: &RequestId) -> Response<Bytes> {
        let status = answer.status();
        let is_error = status.is_client_error() || status.is_server_error();
        if self == Self::OpenAi || !is_error {
            return answer;
        }
        let (mut parts, body) = answer.into_parts();
        let written = serde_json::from_slice(&body)
            .ok()
            .and_then(|said| match self {
                Self::OpenAi => None,
                Self::Grpc => grpc(&mut parts, status, &said),
                Self::Anthropic => anthropic(status, said, id),
                Self::Ollama => ollama(said),
            });
        let Some(written) = written else {
            return Response::from_parts(parts, body);
        };
        if self == Self::Anthropic {
            parts.headers.insert(REQUEST_ID, id.to_header());
        }
        Response::from_parts(parts, written)
    }
}

/// An error as gRPC has it: an answer without a message, that succeeds as HTTP.
fn grpc(parts: &mut Parts, status: StatusCode, said: &Value) -> Option<Bytes> {
    let message = said.get("error")?.get("message")?.as_str()?;
    let message = utf8_percent_encode(message, NOT_PLAIN).to_string();
    parts.status = StatusCode::OK;
    let mut header = |name, value| parts.headers.insert(name, value);
    header(CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
    header(GRPC_STATUS, grpc_status(status).into());
    header(GRPC_MESSAGE, HeaderValue::try_from(message).ok()?);
    Some(Bytes::new())
}

/// The codes of gRPC's errors, by status.
fn grpc_status(status: StatusCode) -> u16 {
    const INVALID_ARGUMENT: u16 = 3;
    const DEADLINE_EXCEEDED: u16 = 4;
    const PERMISSION_DENIED: u16 = 7;
    const RESOURCE_EXHAUSTED: u16 = 8;
    const UNIMPLEMENTED: u16 = 12;
    const INTERNAL: u16 = 13;
    const UNAVAILABLE: u16 = 14;
    const UNAUTHENTICATED: u16 = 16;
    match status.as_u16() {
        401 => UNAUTHENTICATED,
        403 => PERMISSION_DENIED,
        404 | 405 => UNIMPLEMENTED,
        429 => RESOURCE_EXHAUSTED,
        504 => DEADLINE_EXCEEDED,
        502 | 503 => UNAVAILABLE,
        500.. => INTERNAL,
        _ => INVALID_ARGUMENT,
    }
}

/// An error as Anthropic's API writes it, with the code beside what it says itself.
fn anthropic(status: StatusCode, mut said: Value, id: &RequestId) -> Option<Bytes> {
    let error = said.get_mut("error")?;
    error["type"] = type_for(status).into();
    let body = json!({
        "type": "error",
        "error": error.take(),
        "request_id": id.to_string(),
    });
    Some(body.to_string().into())
}

/// An error as Ollama writes it: the message alone.
fn ollama(mut said: Value) -> Option<Bytes> {
    let message = said.get_mut("error")?.get_mut("message")?.take();
    Some(json!({ "error": message }).to_string().into())
}

/// The types of Anthropic's errors, by status.
fn type_for(status: StatusCode) -> &'static str {
    match status.as_u16() {
        401 => "authentication_error",
        403 => "permission_error",
        404 => "not_found_error",
        413 => "request_too_large",
        429 => "rate_limit_error",
        503 => "overloaded_error",
        504 => "timeout_error",
        500.. => "api_error",
        _ => "invalid_request_error",
    }
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, HeaderValue};
    use keygate_core::{Code, OsRandom, Problem};
    use keygate_http::{RequestIds, problem_response};

    use super::*;

    #[test]
    fn anthropics_clients_are_known_by_their_header_or_by_the_path() {
        let mut headers = HeaderMap::new();
        for (path, expected) in [
            ("/v1/messages", ErrorForm::Anthropic),
            ("/v1/messages/count_tokens", ErrorForm::Anthropic),
            ("/v1/messagesx", ErrorForm::OpenAi),
            ("/v1/models", ErrorForm::OpenAi),
        ] {
            assert_eq!(ErrorForm::of(path, &headers), expected, "{path}");
        }
        headers.insert(ANTHROPIC_VERSION, HeaderValue::from_static("2023-06-01"));
        let form = ErrorForm::of("/v1/models", &headers);
        assert_eq!(form, ErrorForm::Anthropic);
    }

    #[test]
    fn an_error_says_the_same_in_anthropics_form() {
        let id = RequestIds::new(&OsRandom).choose(&HeaderMap::new());
        let problem = Problem::new(Code::NotFound, "Nothing is here.");
        let answer = ErrorForm::Anthropic.apply(problem_response(&problem), &id);
        assert_eq!(answer.status(), 404);
        assert_eq!(answer.headers()[REQUEST_ID], id.to_header());
        let expected = format!(
            r#"{{"type":"error","error":{{"message":"Nothing is here.","type":"not_found_error","code":"not_found","param":null}},"request_id":"{id}"}}"#
        );
        assert_eq!(answer.body(), &expected);
    }

    #[test]
    fn grpcs_clients_read_a_status_of_their_own() {
        for (version, method, content_type, is_call) in [
            (Version::HTTP_2, Method::POST, "application/grpc", true),
            (
                Version::HTTP_2,
                Method::POST,
                "application/grpc+proto",
                true,
            ),
            (Version::HTTP_2, Method::POST, "application/grpc-web", false),
            (Version::HTTP_2, Method::GET, "application/grpc", false),
            (Version::HTTP_11, Method::POST, "application/grpc", false),
        ] {
            let request = Request::builder().version(version).method(&method);
            let request = request.header(TE, "trailers");
            let request = request.header(CONTENT_TYPE, content_type).body(());
            let form = ErrorForm::of_grpc(&request.expect("a request"));
            let expected = is_call.then_some(ErrorForm::Grpc);
            assert_eq!(form, expected, "{version:?} {method} {content_type}");
        }
        let id = RequestIds::new(&OsRandom).choose(&HeaderMap::new());
        let problem = Problem::new(Code::InvalidApiKey, "100 % wrong: é");
        let answer = ErrorForm::Grpc.apply(problem_response(&problem), &id);
        assert_eq!(answer.status(), 200);
        assert_eq!(answer.headers()[CONTENT_TYPE], "application/grpc");
        assert_eq!(answer.headers()[GRPC_STATUS], "16");
        assert_eq!(answer.headers()[GRPC_MESSAGE], "100 %25 wrong: %C3%A9");
        assert!(answer.body().is_empty());
    }

    #[test]
    fn ollamas_own_paths_have_its_errors() {
        let headers = HeaderMap::new();
        for (path, expected) in [
            ("/api/chat", ErrorForm::Ollama),
            ("/ollama/api/tags", ErrorForm::Ollama),
            ("/api/blobs/sha256:1", ErrorForm::Ollama),
            ("/api/v2/orders", ErrorForm::OpenAi),
            ("/v1/api/chat", ErrorForm::OpenAi),
        ] {
            assert_eq!(ErrorForm::of(path, &headers), expected, "{path}");
        }
        let id = RequestIds::new(&OsRandom).choose(&headers);
        let problem = Problem::new(Code::NotFound, "Nothing is here.");
        let answer = ErrorForm::Ollama.apply(problem_response(&problem), &id);
        assert_eq!(answer.body(), r#"{"error":"Nothing is here."}"#);
        assert!(!answer.headers().contains_key(REQUEST_ID));
    }

    #[test]
    fn what_is_no_error_stays_as_it_is() {
        let id = RequestIds::new(&OsRandom).choose(&HeaderMap::new());
        for status in [204, 502] {
            let mut answer = Response::new(Bytes::from_static(b"plain"));
            *answer.status_mut() = StatusCode::from_u16(status).expect("a status");
            let answer = ErrorForm::Anthropic.apply(answer, &id);
            assert_eq!(answer.body(), "plain");
        }
    }
}
