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
