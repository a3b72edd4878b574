use crate::{Failure, server::write_config, world::World};

pub(crate) const NO_CONTENT: &str = "  http-request return status 204\n";

/// What passes a request on, over connections that are kept.
pub(crate) fn pass(world: &World) -> String {
    let port = world.upstream_port;
    format!(
        "  http-request del-header Authorization\n  http-reuse always\n  \
         server upstream 127.0.0.1:{port} pool-max-conn 64\n"
    )
}

/// Does `action` for requests with a key in a static map.
pub(crate) fn map(world: &World, port: u16, action: &str) -> Result<Vec<String>, Failure> {
    let keys = world.read_keys()?;
    let lines = keys.iter().map(|key| format!("{key} 1\n"));
    let map = write_config(world.folder(), "haproxy.map", &lines.collect::<String>())?;
    let text = format!(
        "global\n  nbthread 1\n  maxconn 4096\ndefaults\n  mode http\n  timeout client 1m\n  \
         timeout server 1m\n  timeout connect 5s\nlisten all\n  bind 127.0.0.1:{port}\n  \
         http-request deny deny_status 401 unless {{ req.hdr(Authorization),word(2,' '),map_str({map}) -m found }}\n{action}"
    );
    let path = write_config(world.folder(), "haproxy.cfg", &text)?;
    Ok(["haproxy", "-db", "-f", &path].map(str::to_owned).into())
}
