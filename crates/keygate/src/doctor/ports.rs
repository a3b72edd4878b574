//! The ports on which keygate is to listen.

use std::{
    io::ErrorKind,
    net::{SocketAddr, TcpListener},
    path::Path,
};

use super::Finding;
use crate::operator;

const CHECK: &str = "port";

pub(super) async fn check(address: SocketAddr, data: &Path) -> Finding {
    // It is given back at once.
    let Err(error) = TcpListener::bind(address) else {
        return Finding::ok(CHECK, format!("{address} is free."));
    };
    match error.kind() {
        ErrorKind::AddrInUse if operator::is_running(data).await => Finding::ok(
            CHECK,
            format!("{address} is in use, and this keygate runs."),
        ),
        ErrorKind::AddrInUse => Finding::wrong(
            CHECK,
            format!("Another program listens on {address}."),
            "Stop it, or choose another address with --listen or in the configuration.",
        ),
        ErrorKind::PermissionDenied => Finding::wrong(
            CHECK,
            format!("This user may not listen on {address}."),
            "Choose a port above 1023, or give the program CAP_NET_BIND_SERVICE.",
        ),
        _ => Finding::wrong(
            CHECK,
            format!("{address} cannot be listened on ({error})."),
            "Choose an address of this machine with --listen.",
        ),
    }
}
