use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::failure::Failure;

/// How many files and connections may be open; `None` for any number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct OpenFiles {
    /// What holds now.
    pub(crate) soft: Option<u64>,
    /// As far as this user may raise it.
    pub(crate) hard: Option<u64>,
}

pub(crate) fn open_files() -> OpenFiles {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    OpenFiles {
        soft: current,
        hard: maximum,
    }
}

/// Fewer than it takes to start, and to answer anybody.
const FEWEST: u64 = 64;
/// Where the hard limit is raised.
pub(crate) const WHERE_TO_RAISE: &str =
    "LimitNOFILE= of systemd's unit, --ulimit nofile= of a container, or ulimit -Hn.";

/// Refuses a limit under which no server could work.
pub(crate) fn check_open_files() -> Result<(), Failure> {
    match open_files().hard {
        Some(hard) if hard < FEWEST => Err(Failure::new(format!(
            "No more than {hard} files and connections may be open at a time, and it takes {FEWEST} at least. Raise the hard limit: {WHERE_TO_RAISE}"
        ))),
        _ => Ok(()),
    }
}

/// Raises the limit on open files as far as this user may. Each client has one, and each request another
/// at its upstream; the usual soft limit of 1,024 is for programs that use `select`.
pub(super) fn raise_limit() {
    let maximum = getrlimit(Resource::Nofile).maximum;
    let raised = Rlimit {
        current: maximum,
        maximum,
    };
    if let Err(error) = setrlimit(Resource::Nofile, raised) {
        tracing::warn!(%error, "the limit on open files could not be raised");
    }
}

/// How many connections there may be.
pub(super) struct Shares {
    /// From clients.
    pub(super) clients: usize,
    /// To upstreams.
    pub(super) upstreams: usize,
}

/// What is kept for the database, the operator's commands and whatever else is opened, at most.
const RESERVE: u64 = 64;
/// As many as nobody has.
const UNLIMITED: u64 = 1 << 40;

/// Shares out what may be open. Clients have a little more than half, so that with all connections to
/// upstreams in use there is still room for those who ask for something else.
pub(super) fn shares() -> Shares {
    share(open_files().soft.unwrap_or(UNLIMITED))
}

fn share(limit: u64) -> Shares {
    let limit = limit.min(UNLIMITED);
    let total = limit - RESERVE.min(limit / 4);
    let upstreams = total * 7 / 16;
    let number = |share: u64| usize::try_from(share).unwrap_or(usize::MAX).max(1);
    Shares {
        clients: number(total - upstreams),
        upstreams: number(upstreams),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn something_is_always_left_for_the_database_and_for_clients_without_an_upstream() {
        for (limit, clients, upstreams) in
            [(64, 27, 21), (1_024, 540, 420), (20_000, 11_214, 8_722)]
        {
            let shares = share(limit);
            assert_eq!((shares.clients, shares.upstreams), (clients, upstreams));
        }
        let most = share(u64::MAX);
        assert!(most.clients > most.upstreams);
    }
}
