use std::path::Path;

use crate::{Failure, server::write_config, world::World};

/// Where `cargo xtask bench` has pip put it.
const PROGRAM: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../target/test-tools/venv/bin/envoy"
);

const ROUTER: &str = "{ name: envoy.filters.http.router, typed_config: { \"@type\": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router } }";

/// Envoy's own check of keys, before an answer of its own or the upstream.
pub(crate) fn api_keys(world: &World, port: u16, pass: bool) -> Result<Vec<String>, Failure> {
    let keys = world.read_keys()?;
    let credentials = keys.iter().enumerate().map(|(number, key)| {
        format!("              - {{ key: \"{key}\", client: \"client{number}\" }}\n")
    });
    let route = if pass {
        "route: { cluster: upstream }, request_headers_to_remove: [Authorization]"
    } else {
        "direct_response: { status: 204 }"
    };
    let filter = format!(
        "          - name: envoy.filters.http.api_key_auth
            typed_config:
              \"@type\": type.googleapis.com/envoy.extensions.filters.http.api_key_auth.v3.ApiKeyAuth
              key_sources: [ {{ header: Authorization }} ]
              credentials:
{}",
        credentials.collect::<String>()
    );
    start(world, "api-keys", port, &filter, route)
}

fn start(
    world: &World,
    name: &str,
    port: u16,
    filters: &str,
    route: &str,
) -> Result<Vec<String>, Failure> {
    let upstream = world.upstream_port;
    let text = format!(
        "static_resources:
  listeners:
  - address: {{ socket_address: {{ address: 127.0.0.1, port_value: {port} }} }}
    filter_chains:
    - filters:
      - name: envoy.filters.network.http_connection_manager
        typed_config:
          \"@type\": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
          stat_prefix: http
          generate_request_id: false
          route_config:
            virtual_hosts:
            - name: all
              domains: [\"*\"]
              routes: [ {{ match: {{ prefix: / }}, {route} }} ]
          http_filters:
{filters}          - {ROUTER}
  clusters:
  - name: upstream
    type: STATIC
    load_assignment:
      cluster_name: upstream
      endpoints: [ {{ lb_endpoints: [ {{ endpoint: {{ address: {{ socket_address: {{ address: 127.0.0.1, port_value: {upstream} }} }} }} }} ] }} ]
"
    );
    configured(world.folder(), name, &text)
}

pub(super) fn configured(folder: &Path, name: &str, text: &str) -> Result<Vec<String>, Failure> {
    let path = write_config(folder, &format!("envoy-{name}.yaml"), text)?;
    let command = [
        PROGRAM,
        "-c",
        &path,
        "--concurrency",
        "1",
        "--disable-hot-restart",
        "-l",
        "error",
    ];
    Ok(command.map(str::to_owned).into())
}
