//! Whether an upstream refuses the credential that keygate sends it. That is the operator's fault, of which a
//! client, whose own key is another one, can make nothing.

use std::{
    fmt::Display,
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use http::{HeaderMap, HeaderValue, StatusCode};
use keygate_core::{Code, Problem};

/// How much of a body is read to judge it, and how long it is waited for.
pub(crate) const MAX_JUDGED: usize = 16 * 1024;
pub(crate) const JUDGE_TIMEOUT: Duration = Duration::from_secs(1);

/// What is sent to an upstream in the place of clients' keys, and whether it is refused.
#[derive(Default)]
pub(crate) struct OwnCredential {
    pub(crate) authorization: Option<HeaderValue>,
    was_refused: AtomicBool,
}

/// What an answer's status says of the credential that was sent.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Passes,
    Refused,
    /// It depends on what the body says.
    DependsOnBody,
}

impl OwnCredential {
    pub(crate) fn new(authorization: Option<HeaderValue>) -> Self {
        Self {
            authorization,
            was_refused: AtomicBool::default(),
        }
    }

    /// Judges an answer by its head, in which gRPC has a status of its own.
    pub(crate) fn judge_head(&self, status: StatusCode, headers: &HeaderMap) -> Verdict {
        const UNAUTHENTICATED: &[u8] = b"16";
        let grpc_status = headers.get("grpc-status").map(HeaderValue::as_bytes);
        match grpc_status {
            Some(UNAUTHENTICATED) => self.judge(StatusCode::UNAUTHORIZED),
            _ => self.judge(status),
        }
    }

    pub(crate) fn judge(&self, status: StatusCode) -> Verdict {
        match status {
            _ if self.authorization.is_none() => Verdict::Passes,
            StatusCode::UNAUTHORIZED => Verdict::Refused,
            StatusCode::FORBIDDEN => Verdict::DependsOnBody,
            _ => Verdict::Passes,
        }
    }

    /// Whether a body that begins like this names the key that was sent, by itself or as such.
    pub(crate) fn is_named_in(&self, body: &[u8]) -> bool {
        let text = String::from_utf8_lossy(body);
        let authorization = self.authorization.as_ref();
        let own = authorization.and_then(|value| value.to_str().ok()?.split(' ').next_back());
        let small = text.to_ascii_lowercase();
        own.is_some_and(|own| text.contains(own))
            || ["api key", "api-key", "api_key", "apikey"]
                .iter()
                .any(|name| small.contains(name))
    }

    /// Notes that the upstream has refused it, and says so.
    pub(crate) fn refused(&self, upstream: &impl Display, status: StatusCode) -> Problem {
        self.was_refused.store(true, Ordering::Relaxed);
        let message = "The service behind this gateway refused the credential that this gateway has for it. Your API key is not the reason: tell the operator of this service.";
        let cause = format!(
            "{upstream} answered {} to its configured credential",
            status.as_u16()
        );
        Problem::new(Code::UpstreamRefusedCredential, message).because(cause)
    }

    /// Whether it was refused since this was asked last.
    pub(crate) fn take_refused(&self) -> bool {
        self.was_refused.swap(false, Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_where_a_credential_was_sent_is_it_refused() {
        let none = OwnCredential::default();
        let own = OwnCredential::new(Some(HeaderValue::from_static("Bearer sk-own")));
        for (status, expected) in [
            (StatusCode::OK, Verdict::Passes),
            (StatusCode::UNAUTHORIZED, Verdict::Refused),
            (StatusCode::FORBIDDEN, Verdict::DependsOnBody),
            (StatusCode::NOT_FOUND, Verdict::Passes),
        ] {
            assert_eq!(none.judge(status), Verdict::Passes, "{status}");
            assert_eq!(own.judge(status), expected, "{status}");
        }
    }

    #[test]
    fn the_key_is_named_by_itself_or_as_such() {
        let own = OwnCredential::new(Some(HeaderValue::from_static("Bearer sk-own")));
        for (body, expected) in [
            ("{\"error\":{\"code\":\"invalid_api_key\"}}", true),
            ("Your API key does not have access.", true),
            ("The token sk-own is over.", true),
            ("{\"reason\":\"API_KEY_SERVICE_BLOCKED\"}", true),
            ("The model is not for your region.", false),
            ("Bearer", false),
            ("", false),
        ] {
            assert_eq!(own.is_named_in(body.as_bytes()), expected, "{body}");
        }
    }
}
