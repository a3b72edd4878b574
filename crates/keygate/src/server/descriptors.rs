use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Raises the limit on open files as far as this user may. Each client has one, and each request another
/// at its upstream; the usual soft limit of 1,024 is for programs that use `select`.
pub(super) fn raise_limit() {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit {
        current: limit.maximum,
        maximum: limit.maximum,
    };
    if let Err(error) = setrlimit(Resource::Nofile, raised) {
        tracing::warn!(%error, "the limit on open files could not be raised");
    }
    let current = getrlimit(Resource::Nofile).current;
    tracing::info!(open_files = current, "the limit on open files");
}
