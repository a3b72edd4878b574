//! What can be done with keys.

mod issue;
mod list;
mod revoke;
mod update;

pub use issue::{IssueKey, Issued, IssuedKey};

use keygate_core::{Code, Problem, Timestamp, key::KeyName};

use crate::parse_moment;

/// Takes the name that somebody gives a key.
pub fn parse_key_name(name: &str) -> Result<KeyName, Problem> {
    KeyName::parse(name).map_err(|rule| Problem::invalid_parameter("name", rule))
}

/// Takes the end that somebody gives a key, in RFC 3339.
pub fn parse_expires_at(text: &str) -> Result<Timestamp, Problem> {
    parse_moment("expires_at", text)
}

fn key_not_found() -> Problem {
    Problem::new(Code::KeyNotFound, "There is no such API key.")
}

fn key_total_reached(max_total: u32) -> Problem {
    Problem::new(
        Code::KeyLimitReached,
        format!(
            "The account has {max_total} API keys, which is the most it may have, those that are switched off or have expired \
             included. Delete some that are not needed any more first."
        ),
    )
}

fn key_limit_reached(max_active: u32) -> Problem {
    Problem::new(
        Code::KeyLimitReached,
        format!(
            "The account has {max_active} active API keys, which is the most it may have. Switch one off or delete it first."
        ),
    )
}
