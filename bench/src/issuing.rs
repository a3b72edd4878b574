//! How many keys are issued a second, each durable before it is answered.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use crate::{
    Failure,
    contest::{Turn, measure},
    keys,
    load::{Load, Shape},
    rivals::{Running, keygate},
    world::World,
};

pub(crate) const CONNECTIONS: u32 = 64;
/// Each may have a hundred keys, which is more than there is time for.
const ACCOUNTS: usize = 2_000;

/// `POST /api/keys`, over and over, by many accounts.
pub(crate) fn issuing(world: &World, time: Duration) -> Result<Turn, Failure> {
    let cookies = cookies(world)?;
    let running = Running::one(|port| keygate::serve(world, port))?;
    let load = load(world, &cookies)?;
    let url = format!("http://127.0.0.1:{}/api/keys", running.port);
    load.succeed(&url, CONNECTIONS, Duration::from_secs(1))?;
    measure(&running, || load.succeed(&url, CONNECTIONS, time))
}

/// Signs accounts in, unless they are; the file with their cookies.
pub(crate) fn cookies(world: &World) -> Result<PathBuf, Failure> {
    let cookies = world.folder().join("cookies");
    if cookies.exists() {
        return Ok(cookies);
    }
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(keys::sign_in(&world.data(), ACCOUNTS, &cookies))?;
    Ok(cookies)
}

pub(crate) fn load(world: &World, cookies: &Path) -> Result<Load, Failure> {
    let shape = Shape {
        method: "POST",
        line: ("Cookie", "LINE"),
        headers: &[("Content-Type", "application/json")],
        body: r#"{"name":"bench"}"#,
    };
    Load::new(world.folder(), cookies, shape)
}
