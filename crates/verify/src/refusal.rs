use std::time::Duration;

use bytes::Bytes;
use http::{HeaderValue, Response, header::WWW_AUTHENTICATE};
use keygate_core::{Code, Denial, Problem};
use keygate_http::{Delay, problem_response};
use keygate_storage::StorageError;

/// Why a request is refused.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Refusal {
    /// The key is not accepted for this request.
    #[error(transparent)]
    Denied(#[from] Denial),
    /// The database was needed and did not give a usable answer.
    #[error(transparent)]
    Unavailable(#[from] StorageError),
    /// The client has presented too many keys that do not exist and has to wait for this long.
    #[error("too many keys that do not exist")]
    TooMany(Duration),
}

/// How long a client waits for its refusal once it has tried too many keys: it could ask again at
/// once otherwise, at the expense of the others.
const TARPIT: Duration = Duration::from_secs(1);

impl From<&Refusal> for Problem {
    fn from(refusal: &Refusal) -> Self {
        match refusal {
            Refusal::Denied(denial) => Self::from(*denial),
            Refusal::Unavailable(error) => Self::from(error),
            Refusal::TooMany(wait) => {
                let message =
                    "Too many API keys that do not exist came from this address. Wait a little.";
                Self::new(Code::RateLimitExceeded, message).with_retry_after(*wait)
            }
        }
    }
}

/// The response to a request that is refused.
pub fn refusal_response<B: From<Bytes>>(refusal: &Refusal) -> Response<B> {
    let mut response: Response<Vec<u8>> = problem_response(&Problem::from(refusal));
    match refusal {
        Refusal::Denied(denial) => {
            let challenge = challenge(*denial).map(|challenge| (WWW_AUTHENTICATE, challenge));
            response.headers_mut().extend(challenge);
        }
        Refusal::TooMany(_) => {
            response.extensions_mut().insert(Delay(TARPIT));
        }
        Refusal::Unavailable(_) => {}
    }
    response.map(|body| B::from(body.into()))
}

/// What RFC 6750 section 3 has a refusal say: no error where no key was given at all.
fn challenge(denial: Denial) -> Option<HeaderValue> {
    let challenge = match denial {
        Denial::Missing => "Bearer realm=\"keygate\"".to_owned(),
        Denial::Misused(_) | Denial::Invalid | Denial::Revoked | Denial::Expired => {
            "Bearer realm=\"keygate\", error=\"invalid_token\"".to_owned()
        }
        Denial::InsufficientScope(scope) => {
            format!("Bearer realm=\"keygate\", error=\"insufficient_scope\", scope=\"{scope}\"")
        }
        Denial::AccountSuspended => return None,
    };
    Some(HeaderValue::try_from(challenge).expect("plain ASCII"))
}
