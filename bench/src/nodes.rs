//! What a node costs over PostgreSQL, and what the database carries.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use keygate_core::{Clock, KeyId, OsRandom, RecorderId, SystemClock};
use keygate_storage::{
    KeyUse, UsageFlush, UsageStore,
    tables::{TABLES, TableReader, Value},
};
use keygate_storage_postgres::{PostgresOptions, PostgresReader};
use tempfile::TempDir;

use crate::{
    Failure,
    contest::{Turn, measure},
    databases, issuing, keys,
    rivals::{Running, keygate},
    world::World,
};

/// How many keys move house.
const MOVING: usize = 1_000_000;
/// How many keys a node writes down at once that were used.
const USED: usize = 10_000;

/// What the database carries.
pub(crate) struct Nodes {
    pub(crate) issuing: Turn,
    pub(crate) copying: Duration,
    pub(crate) comparing: Duration,
    /// How many last uses it takes a second, from one node.
    pub(crate) uses_per_second: f64,
}

/// Measures issuing, moving house, and writing down last uses.
pub(crate) fn nodes(world: &World, time: Duration) -> Result<Nodes, Failure> {
    let cookies = issuing::cookies(world)?;
    let (server, url) = databases::start(&world.data())?;
    let running = Running::one(|port| keygate::on_database(world, port, &url))?;
    let load = issuing::load(world, &cookies)?;
    let address = format!("http://127.0.0.1:{}/api/keys", running.port);
    load.succeed(&address, issuing::CONNECTIONS, Duration::from_secs(1))?;
    let issuing = measure(&running, || {
        load.succeed(&address, issuing::CONNECTIONS, time)
    })?;
    drop(running);

    eprintln!("Moving {MOVING} keys");
    let folder = TempDir::new()?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    runtime.block_on(keys::seed(
        folder.path(),
        MOVING,
        0,
        &folder.path().join("keys"),
    ))?;
    let url = server.create_database();
    Ok(Nodes {
        issuing,
        copying: databases::copy(folder.path(), &url)?,
        comparing: databases::copy(folder.path(), &url)?,
        uses_per_second: runtime.block_on(uses_per_second(&url, time))?,
    })
}

async fn uses_per_second(url: &str, time: Duration) -> Result<f64, Failure> {
    let clock = Arc::new(SystemClock);
    let store = keygate_storage_postgres::open(&PostgresOptions::new(url), clock.clone()).await?;
    let keys = TABLES.iter().find(|table| table.name == "api_keys");
    let keys = keys.expect("it is among them");
    let limit = u32::try_from(USED)?;
    let reader = PostgresReader::open(&PostgresOptions::new(url)).await?;
    let rows = reader.read_rows(keys, None, limit).await?;
    let now = clock.now();
    let uses = rows.into_iter().filter_map(|row| match row.first() {
        Some(Value::Bytes(id)) => Some(KeyUse {
            key_id: KeyId::from_bytes(id.as_slice().try_into().ok()?),
            last_used_at: now,
            requests: 1,
        }),
        _ => None,
    });
    let uses: Vec<KeyUse> = uses.collect();
    let recorder = RecorderId::generate(now, &OsRandom);
    let (began, mut number) = (Instant::now(), 0);
    while began.elapsed() < time {
        number += 1;
        let flush = UsageFlush {
            recorder,
            number,
            uses: uses.clone(),
        };
        store.record_uses(Arc::new(flush)).await?;
    }
    let written = u32::try_from(number)? * u32::try_from(uses.len())?;
    Ok(f64::from(written) / began.elapsed().as_secs_f64())
}
