//! What nginx is told in each of its parts: upstream, rival, and proxy that asks.

use std::path::Path;

use crate::{Failure, server::write_config};

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

/// The command that runs nginx with this inside its `http` block.
pub(crate) fn configured(folder: &Path, name: &str, inside: &str) -> Result<Vec<String>, Failure> {
    let text = MAIN
        .replace("PID", &format!("{name}.pid"))
        .replace("INSIDE", inside)
        .replace("FOLDER", &folder.to_string_lossy());
    let path = write_config(folder, &format!("nginx-{name}.conf"), &text)?;
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
