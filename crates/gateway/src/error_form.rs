//! Errors of keygate's own in the form that the client's library reads.

use bytes::Bytes;
use http::{HeaderName, Response, StatusCode};
use keygate_http::{Headers, RequestId};
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
