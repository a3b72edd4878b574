use std::path::Path;

use super::write;
use crate::{Failure, world::World};

pub(crate) const NO_CONTENT: &str = "return 204;";

const MAIN: &str = "\
daemon off; master_process off; pid FOLDER/PID; error_log /dev/null crit;
events { worker_connections 4096; }
http {
  access_log off; keepalive_requests 100000000; tcp_nodelay on;
  client_body_temp_path FOLDER/body; proxy_temp_path FOLDER/proxy; fastcgi_temp_path FOLDER/fastcgi;
  uwsgi_temp_path FOLDER/uwsgi; scgi_temp_path FOLDER/scgi;
INSIDE}
";

/// 100 bytes for whoever asks.
pub(crate) fn upstream(folder: &Path, port: u16) -> Result<Vec<String>, Failure> {
    let body = "x".repeat(100);
    let server = format!(
        "server {{ listen 127.0.0.1:{port}; location / {{ default_type text/plain; return 200 {body}; }} }}\n"
    );
    configured(folder, "upstream", &server)
}

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

pub(super) fn configured(folder: &Path, name: &str, inside: &str) -> Result<Vec<String>, Failure> {
    let text = MAIN
        .replace("PID", &format!("{name}.pid"))
        .replace("INSIDE", inside)
        .replace("FOLDER", &folder.to_string_lossy());
    let path = write(folder, &format!("nginx-{name}.conf"), &text)?;
    let folder = folder.to_string_lossy().into_owned();
    Ok([
        "nginx".to_owned(),
        "-p".to_owned(),
        folder,
        "-c".to_owned(),
        path,
    ]
    .into())
}
