use std::{path::Path, process::Command};

use crate::{
    scenario::World,
    support::{Page, Proxy, replace, write},
};

/// Where the test command has pip put it.
const PROGRAM: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../../target/test-tools/venv/bin/envoy"
);

fn envoy(text: impl FnOnce(u16) -> String) -> Proxy {
    assert!(
        Path::new(PROGRAM).exists(),
        "`cargo xtask test` installs Envoy"
    );
    Proxy::start(|folder, port| {
        let mut command = Command::new(PROGRAM);
        command.args(["-c", &write(folder, "envoy.yaml", &text(port))]);
        command.args(["--concurrency", "1", "--disable-hot-restart", "-l", "warn"]);
        command
    })
}

fn listener(port: u16) -> String {
    format!("address: 127.0.0.1, port_value: {port} ")
}

/// An address as Envoy writes it.
fn socket_address(address: &str) -> String {
    let (host, port) = address.split_once(':').expect("address and port");
    format!("address: {host}, port_value: {port} ")
}

fn over_grpc(world: &World, api: &str) -> Proxy {
    let page = Page::read("integrations/envoy.md");
    envoy(|port| {
        replace(
            page.blocks("yaml")[0],
            &[
                ("address: 0.0.0.0, port_value: 80 ", &listener(port)),
                (
                    &socket_address("127.0.0.1:9191"),
                    &socket_address(&world.ext_authz()),
                ),
                (&socket_address("127.0.0.1:9000"), &socket_address(api)),
            ],
        )
    })
}

fn over_http(world: &World, api: &str) -> Proxy {
    let page = Page::read("integrations/envoy.md");
    let [grpc, filter, removal, credentials] = page.blocks("yaml")[..] else {
        panic!("four blocks of YAML");
    };
    let own = |from: &str, to: &str| {
        let start = grpc.find(from).expect(from);
        let end = grpc[start..].find(to).expect(to) + start;
        &grpc[start..end]
    };
    let grpc_filter = own(
        "          - name: envoy.filters.http.ext_authz",
        "          - name: envoy.filters.http.router",
    );
    let http2 = own(
        "    typed_extension_protocol_options",
        "    load_assignment",
    );
    let pass = "                route: { cluster: api, timeout: 0s }\n";
    let idle = "          stream_idle_timeout: 600s\n";
    envoy(|port| {
        replace(
            grpc,
            &[
                (grpc_filter, filter),
                (http2, ""),
                (pass, &format!("{pass}{credentials}")),
                (idle, &format!("{idle}{removal}")),
                ("address: 0.0.0.0, port_value: 80 ", &listener(port)),
                (
                    &socket_address("127.0.0.1:9191"),
                    &socket_address(&world.keygate()),
                ),
                (&socket_address("127.0.0.1:9000"), &socket_address(api)),
            ],
        )
    })
}

#[tokio::test]
async fn envoy_over_grpc_lets_nobody_in_whom_keygate_does_not() {
    World::new().await.holds_behind(over_grpc).await;
}

#[tokio::test]
async fn envoy_over_http_lets_nobody_in_whom_keygate_does_not() {
    World::new().await.holds_behind(over_http).await;
}
