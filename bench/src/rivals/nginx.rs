use crate::{Failure, nginx_config::configured, world::World};

pub(crate) const NO_CONTENT: &str = "return 204;";

/// What passes a request on, over connections that are kept.
pub(crate) const PASS: &str = "proxy_pass http://upstream; proxy_http_version 1.1; \
    proxy_set_header Connection \"\"; proxy_set_header Authorization \"\"; proxy_buffering off;";

fn upstream_block(world: &World) -> String {
    let port = world.upstream_port;
    format!(
        "upstream upstream {{ server 127.0.0.1:{port}; keepalive 64; keepalive_requests 100000000; }}\n"
    )
}

/// Does `action` for every request.
pub(crate) fn open(world: &World, port: u16, action: &str) -> Result<Vec<String>, Failure> {
    let server = format!(
        "{}server {{ listen 127.0.0.1:{port}; location / {{ {action} }} }}\n",
        upstream_block(world)
    );
    configured(world.folder(), "open", &server)
}

/// Does `action` for requests with a key in a static map.
pub(crate) fn map(world: &World, port: u16, action: &str) -> Result<Vec<String>, Failure> {
    let keys = world.read_keys()?;
    let lines = keys.iter().map(|key| format!("\"Bearer {key}\" 1;\n"));
    let inside = format!(
        "map_hash_max_size 262144; map_hash_bucket_size 128;\n\
         map $http_authorization $good {{ default 0;\n{}}}\n{}\
         server {{ listen 127.0.0.1:{port}; location / {{ if ($good = 0) {{ return 401; }} {action} }} }}\n",
        lines.collect::<String>(),
        upstream_block(world),
    );
    configured(world.folder(), "map", &inside)
}
