//! The suite of `keygate-storage`, on a real server.

use std::sync::{Arc, LazyLock};

use keygate_core::SystemClock;
use keygate_storage::Store;
use keygate_storage_postgres::{PostgresOptions, testing::PostgresServer};

static SERVER: LazyLock<PostgresServer> = LazyLock::new(PostgresServer::start);

async fn open() -> (Arc<dyn Store>, ()) {
    let options = PostgresOptions::new(SERVER.create_database());
    let store = keygate_storage_postgres::open(&options, Arc::new(SystemClock)).await;
    (Arc::new(store.expect("a new database opens")), ())
}

keygate_storage::conformance_tests!(crate::open);
