use std::{
    io::{self, ErrorKind},
    net::SocketAddr,
};

use tokio::net::{TcpListener, TcpSocket};

use crate::{
    config::{AddressOrOff, Settings},
    failure::Failure,
    finding::Finding,
    operator::RunningKeygate,
};

const CHECK: &str = "port";

/// The sockets on which the program is reached.
#[derive(Default)]
pub(crate) struct Listeners {
    pub(super) http: Option<TcpListener>,
    pub(super) gateway: Option<TcpListener>,
    pub(super) ext_authz: Option<TcpListener>,
    pub(super) metrics: Option<TcpListener>,
}

/// An address on which to listen.
#[derive(Debug, Clone, Copy)]
struct Place {
    address: SocketAddr,
    /// The setting that says so.
    setting: &'static str,
    /// Whether nothing goes without it.
    is_needed: bool,
}

impl Place {
    const fn needed(address: SocketAddr, setting: &'static str) -> Self {
        Self {
            address,
            setting,
            is_needed: true,
        }
    }
}

impl Listeners {
    /// Listens on all addresses that are free. What a keygate that runs on this data listens on is its own.
    pub(crate) fn bind(
        settings: &Settings,
        running: Option<&RunningKeygate>,
    ) -> (Self, Vec<Finding>) {
        const METRICS: &str = "metrics.listen (--metrics-listen)";
        let http = Place::needed(settings.server.listen, "--listen");
        let gateway = settings.gateway.listen;
        let gateway = gateway.map(|address| Place::needed(address, "gateway.listen"));
        let ext_authz = settings.ext_authz.listen;
        let ext_authz = ext_authz.map(|address| Place::needed(address, "ext_authz.listen"));
        let metrics = match settings.metrics.listen.value {
            AddressOrOff::Off => None,
            AddressOrOff::At(address) => Some(Place {
                is_needed: !settings.metrics.listen.is_default,
                ..Place::needed(address, METRICS)
            }),
        };
        let mut binding = Binding {
            running,
            taken: Vec::new(),
            found: Vec::new(),
        };
        let listeners = Self {
            http: binding.bind(Some(http)),
            gateway: binding.bind(gateway),
            ext_authz: binding.bind(ext_authz),
            metrics: binding.bind(metrics),
        };
        (listeners, binding.found)
    }
}

struct Binding<'a> {
    running: Option<&'a RunningKeygate>,
    /// The places before, each with its own listener.
    taken: Vec<Place>,
    found: Vec<Finding>,
}

impl Binding<'_> {
    fn bind(&mut self, place: Option<Place>) -> Option<TcpListener> {
        let place = place?;
        let bound = self.try_bind(place);
        self.taken.push(place);
        match bound {
            Ok(listener) => {
                let is_held = listener.is_none();
                self.found.push(said(place.address, is_held));
                listener
            }
            Err(why) => {
                self.found.push(refusal(place, &why));
                None
            }
        }
    }

    /// Listens there; nothing, where the keygate that runs does. Else, why it cannot be done.
    fn try_bind(&self, place: Place) -> Result<Option<TcpListener>, String> {
        let Place { address, .. } = place;
        // The system would give the same port of two names to one of them only when both are bound.
        let twin = |is_twin: fn(SocketAddr, SocketAddr) -> bool| {
            let twin = self
                .taken
                .iter()
                .find(|taken| is_twin(taken.address, address));
            twin.map(|twin| format!("it is that of {}, too", twin.setting))
        };
        if let Some(why) = twin(is_same) {
            return Err(why);
        }
        let error = match listen(address) {
            Ok(listener) => return Ok(Some(listener)),
            Err(error) => error,
        };
        match error.kind() {
            ErrorKind::AddrInUse => match twin(overlap) {
                Some(why) => Err(why),
                None if self.is_held_by_running(address) => Ok(None),
                None => Err("another program listens there".to_owned()),
            },
            ErrorKind::PermissionDenied if address.port() < 1024 => Err(format!(
                "{error}, which takes CAP_NET_BIND_SERVICE for a port below 1024"
            )),
            _ => Err(error.to_string()),
        }
    }

    fn is_held_by_running(&self, address: SocketAddr) -> bool {
        self.running
            .is_some_and(|running| match &running.addresses {
                // It is of a version that does not say.
                None => true,
                Some(addresses) => addresses.iter().any(|held| overlap(*held, address)),
            })
    }
}

/// The system keeps as many connections waiting to be accepted as it has room for, at most so many. Once there is
/// no more room, a client may take itself for connected where the system knows nothing of it.
const BACKLOG: u32 = 4_096;

fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = match address {
        SocketAddr::V4(_) => TcpSocket::new_v4(),
        SocketAddr::V6(_) => TcpSocket::new_v6(),
    }?;
    // A start right after a stop finds connections of before that are not forgotten yet.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

fn said(address: SocketAddr, is_held: bool) -> Finding {
    Finding::ok(
        CHECK,
        if is_held {
            format!("{address} is in use, and this keygate runs.")
        } else {
            format!("{address} is free.")
        },
    )
}

/// Where nobody has asked for metrics, nothing fails without them: there may well be several keygates
/// on a machine.
fn refusal(place: Place, why: &str) -> Finding {
    let Place {
        address, setting, ..
    } = place;
    let refused =
        format!("Cannot listen on {address}: {why}. Choose another address with {setting}.");
    if place.is_needed {
        return Finding::failure(CHECK, &Failure::new(refused));
    }
    Finding::warning(
        CHECK,
        "There are no metrics.",
        format!("{refused} Where none are wanted, set it to \"off\"."),
    )
}

/// Port 0 is any that is free, so another one each time.
fn is_same(one: SocketAddr, other: SocketAddr) -> bool {
    one == other && one.port() != 0
}

/// Whether one may be part of what the other listens on: all addresses of a machine have each of them.
fn overlap(one: SocketAddr, other: SocketAddr) -> bool {
    let is_any = |address: SocketAddr| address.ip().is_unspecified();
    one.port() == other.port()
        && one.port() != 0
        && (one.ip() == other.ip() || is_any(one) || is_any(other))
}
