//! How many files and connections there may be at a time.

use super::Finding;
use crate::server::{OpenFiles, WHERE_TO_RAISE, open_files};

const CHECK: &str = "open files";
/// Below this a few hundred clients are too many.
const LITTLE: u64 = 4_096;

pub(super) fn check() -> Finding {
    judge(open_files())
}

fn judge(OpenFiles { soft, hard }: OpenFiles) -> Finding {
    let shown =
        |limit: Option<u64>| limit.map_or("any number".to_owned(), |limit| limit.to_string());
    let said = format!(
        "The limit is {} here (soft), and keygate raises it to {} when it starts (hard).",
        shown(soft),
        shown(hard)
    );
    if hard.is_some_and(|hard| hard < LITTLE) {
        return Finding::warning(
            CHECK,
            said,
            format!("Each client takes one, and each request another. Raise it: {WHERE_TO_RAISE}"),
        );
    }
    Finding::ok(CHECK, said)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finding::State;

    #[test]
    fn a_hard_limit_that_is_low_is_a_warning() {
        for (soft, hard, expected) in [
            (Some(1_024), Some(524_288), State::Ok),
            (Some(1_024), None, State::Ok),
            (None, None, State::Ok),
            (Some(1_024), Some(4_096), State::Ok),
            (Some(1_024), Some(4_095), State::Warning),
        ] {
            let found = judge(OpenFiles { soft, hard });
            assert_eq!(found.state, expected, "{}", found.message);
        }
    }
}
