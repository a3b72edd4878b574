//! A server that has fewer connections than a node may come to need.

use std::sync::{Arc, LazyLock};

use keygate_core::SystemClock;
use keygate_storage::{StorageError, Store};
use keygate_storage_postgres::{
    Capacity, Inspection, PostgresOptions, PostgresStore, testing::PostgresServer,
};

static SERVER: LazyLock<PostgresServer> = LazyLock::new(PostgresServer::start);

/// A database of a user who may have so many connections.
fn database_of(user: &str, limit: u32) -> PostgresOptions {
    let url = SERVER.create_database();
    let (_, name) = url.rsplit_once('/').expect("a path");
    let name = name.split('?').next().expect("a name");
    SERVER.sql(
        "postgres",
        &format!("CREATE ROLE {user} LOGIN CONNECTION LIMIT {limit}"),
    );
    SERVER.sql(
        "postgres",
        &format!("ALTER DATABASE {name} OWNER TO {user}"),
    );
    SERVER.sql(name, &format!("ALTER SCHEMA public OWNER TO {user}"));
    PostgresOptions::new(url.replace("//keygate@", &format!("//{user}@")))
}

async fn open(options: &PostgresOptions) -> Result<PostgresStore, StorageError> {
    keygate_storage_postgres::open(options, Arc::new(SystemClock)).await
}

#[tokio::test]
async fn a_node_that_may_come_to_need_more_connections_than_there_are_says_so() {
    let mut options = database_of("modest", 8);
    let capacity = Inspection::of(&options).await.expect("it answers").capacity;
    assert_eq!(capacity, Capacity { most: 8, free: 8 });
    for (pool_size, concerns) in [(6, 0), (7, 1)] {
        options.pool_size = pool_size;
        assert_eq!(options.connections(), pool_size + 2);
        let store = open(&options).await.expect("it opens");
        assert_eq!(store.concerns().len(), concerns, "{:?}", store.concerns());
        store.close().await;
    }
}

#[tokio::test]
async fn a_server_that_has_no_connection_left_is_said_to_have_none() {
    let options = database_of("refused", 0);
    let refused = open(&options)
        .await
        .err()
        .expect("there is none")
        .to_string();
    assert!(refused.contains("no connection left"), "{refused}");
    assert!(refused.contains("storage.pool_size"), "{refused}");
    assert!(
        refused.contains("too many connections for role"),
        "{refused}"
    );
}

#[tokio::test]
async fn a_server_that_is_not_there_is_said_to_refuse() {
    let url = SERVER.url("keygate0", 1);
    let refused = open(&PostgresOptions::new(url)).await.err();
    let refused = refused.expect("nobody listens").to_string();
    assert!(refused.contains("Connection refused"), "{refused}");
}
