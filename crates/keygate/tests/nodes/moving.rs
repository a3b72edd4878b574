//! Moving house: from SQLite to PostgreSQL and back.

use std::{path::Path, process::Output};

use serde_json::Value;

use crate::{
    cluster::Cluster,
    support::{Account, Caller, EMAIL, PASSWORD, Program, Spawn, Upstream, eventually, keygate},
};

fn copy(folder: &Path, from: &str, to: &str) -> Output {
    let mut command = keygate(folder);
    command.args(["storage", "copy", "--json", "--from", from, "--to", to]);
    command.output().expect("it runs")
}

/// What a copy says of each table: rows, written, deleted.
fn copied(output: &Output) -> Vec<(String, [u64; 3])> {
    assert!(output.status.success(), "{output:?}");
    let tables: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let number = |table: &Value, field: &str| table[field].as_u64().expect("a number");
    let tables = tables.as_array().expect("an array").iter();
    tables
        .map(|table| {
            let name = table["table"].as_str().expect("a name").to_owned();
            (
                name,
                ["rows", "written", "deleted"].map(|field| number(table, field)),
            )
        })
        .collect()
}

async fn status(url: &str, key: &str) -> u16 {
    Caller::connect(url)
        .await
        .call(key)
        .await
        .expect("an answer")
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_work_on_after_the_move_and_after_the_move_back() {
    let upstream = Upstream::start().await;
    let mut old = Program::with_upstream(&upstream.url());
    let account = Account::create(&old).await;
    let (kept_id, kept) = account.key(&["read"]).await;
    let (revoked_id, revoked) = account.key(&["read"]).await;
    let cluster_guard = Cluster::start(1).await;
    let url = cluster_guard.server.create_database();
    let file = format!("sqlite:{}", old.data().join("keygate.db").display());

    let reset_link = |old: &Program| {
        let made = old.cli(&["account", "reset-link", EMAIL], "");
        assert!(made.status.success(), "{made:?}");
    };
    reset_link(&old);

    let incident = |program: &Program, args: &[&str]| -> Value {
        let done = program.cli(&[&["incident"], args, &["--json"]].concat(), "");
        assert!(done.status.success(), "{done:?}");
        serde_json::from_slice(&done.stdout).expect("JSON")
    };
    let slow = incident(&old, &["post", "--title", "Slow", "--message", "We look."]);

    // While the old one runs.
    let first = copied(&copy(old.folder(), &file, &url));
    assert!(
        first.contains(&("api_keys".to_owned(), [2, 2, 0])),
        "{first:?}"
    );
    assert!(
        first.contains(&("accounts".to_owned(), [1, 1, 0])),
        "{first:?}"
    );
    account.delete(&revoked_id).await;
    reset_link(&old);
    let slow = slow["id"].as_str().expect("an id");
    let slow = incident(
        &old,
        &["update", slow, "--message", "Over.", "--state", "resolved"],
    );
    assert!(old.terminate().success());
    // As the form of the dashboard does that makes a key.
    let database = rusqlite::Connection::open(old.data().join("keygate.db")).expect("it opens");
    let form =
        "INSERT INTO key_forms SELECT account_id, randomblob(16), id, created_at FROM api_keys";
    assert_eq!(database.execute(form, []), Ok(1));
    drop(database);
    // The rest, and nothing but the rest.
    let second = copied(&copy(old.folder(), &file, &url));
    assert!(
        second.contains(&("api_keys".to_owned(), [1, 0, 1])),
        "{second:?}"
    );
    assert!(
        second.contains(&("password_resets".to_owned(), [1, 1, 0])),
        "{second:?}"
    );
    assert!(
        second.contains(&("key_forms".to_owned(), [1, 1, 0])),
        "{second:?}"
    );
    let third = copied(&copy(old.folder(), &file, &url));
    assert!(
        third.iter().all(|(_, counts)| counts[1..] == [0, 0]),
        "{third:?}"
    );

    let mut new = Program::start(Spawn {
        upstream: Some(upstream.url()),
        database: Some(url.clone()),
        ..Spawn::default()
    });
    assert_eq!(status(&new.url, &kept).await, 200);
    assert_eq!(status(&new.url, &revoked).await, 401);
    assert_eq!(incident(&new, &["list"]), Value::from(vec![slow]));
    // The session works on, and so does everything else.
    let account = account.at(&new.url);
    let (_, issued) = account.key(&["read"]).await;
    assert_eq!(status(&new.url, &issued).await, 200);
    assert_eq!(account.delete(&kept_id).await.status(), 200);
    assert!(new.terminate().success());

    // The source does not overwrite what has happened since.
    let again = copy(old.folder(), &file, &url);
    assert_eq!(again.status.code(), Some(1), "{again:?}");

    let back = old.folder().join("back.db");
    copied(&copy(
        old.folder(),
        &url,
        &format!("sqlite:{}", back.display()),
    ));
    assert!(
        !back.with_extension("db-wal").exists(),
        "it is all in the file"
    );
    std::fs::rename(back, old.data().join("keygate.db")).expect("moved");
    let old = old.restart();
    assert_eq!(status(&old.url, &kept).await, 401);
    assert_eq!(status(&old.url, &issued).await, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_holds_other_data_is_not_written_to() {
    let upstream = Upstream::start().await;
    let old = Program::with_upstream(&upstream.url());
    Account::create(&old).await;
    let mut cluster = Cluster::start(1).await;
    let file = format!("sqlite:{}", old.data().join("keygate.db").display());
    let url = cluster.server.url(&cluster.database, cluster.server.port());
    assert!(cluster.nodes[0].terminate().success());
    let refused = copy(old.folder(), &file, &url);
    assert_eq!(refused.status.code(), Some(1));
    let said = String::from_utf8_lossy(&refused.stderr);
    assert!(said.contains("Nothing was copied"), "{said}");
    let accounts = cluster
        .server
        .sql(&cluster.database, "SELECT count(*) FROM accounts");
    assert_eq!(accounts, "1");
    // A mistyped address does not show its password.
    let mistyped = copy(
        old.folder(),
        &file,
        "postgres://keygate:hunter2@host:54x2/keygate",
    );
    let said = String::from_utf8_lossy(&mistyped.stderr);
    assert!(
        said.contains("must be a file, or a URL like postgres://"),
        "{said}"
    );
    assert!(!said.contains("hunter2"), "{said}");
    // Nor is what does not exist read.
    let missing = copy(old.folder(), "sqlite:missing.db", &url);
    let said = String::from_utf8_lossy(&missing.stderr);
    assert!(said.contains("missing.db does not exist"), "{said}");
    assert!(!old.folder().join("missing.db").exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_nodes_use_is_not_written_to() {
    let old = Program::start(Spawn::default());
    Account::create(&old).await;
    let mut cluster = Cluster::start(2).await;
    let file = format!("sqlite:{}", old.data().join("keygate.db").display());
    let url = cluster.server.url(&cluster.database, cluster.server.port());
    let refused = copy(old.folder(), &file, &url);
    assert_eq!(refused.status.code(), Some(1));
    let said = String::from_utf8_lossy(&refused.stderr);
    assert!(
        said.contains("in use by running nodes, 2 of them"),
        "{said}"
    );
    for node in &mut cluster.nodes {
        assert!(node.terminate().success());
    }
    // What remains to refuse is what was made there.
    let refused = copy(old.folder(), &file, &url);
    let said = String::from_utf8_lossy(&refused.stderr);
    assert!(said.contains("the target holds accounts"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_that_was_killed_is_not_served_from_until_it_is_finished() {
    let cluster = Cluster::start(1).await;
    let upstream = Upstream::start().await;
    let old = Program::with_upstream(&upstream.url());
    let (_, kept) = Account::create(&old).await.key(&["read"]).await;
    let file = format!("sqlite:{}", old.data().join("keygate.db").display());
    let url = cluster.server.create_database();
    let database = url.rsplit('/').next().expect("a path");
    let database = database.split('?').next().expect("a name");
    copied(&copy(old.folder(), &file, &url));
    let another = ["account", "create", "bob@example.com", "--password-stdin"];
    assert!(old.cli(&another, PASSWORD).status.success());

    // It has come to the last tables, and no further.
    let lock = cluster.server.lock_table(database, "incidents");
    let mut killed = keygate(old.folder());
    killed.args(["storage", "copy", "--from", &file, "--to", &url]);
    let mut killed = killed.spawn().expect("it runs");
    eventually("the copy waits", async || {
        let accounts = cluster
            .server
            .sql(database, "SELECT count(*) FROM accounts");
        accounts == "2"
    })
    .await;
    killed.kill().expect("killed");
    killed.wait().expect("it has ended");
    drop(lock);

    for command in [&["serve"][..], &["doctor"], &["account", "list"]] {
        let mut refused = keygate(&old.folder().join("elsewhere"));
        std::fs::create_dir_all(old.folder().join("elsewhere")).expect("made");
        refused.args(command).args(["--database", &url]);
        let refused = refused.output().expect("it ends");
        assert_eq!(refused.status.code(), Some(1), "{refused:?}");
        let said = [refused.stdout, refused.stderr].concat();
        let said = String::from_utf8_lossy(&said);
        assert!(said.contains("a copy into it was broken off"), "{said}");
    }
    let refused = copy(old.folder(), &url, "sqlite:third.db");
    assert_eq!(refused.status.code(), Some(1), "{refused:?}");

    copied(&copy(old.folder(), &file, &url));
    let new = Program::start(Spawn {
        upstream: Some(upstream.url()),
        database: Some(url.clone()),
        ..Spawn::default()
    });
    assert_eq!(status(&new.url, &kept).await, 200);
}

/// How many keys there are, and how many were issued by the record of changes.
fn issued(cluster: &Cluster, url: &str) -> String {
    let database = url.rsplit('/').next().expect("a path");
    let database = database.split('?').next().expect("a name");
    let sql = "SELECT (SELECT count(*) FROM api_keys) || ' ' || \
        (SELECT count(*) FROM audit_entries WHERE action = 'key.issue')";
    cluster.server.sql(database, sql)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_source_that_goes_on_changing_is_copied_as_it_was_at_one_moment() {
    let cluster = Cluster::configured(1, "[keys]\nmax_active = 100000\n").await;
    let old = Program::start(Spawn {
        config: Some("[keys]\nmax_active = 100000\n".to_owned()),
        ..Spawn::default()
    });
    let account = Account::create_admin(&old).await;
    let file = format!("sqlite:{}", old.data().join("keygate.db").display());
    let server = cluster.server.url(&cluster.database, cluster.server.port());
    for (source, account) in [(file, &account), (server, &cluster.account)] {
        let url = cluster.server.create_database();
        let folder = old.folder().to_owned();
        let (from, to) = (source.clone(), url.clone());
        account.key(&["read"]).await;
        let copying = tokio::task::spawn_blocking(move || copy(&folder, &from, &to));
        while !copying.is_finished() {
            account.key(&["read"]).await;
        }
        copied(&copying.await.expect("it ends"));
        let counted = issued(&cluster, &url);
        let (keys, entries) = counted.split_once(' ').expect("two numbers");
        assert_eq!(keys, entries, "{source}");
        assert_ne!(keys, "0");
    }
}
