use std::{path::Path, process::Command};

use crate::{
    scenario::World,
    support::{Page, Proxy, replace, write},
};

/// Keeps it from its administration port.
const GLOBAL: &str = "{\n\tadmin off\n}\n";

/// Caddy with this file, and all of its own in the folder.
pub(crate) fn command(folder: &Path, text: &str) -> Command {
    let mut command = Command::new("caddy");
    let file = write(folder, "Caddyfile", text);
    command.args(["run", "--adapter", "caddyfile", "--config", &file]);
    for variable in ["HOME", "XDG_DATA_HOME", "XDG_CONFIG_HOME"] {
        command.env(variable, folder);
    }
    command
}

fn start(world: &World, api: &str) -> Proxy {
    let page = Page::read("integrations/caddy.md");
    Proxy::start(|folder, port| {
        let site = replace(
            page.block("caddyfile"),
            &[
                ("127.0.0.1:8080", &world.keygate()),
                ("127.0.0.1:9000", api),
                (
                    "http://:80 {",
                    &format!("http://:{port} {{\n\tbind 127.0.0.1"),
                ),
            ],
        );
        command(folder, &format!("{GLOBAL}{site}"))
    })
}

#[tokio::test]
async fn caddy_lets_nobody_in_whom_keygate_does_not() {
    World::new().await.holds_behind(start).await;
}
