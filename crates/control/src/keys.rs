//! What can be done with keys.

mod issue;
mod list;
mod revoke;
mod update;

pub use issue::Issued;

use keygate_core::{Code, Problem};

fn key_not_found() -> Problem {
    Problem::new(Code::KeyNotFound, "There is no such API key.")
}

fn key_total_reached(max_total: u32) -> Problem {
    Problem::new(
        Code::KeyLimitReached,
        format!(
            "The account has {max_total} API keys, which is the most it may have, including inactive and expired \
             ones. Delete some that are no longer needed first."
        ),
    )
}

fn key_limit_reached(max_active: u32) -> Problem {
    Problem::new(
        Code::KeyLimitReached,
        format!(
            "The account has {max_active} active API keys, which is the most it may have. Deactivate or delete one first."
        ),
    )
}
