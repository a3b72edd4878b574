//! Proxies that ask keygate about each request, configured as `docs/integrations` says.

use super::{Running, envoy, keygate};
use crate::{
    Failure,
    nginx_config::configured,
    server::{SERVER_CORE, Server, write_config},
    world::{World, free_port},
};

/// keygate on two ports of its own, and where the proxy before it listens.
struct Ports {
    proxy: u16,
    keygate: u16,
    ext_authz: u16,
}

/// nginx with `auth_request`.
pub(crate) fn nginx(world: &World) -> Result<Running, Failure> {
    running(world, |ports| {
        let page = block("nginx.md", "nginx")?;
        let page = ports
            .fill(world, &page)
            .replace("listen 80;", &format!("listen 127.0.0.1:{};", ports.proxy));
        configured(world.folder(), "asking", &page)
    })
}

/// Caddy with `forward_auth`.
pub(crate) fn caddy(world: &World) -> Result<Running, Failure> {
    running(world, |ports| {
        let page = block("caddy.md", "caddyfile")?;
        let site = format!("http://:{} {{\n\tbind 127.0.0.1", ports.proxy);
        let page = ports.fill(world, &page).replace("http://:80 {", &site);
        let text = format!("{{\n\tadmin off\n}}\n{page}");
        let path = write_config(world.folder(), "Caddyfile", &text)?;
        let folder = world.folder().to_string_lossy();
        let home = |name| format!("{name}={folder}");
        let command = [
            "env",
            &home("HOME"),
            &home("XDG_DATA_HOME"),
            &home("XDG_CONFIG_HOME"),
            "caddy",
            "run",
            "--adapter",
            "caddyfile",
            "--config",
            &path,
        ];
        Ok(command.map(str::to_owned).into())
    })
}

/// Envoy with `ext_authz` over gRPC.
pub(crate) fn envoy(world: &World) -> Result<Running, Failure> {
    running(world, |ports| {
        let socket = |port: u16| format!("address: 127.0.0.1, port_value: {port} ");
        let page = block("envoy.md", "yaml")?
            .replace("address: 0.0.0.0, port_value: 80 ", &socket(ports.proxy))
            .replace(&socket(9191), &socket(ports.ext_authz))
            .replace(&socket(9000), &socket(world.upstream_port));
        envoy::configured(world.folder(), "asking", &page)
    })
}

fn running(
    world: &World,
    command: impl FnOnce(&Ports) -> Result<Vec<String>, Failure>,
) -> Result<Running, Failure> {
    let ports = Ports {
        proxy: free_port()?,
        keygate: free_port()?,
        ext_authz: free_port()?,
    };
    let asked = keygate::asked(world, ports.keygate, ports.ext_authz)?;
    let asked = Server::start(SERVER_CORE, &asked, ports.keygate)?;
    let proxy = Server::start(SERVER_CORE, &command(&ports)?, ports.proxy)?;
    Ok(Running {
        servers: vec![proxy, asked],
        port: ports.proxy,
    })
}

impl Ports {
    fn fill(&self, world: &World, page: &str) -> String {
        page.replace("127.0.0.1:8080", &format!("127.0.0.1:{}", self.keygate))
            .replace(
                "127.0.0.1:9000",
                &format!("127.0.0.1:{}", world.upstream_port),
            )
    }
}

/// The first block in this language on a page of `docs/integrations`.
fn block(page: &str, language: &str) -> Result<String, Failure> {
    const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/integrations");
    let text = std::fs::read_to_string(format!("{FOLDER}/{page}"))?;
    let block = text
        .split_once(&format!("```{language}\n"))
        .and_then(|(_, rest)| rest.split_once("```"));
    let (block, _) = block.ok_or_else(|| format!("{page} has no block of {language}"))?;
    Ok(block.to_owned())
}
