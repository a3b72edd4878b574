//! By which addresses other machines reach the program.

use std::net::{IpAddr, SocketAddr};

use rustix::system::uname;

/// How the program is reached from other machines, where its operator has said no public address.
pub(crate) struct Network {
    /// One for each address of this machine on which it listens, like `http://192.0.2.7:8080`.
    pub(crate) urls: Vec<String>,
    /// The same by this machine's name, which is not believed before the operator says so.
    pub(crate) by_name: String,
}

impl Network {
    /// Nothing, where only this machine reaches what listens on `address`.
    pub(crate) fn of(address: SocketAddr) -> Option<Self> {
        if address.ip().is_loopback() {
            return None;
        }
        let port = address.port();
        let addresses = addresses(address.ip()).into_iter();
        let urls = addresses.map(|ip| format!("http://{}", SocketAddr::new(ip, port)));
        Some(Self {
            urls: urls.collect(),
            by_name: format!("http://{}:{port}", name()),
        })
    }
}

/// Those of this machine on which a listener on `listens` is reached by others.
fn addresses(listens: IpAddr) -> Vec<IpAddr> {
    if !listens.is_unspecified() {
        return vec![listens];
    }
    // It is a help to whoever starts it, and no more.
    let interfaces = if_addrs::get_if_addrs().unwrap_or_default();
    let addresses = interfaces.iter().map(if_addrs::Interface::ip);
    let is_reached = |address: &IpAddr| match address {
        IpAddr::V4(_) => true,
        // Those of one link need its name, too, which browsers do not take.
        IpAddr::V6(address) => listens.is_ipv6() && !address.is_unicast_link_local(),
    };
    let mut found: Vec<IpAddr> = addresses
        .filter(|address| !address.is_loopback() && is_reached(address))
        .collect();
    found.dedup();
    found
}

/// What this machine is called, or what one could be called.
fn name() -> String {
    let name = uname().nodename().to_string_lossy().to_ascii_lowercase();
    let is_plain = name
        .bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || b"-.".contains(&byte));
    if name.is_empty() || !is_plain || name.starts_with("localhost") {
        return "gpubox".to_owned();
    }
    name
}
