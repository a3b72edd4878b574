use std::{path::Path, process::Command};

use crate::{
    scenario::World,
    support::{Page, Proxy, replace, write},
};

/// What Debian's own configuration has around the files in `conf.d`, less what needs root.
const AROUND: &str = "\
daemon off; pid FOLDER/pid; error_log stderr;
events {}
http {
    access_log off;
    client_body_temp_path FOLDER/body; proxy_temp_path FOLDER/proxy; fastcgi_temp_path FOLDER/fastcgi;
    uwsgi_temp_path FOLDER/uwsgi; scgi_temp_path FOLDER/scgi;
    PAGE
}
";

/// nginx with what a page says.
pub(crate) fn command(folder: &Path, page: &str) -> Command {
    let text = AROUND
        .replace("PAGE", page)
        .replace("FOLDER", &folder.to_string_lossy());
    let mut command = Command::new("nginx");
    command.arg("-p").arg(folder);
    command.arg("-c").arg(write(folder, "nginx.conf", &text));
    command
}

fn start(world: &World, api: &str) -> Proxy {
    let page = Page::read("integrations/nginx.md");
    Proxy::start(|folder, port| {
        let page = replace(
            page.block("nginx"),
            &[
                ("127.0.0.1:8080", &world.keygate()),
                ("127.0.0.1:9000", api),
                ("listen 80;", &format!("listen 127.0.0.1:{port};")),
            ],
        );
        command(folder, &page)
    })
}

#[tokio::test]
async fn nginx_lets_nobody_in_whom_keygate_does_not() {
    World::new().await.holds_behind(start).await;
}
