use std::process::Command;

use crate::{
    scenario::World,
    support::{Page, Proxy, replace, write},
};

fn start(world: &World, api: &str) -> Proxy {
    let page = Page::read("integrations/haproxy.md");
    Proxy::start(|folder, port| {
        let socket = folder.join("keygate.sock");
        let socket = ("/run/haproxy/keygate.sock", &*socket.to_string_lossy());
        let script = write(
            folder,
            "keygate.lua",
            &replace(page.block("lua"), &[socket]),
        );
        let text = replace(
            page.block("haproxy"),
            &[
                socket,
                ("/etc/haproxy/keygate.lua", &script),
                ("127.0.0.1:8080", &world.keygate()),
                ("127.0.0.1:9000", api),
                ("bind :80", &format!("bind 127.0.0.1:{port}")),
            ],
        );
        let mut command = Command::new("haproxy");
        command
            .arg("-db")
            .arg("-f")
            .arg(write(folder, "haproxy.cfg", &text));
        command
    })
}

#[tokio::test]
async fn haproxy_lets_nobody_in_whom_keygate_does_not() {
    World::new().await.holds_behind(start).await;
}
