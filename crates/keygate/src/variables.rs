//! Variables that are empty.

use std::{ffi::OsString, io, os::unix::process::CommandExt, process::Command};

/// How the names of those begin that the program or a library in it reads.
const READ: [&str; 7] = [
    "KEYGATE_",
    "PG",
    "OTEL_",
    "NO_COLOR",
    "SSL_CERT_",
    "TMPDIR",
    "HOME",
];

/// Begins the program again without them, if there are any: an empty variable means that it is not set, and
/// every library that reads one has a view of its own on that.
pub(crate) fn drop_empty() -> io::Result<()> {
    let empty: Vec<OsString> = std::env::vars_os()
        .filter(|(name, value)| value.is_empty() && is_read(name))
        .map(|(name, _)| name)
        .collect();
    if empty.is_empty() {
        return Ok(());
    }
    let mut arguments = std::env::args_os();
    let mut program = Command::new(std::env::current_exe()?);
    if let Some(name) = arguments.next() {
        program.arg0(name);
    }
    program.args(arguments);
    for name in empty {
        program.env_remove(name);
    }
    Err(program.exec())
}

fn is_read(name: &std::ffi::OsStr) -> bool {
    let name = name.to_string_lossy();
    READ.iter().any(|beginning| name.starts_with(beginning))
}
