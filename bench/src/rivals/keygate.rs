use super::write;
use crate::{Failure, world::World};

/// The program before the upstream, with everything on.
pub(crate) fn serve(world: &World, port: u16) -> Result<Vec<String>, Failure> {
    let program = std::env::current_exe()?.with_file_name("keygate");
    let config = "[server]\ntrusted_proxies = [\"127.0.0.1\"]\n";
    let config = write(world.folder(), "keygate.toml", config)?;
    let listen = format!("127.0.0.1:{port}");
    let upstream = format!("http://127.0.0.1:{}", world.upstream_port);
    let (program, data) = (program.to_string_lossy(), world.data());
    let data = data.to_string_lossy();
    let command = [
        &*program,
        "serve",
        "--config",
        &config,
        "--data",
        &*data,
        "--listen",
        &listen,
        "--upstream",
        &upstream,
        "--log",
        "warn",
    ];
    Ok(command.map(str::to_owned).into())
}
