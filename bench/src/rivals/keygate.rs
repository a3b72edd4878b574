use std::path::Path;

use crate::{
    Failure,
    server::{keygate_program, write_config},
    world::World,
};

/// How nginx would ask about a request.
pub(crate) const QUESTION: &[(&str, &str)] = &[
    ("X-Original-Method", "GET"),
    ("X-Original-URI", "/v1/models"),
];

/// What the express lane leaves to the HTTP library, for as long as the connection lasts.
const UNUSUAL: (&str, &str) = ("Connection", "keep-alive, x-unusual");

/// What no request needs but to be served by the HTTP library.
pub(crate) const BY_LIBRARY: &[(&str, &str)] = &[UNUSUAL];

/// The question in the same way.
pub(crate) const QUESTION_BY_LIBRARY: &[(&str, &str)] = &[QUESTION[0], QUESTION[1], UNUSUAL];

const CONFIG: &str = "\
[server]
trusted_proxies = [\"127.0.0.1\"]
[keys]
max_active = 100
[metrics]
listen = \"127.0.0.1:0\"
";

/// The program before the upstream, with everything on.
pub(crate) fn serve(world: &World, port: u16) -> Result<Vec<String>, Failure> {
    command(
        world.folder(),
        &world.data(),
        port,
        Some(world.upstream_port),
    )
}

/// The program without an upstream, with a listener for Envoy as well.
pub(crate) fn asked(world: &World, port: u16, ext_authz_port: u16) -> Result<Vec<String>, Failure> {
    let config = format!("{CONFIG}[ext_authz]\nlisten = \"127.0.0.1:{ext_authz_port}\"\n");
    configured(world.folder(), &world.data(), port, &config)
}

/// The program on this data folder, with more in its configuration.
pub(crate) fn with_more(
    folder: &Path,
    data: &Path,
    port: u16,
    more: &str,
) -> Result<Vec<String>, Failure> {
    configured(folder, data, port, &format!("{CONFIG}{more}"))
}

/// The program on a database elsewhere.
pub(crate) fn on_database(world: &World, port: u16, url: &str) -> Result<Vec<String>, Failure> {
    let data = world.folder().join("node");
    let mut command = configured(world.folder(), &data, port, CONFIG)?;
    command.extend(["--database".to_owned(), url.to_owned()]);
    Ok(command)
}

/// The program on this data folder.
pub(crate) fn command(
    folder: &Path,
    data: &Path,
    port: u16,
    upstream_port: Option<u16>,
) -> Result<Vec<String>, Failure> {
    let mut command = configured(folder, data, port, CONFIG)?;
    if let Some(port) = upstream_port {
        command.push("--upstream".to_owned());
        command.push(format!("http://127.0.0.1:{port}"));
    }
    Ok(command)
}

fn configured(folder: &Path, data: &Path, port: u16, config: &str) -> Result<Vec<String>, Failure> {
    let mut command = vec![keygate_program()?];
    let config = write_config(folder, "keygate.toml", config)?;
    let listen = format!("127.0.0.1:{port}");
    let data = data.to_string_lossy();
    for part in [
        "serve", "--config", &config, "--data", &data, "--listen", &listen, "--log", "warn",
    ] {
        command.push(part.to_owned());
    }
    Ok(command)
}
