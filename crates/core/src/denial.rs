//! The error that a denied client gets.

use crate::{Code, Denial, Misuse, Problem};

impl From<Denial> for Problem {
    fn from(denial: Denial) -> Self {
        match denial {
            Denial::Missing => Self::new(
                Code::InvalidApiKey,
                "No API key was given. Send it as \"Authorization: Bearer <key>\".",
            ),
            Denial::Misused(misuse) => Self::new(Code::InvalidApiKey, advice(misuse)),
            Denial::Invalid => Self::new(
                Code::InvalidApiKey,
                "The API key is not valid. Check that it is complete and was not deleted.",
            ),
            Denial::Revoked => Self::new(
                Code::ApiKeyRevoked,
                "The API key is inactive. Its owner can activate it again.",
            ),
            Denial::Expired => Self::new(
                Code::ApiKeyExpired,
                "The API key has expired. Create a new one.",
            ),
            Denial::AccountSuspended => Self::new(
                Code::AccountSuspended,
                "The account is suspended. Ask the operator of this service.",
            ),
            Denial::InsufficientScope(scope) => Self::new(
                Code::InsufficientScope,
                format!("This needs an API key with the scope \"{scope}\"."),
            ),
        }
    }
}

/// The message for a client that presents its key in the wrong way.
const fn advice(misuse: Misuse) -> &'static str {
    match misuse {
        Misuse::OtherScheme => {
            "The Authorization header does not have the scheme Bearer. Send the API key as \"Authorization: Bearer <key>\"."
        }
        Misuse::NotAlone => {
            "The header contains more than the API key: quotes, a second key or other words. Send the key alone."
        }
        Misuse::HeaderTwice => "The header with the API key was sent twice. Send it once.",
        Misuse::TwoKeys => "Two different API keys were sent. Send one.",
        Misuse::InAddress => {
            "The address contains an API key, and addresses end up in logs. Send the key in a header instead, and replace this one."
        }
        Misuse::InOtherHeader => {
            "An API key was sent in a header that is not meant for it. Send it only in Authorization, x-api-key, api-key or x-goog-api-key."
        }
    }
}
