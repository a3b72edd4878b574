use std::process::Command;

use crate::{
    cluster::Cluster,
    support::{Page, Proxy, replace, write},
};

/// What the clients of the tests do without.
const TLS: &str = "    bind :443 ssl crt /etc/haproxy/keys.example.com.pem
    http-request redirect scheme https unless { ssl_fc }
";

/// The balancer of the page on scaling, before three nodes.
pub fn balancer(cluster: &Cluster) -> Proxy {
    let page = Page::read("scaling.md");
    Proxy::start(|folder, port| {
        let address = |node: usize| cluster.nodes[node].url.replace("http://", "");
        let text = replace(
            page.block("haproxy"),
            &[
                ("bind :80\n", &format!("bind 127.0.0.1:{port}\n")),
                (TLS, ""),
                ("10.0.0.1:8080", &address(0)),
                ("10.0.0.2:8080", &address(1)),
                ("10.0.0.3:8080", &address(2)),
            ],
        );
        let mut command = Command::new("haproxy");
        command.arg("-db").arg("-f");
        command.arg(write(folder, "haproxy.cfg", &text));
        command
    })
}
