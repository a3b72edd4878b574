//! What only this backend can be asked.

use std::sync::{Arc, LazyLock};

use futures_util::FutureExt;
use keygate_core::{
    AccountId, Clock, ComponentId, KeyId, ManualClock, RecorderId, SystemClock, Timestamp,
};
use keygate_storage::{
    ChangeFeed, Continuity, IncidentPage, InsertKey, KeyStore, KeyUse, StatusStore, StorageError,
    Store, UsageFlush, UsageStore,
    conformance::Fixture,
    tables::{Kind, TABLES, TableStore, Value},
};
use keygate_storage_sql::Columns;
use sqlx::{Executor, SqlSafeStr};

use crate::{
    Inspection, PostgresOptions, PostgresStore, PostgresTarget, TargetError, identity,
    testing::PostgresServer,
};

static SERVER: LazyLock<PostgresServer> = LazyLock::new(PostgresServer::start);

async fn open(url: &str) -> Result<PostgresStore, StorageError> {
    crate::open(&PostgresOptions::new(url), Arc::new(SystemClock)).await
}

fn name(url: &str) -> &str {
    let (_, database) = url.rsplit_once('/').expect("a path");
    database.split('?').next().expect("a name")
}

fn all_statements() -> Vec<&'static str> {
    let all = [
        crate::capacity::STATEMENTS,
        crate::feed::STATEMENTS,
        crate::inspection::STATEMENTS,
        crate::migrations::STATEMENTS,
        crate::probe::STATEMENTS,
        crate::requirements::STATEMENTS,
        crate::usage_lock::STATEMENTS,
        crate::watch::STATEMENTS,
        crate::write::STATEMENTS,
    ];
    let shared = keygate_storage_sql::statements();
    let shared = shared.iter().map(|statement| statement.postgres);
    all.concat().into_iter().chain(shared).collect()
}

#[tokio::test]
async fn every_statement_is_one_for_the_server() {
    let store = open(&SERVER.create_database()).await.expect("it opens");
    for sql in all_statements() {
        let prepared = store.database.read(move |db| {
            async move {
                db.prepare(sql.into_sql_str())
                    .await
                    .map_err(crate::error::storage_error)?;
                Ok(())
            }
            .boxed()
        });
        prepared.await.expect(sql);
    }
}

/// Tables that grow without bound, or that are written all the time.
const GROWING: [&str; 8] = [
    "audit_entries",
    "api_keys",
    "key_uses",
    "key_forms",
    "sessions",
    "probes",
    "probe_rollups",
    "incidents",
];

/// Statements that may go through a table: the first of all rows, or a page of all rows in their order.
fn may_scan(sql: &str) -> bool {
    sql.contains("LIMIT 1")
        || sql.contains("ORDER BY id DESC LIMIT")
        || sql.contains("ORDER BY id LIMIT")
}

/// The plan that is made without knowing what is bound, by a server that goes through a whole table only
/// where it has to.
fn plan(database: &str, sql: &str) -> String {
    let count = (1..100)
        .take_while(|n| sql.contains(&format!("${n}")))
        .count();
    let bound = match count {
        0 => String::new(),
        _ => format!("({})", vec!["NULL"; count].join(", ")),
    };
    let explain = format!(
        "SET enable_seqscan = off; SET plan_cache_mode = force_generic_plan; \
         PREPARE planned AS {sql}; EXPLAIN EXECUTE planned {bound}"
    );
    SERVER.sql(database, &explain)
}

#[tokio::test]
async fn no_statement_reads_a_table_that_grows_from_end_to_end() {
    let url = SERVER.create_database();
    let _store = open(&url).await.expect("it opens");
    let mut scans = Vec::new();
    let planned = ["SELECT", "INSERT", "UPDATE", "DELETE", "WITH"];
    for sql in all_statements() {
        // The doctor looks at everything, seldom.
        let is_doctors = crate::inspection::STATEMENTS.contains(&sql);
        if is_doctors || may_scan(sql) || !planned.iter().any(|word| sql.starts_with(word)) {
            continue;
        }
        let plan = plan(name(&url), sql);
        let lines: Vec<&str> = plan.lines().map(str::trim).collect();
        for (place, line) in lines.iter().enumerate() {
            let grows = GROWING
                .iter()
                .any(|table| line.contains(&format!(" on {table} ")));
            // Through an index from end to end is no better.
            let next = lines.get(place + 1).copied().unwrap_or_default();
            let through_index = line.contains("Index Scan") || line.contains("Index Only Scan");
            let is_scan =
                line.contains("Seq Scan on") || through_index && !next.starts_with("Index Cond");
            if is_scan && grows {
                scans.push((sql, plan.clone()));
                break;
            }
        }
    }
    let shown: Vec<String> = scans
        .iter()
        .map(|(sql, plan)| format!("{sql}\n{plan}\n"))
        .collect();
    assert!(scans.is_empty(), "{}", shown.join("\n"));
}

#[tokio::test]
async fn what_a_later_version_wrote_is_not_shown_and_hides_nothing() {
    let url = SERVER.create_database();
    let store = open(&url).await.expect("it opens");
    let id = |number: u8| format!("'00000000-0000-0000-0000-00000000000{number}'");
    let rows = format!(
        "INSERT INTO incidents (id, kind, title, components, starts_at) VALUES \
             ({0}, 'incident', 'Read', 'storage', 0), ({1}, 'incident', 'Not', 'später', 0); \
         INSERT INTO incident_updates (id, incident_id, at, state, message) VALUES \
             ({0}, {0}, 0, 'identified', 'Read'), ({1}, {0}, 0, 'later', 'Not read'); \
         INSERT INTO probe_claims (component, prober_id, beat) VALUES \
             ('storage', {0}, 0), ('später', {0}, 0); \
         INSERT INTO probe_rollups VALUES ('storage', 'hour', 3600000, 1, 0, 0, 0), \
             ('storage', 'hour', 7200000, -1, 0, 0, 0);",
        id(0),
        id(1)
    );
    SERVER.sql(name(&url), &rows);
    let then = Timestamp::from_millis(7_200_000);
    let open = store.list_open_incidents(then).await.expect("listed");
    let page = IncidentPage {
        limit: 10,
        ..IncidentPage::default()
    };
    let all = store.list_incidents(page).await.expect("listed");
    for [incident] in [open, all].map(|found| <[_; 1]>::try_from(found).expect("one")) {
        assert_eq!(
            (incident.title.as_str(), incident.updates.len()),
            ("Read", 1)
        );
    }
    assert_eq!(store.list_claims().await.expect("listed").len(), 1);
    let history = store.read_history(vec![ComponentId::storage()], then).await;
    assert_eq!(history.expect("read").hours.len(), 1);
}

#[tokio::test]
async fn nodes_that_start_together_make_one_schema() {
    let url = SERVER.create_database();
    let opened = futures_util::future::join_all((0..5).map(|_| open(&url))).await;
    for store in opened {
        store.expect("it opens");
    }
    let versions = SERVER.sql(name(&url), "SELECT version FROM keygate_schema");
    assert_eq!(versions, "6");
}

#[tokio::test]
async fn a_later_schema_says_which_programs_run_on_it() {
    let url = SERVER.create_database();
    open(&url).await.expect("it opens").database.close().await;
    SERVER.sql(name(&url), "UPDATE keygate_schema SET version = 7");
    open(&url).await.expect("the version before runs on it");
    SERVER.sql(name(&url), "UPDATE keygate_schema SET runs_from = 7");
    let refused = open(&url).await.err().expect("it is refused");
    assert!(
        matches!(refused, StorageError::Newer { found: 7, known: 6 }),
        "{refused}"
    );
}

#[tokio::test]
async fn what_a_copy_writes_is_published_for_nodes_that_it_does_not_find() {
    let url = SERVER.create_database();
    let options = PostgresOptions::new(&url);
    let target = PostgresTarget::open(&options)
        .await
        .expect("nobody uses it");
    let published = || {
        // The first is the schema's own, with which a history begins.
        let sql = "SELECT count(*) FROM changes WHERE key_hash IS NULL AND revision > 1";
        SERVER.sql(name(&url), sql)
    };
    assert_eq!(published(), "0");
    let accounts = TABLES.iter().find(|table| table.name == "accounts");
    let accounts = accounts.expect("it is moved");
    let key = vec![Value::Bytes(vec![7; 16])];
    let row = accounts.columns.iter().map(|column| match column.name {
        "id" => key[0].clone(),
        "role" => Value::Text("member".into()),
        _ if column.kind == Kind::Text => Value::Text(column.name.into()),
        _ => Value::Number(0),
    });
    let written = target.write_rows(accounts, vec![row.collect()]).await;
    written.expect("it is written");
    assert_eq!(published(), "1");
    target.delete_rows(accounts, vec![key]).await.expect("gone");
    assert_eq!(published(), "2");
}

#[tokio::test]
async fn a_node_does_not_start_on_a_database_that_is_copied_into() {
    let url = SERVER.create_database();
    let options = PostgresOptions::new(&url);
    let target = PostgresTarget::open(&options)
        .await
        .expect("nobody uses it");
    let refused = open(&url).await.err().expect("it is refused");
    assert!(matches!(refused, StorageError::InUse(_)), "{refused}");
    let second = PostgresTarget::open(&options).await.err();
    assert!(
        matches!(second, Some(TargetError::Copying(_))),
        "{second:?}"
    );
    target.close().await;
    let node = open(&url).await.expect("the copy is over");
    drop(node);
}

#[tokio::test]
async fn a_database_is_the_same_under_every_name() {
    let [url, other] = [SERVER.create_database(), SERVER.create_database()];
    let of = async |url: &str| identity(&PostgresOptions::new(url)).await.expect("answers");
    let by_name = url.replace("127.0.0.1", "localhost");
    assert_eq!(of(&url).await, of(&by_name).await);
    assert_ne!(of(&url).await, of(&other).await);
}

#[tokio::test]
async fn a_role_without_the_right_to_make_tables_opens_a_current_schema() {
    let url = SERVER.create_database();
    let name = name(&url);
    let role = format!("reader_of_{name}");
    let sql = format!(
        "CREATE ROLE {role} LOGIN; REVOKE CREATE ON SCHEMA public FROM PUBLIC; \
         ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT ALL ON TABLES TO {role}; \
         ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT ALL ON SEQUENCES TO {role}"
    );
    SERVER.sql(name, &sql);
    let as_role = url.replace("keygate@", &format!("{role}@"));
    let refused = open(&as_role).await.err().expect("it has to make tables");
    assert!(
        refused
            .to_string()
            .contains("tables, which this user may not make"),
        "{refused}"
    );
    open(&url)
        .await
        .expect("its owner may")
        .database
        .close()
        .await;
    let inspected = Inspection::of(&PostgresOptions::new(&as_role)).await;
    let inspected = inspected.expect("it may look");
    assert_eq!(inspected.version, inspected.known);
    let store = open(&as_role).await.expect("there is nothing to make");
    keygate_storage::Store::check(&store)
        .await
        .expect("it answers");
    store.close().await;
    for (sql, why) in [
        (
            format!("REVOKE UPDATE ON api_keys FROM {role}"),
            "may not read and write all of its tables",
        ),
        (
            format!(
                "GRANT UPDATE ON api_keys TO {role}; UPDATE keygate_schema SET version = version - 1"
            ),
            "they are another user's",
        ),
    ] {
        SERVER.sql(name, &sql);
        let refused = open(&as_role).await.err().expect("it may not");
        assert!(refused.to_string().contains(why), "{refused}");
        let inspected = Inspection::of(&PostgresOptions::new(&as_role)).await;
        let said = inspected.expect_err("nor is it said that it may");
        assert_eq!(said.to_string(), refused.to_string());
    }
}

#[tokio::test]
async fn rights_are_asked_for_on_every_table() {
    let url = SERVER.create_database();
    let store = open(&url).await.expect("it opens");
    store.close().await;
    let tables = SERVER.sql(
        name(&url),
        "SELECT string_agg(tablename, ' ' ORDER BY tablename COLLATE \"C\") FROM pg_tables \
            WHERE schemaname = 'public'",
    );
    assert_eq!(tables, crate::requirements::TABLES.join(" "));
}

#[tokio::test]
async fn another_programs_database_is_left_alone() {
    let url = SERVER.create_database();
    SERVER.sql(name(&url), "CREATE TABLE accounts (id INTEGER)");
    let refused = open(&url).await.err().expect("it is refused");
    assert!(matches!(refused, StorageError::Foreign(_)), "{refused}");
    let tables = SERVER.sql(
        name(&url),
        "SELECT count(*) FROM information_schema.tables WHERE table_schema = 'public'",
    );
    assert_eq!(tables, "1");
}

#[tokio::test]
async fn a_database_that_is_not_there_is_said_to_be_so() {
    let url = SERVER.url("nowhere", SERVER.port());
    let refused = open(&url).await.err().expect("it is refused").to_string();
    assert!(
        refused.contains("database \"nowhere\" does not exist"),
        "{refused}"
    );
}

/// Publishes a change, as a revocation does.
const PUBLISH: &str = "SELECT publish_changes(ARRAY[decode(repeat('00', 32), 'hex')])";

/// How the feed continues what was read up to now, once this was done to the database.
async fn continuity_after(server: &PostgresServer, sql: &[&str]) -> Continuity {
    let url = server.create_database();
    let store = open(&url).await.expect("it opens");
    server.sql(name(&url), PUBLISH);
    server.sql(name(&url), PUBLISH);
    let read = store.feed.end().await.expect("it answers");
    for sql in sql {
        server.sql(name(&url), sql);
    }
    let page = store.feed.read(&read).await.expect("it answers");
    assert_eq!(page.is_complete, page.continuity == Continuity::Same);
    let again = store.feed.read(&page.position).await.expect("it answers");
    assert_eq!(
        again.continuity,
        Continuity::Same,
        "it is gone by from now on"
    );
    page.continuity
}

#[tokio::test]
async fn the_history_that_was_read_is_told_from_every_other() {
    let set_back = "ALTER TABLE changes DISABLE TRIGGER USER; \
        DELETE FROM changes WHERE revision = (SELECT max(revision) FROM changes); \
        ALTER TABLE changes ALTER COLUMN revision RESTART WITH 3; \
        ALTER TABLE changes ENABLE TRIGGER USER";
    // The rows come back as they were, which is all that a dump has.
    let written_anew = "CREATE TABLE dump AS SELECT * FROM changes; TRUNCATE changes; \
        INSERT INTO changes OVERRIDING SYSTEM VALUE SELECT * FROM dump; DROP TABLE dump";
    let put_back = "ALTER TABLE changes DISABLE TRIGGER USER; \
        CREATE TABLE dump AS SELECT * FROM changes; DELETE FROM changes; \
        INSERT INTO changes OVERRIDING SYSTEM VALUE SELECT * FROM dump; DROP TABLE dump; \
        ALTER TABLE changes ENABLE TRIGGER USER";
    for (done, expected) in [
        (vec![], Continuity::Same),
        (vec![PUBLISH], Continuity::Same),
        (vec![set_back], Continuity::Lost),
        (vec![set_back, PUBLISH], Continuity::Lost),
        (vec![set_back, PUBLISH, PUBLISH, PUBLISH], Continuity::Lost),
        (vec![written_anew], Continuity::Moved),
        (vec![put_back, PUBLISH], Continuity::Moved),
    ] {
        assert_eq!(continuity_after(&SERVER, &done).await, expected, "{done:?}");
    }
}

/// A node that has read everything stays able to prove it, whoever forgets what is old.
#[tokio::test]
async fn the_newest_change_is_never_forgotten() {
    let forget = "UPDATE changes SET changed_at = now() - interval '2 hours'; DELETE FROM changes";
    let url = SERVER.create_database();
    let store = open(&url).await.expect("it opens");
    for _ in 0..3 {
        SERVER.sql(name(&url), PUBLISH);
    }
    let read = store.feed.end().await.expect("it answers");
    SERVER.sql(name(&url), forget);
    let left = SERVER.sql(name(&url), "SELECT revision FROM changes");
    assert_eq!(left, read.mark.revision.to_string());
}

#[tokio::test]
async fn a_restart_of_the_server_is_told_from_a_loss() {
    let mut server = PostgresServer::start();
    let url = server.create_database();
    let store = open(&url).await.expect("it opens");
    server.sql(name(&url), PUBLISH);
    let read = store.feed.end().await.expect("it answers");
    server.stop();
    server.resume();
    let page = store.feed.read(&read).await.expect("it answers");
    assert_eq!(page.continuity, Continuity::Moved);
    assert_eq!(page.position.mark, read.mark);
}

/// Keys that are over by a node's clock alone are counted all the same, and those that are over by the server's are not.
#[tokio::test]
async fn the_limit_on_active_keys_goes_by_the_databases_clock() {
    let url = SERVER.create_database();
    let store = open(&url).await.expect("it opens");
    let node = Fixture::new(Arc::new(store));
    let account_id = node.account("ada@example.com").await;
    let hour = 3_600_000;
    let now = SystemClock.now().as_millis();
    let issue = async |expires_at: i64, by_the_node: i64, most: u32| {
        let mut new = Fixture::new_key(account_id, "a key", 0);
        new.key.details.expires_at = Some(Timestamp::from_millis(expires_at));
        new.key.created_at = Timestamp::from_millis(by_the_node);
        node.insert_key(new, most).await
    };
    let is_behind = issue(now - hour, now - 2 * hour, 1).await;
    assert_eq!(is_behind, InsertKey::Inserted);
    let another = issue(now + hour, now - 2 * hour, 1).await;
    assert_eq!(another, InsertKey::Inserted, "the first is over");
    let is_ahead = issue(now + 3 * hour, now + 2 * hour, 1).await;
    assert_eq!(is_ahead, InsertKey::LimitReached, "the second is not");
    let second = issue(now + 3 * hour, now + 2 * hour, 2).await;
    assert_eq!(second, InsertKey::Inserted);
}

#[tokio::test]
async fn an_operator_is_told_where_an_acknowledged_revocation_can_be_lost() {
    let url = SERVER.create_database();
    let codes = |store: &PostgresStore| {
        let concerns = store.concerns().into_iter();
        concerns.map(|concern| concern.code).collect::<Vec<_>>()
    };
    let store = open(&url).await.expect("it opens");
    assert!(codes(&store).is_empty(), "{:?}", store.concerns());
    let local = format!(
        "ALTER DATABASE {} SET synchronous_commit = local",
        name(&url)
    );
    SERVER.sql("postgres", &local);
    let store = open(&url).await.expect("it opens");
    assert_eq!(codes(&store), ["revocations_may_be_lost"]);
}

#[tokio::test]
async fn a_clock_that_differs_from_the_databases_is_said() {
    let url = SERVER.create_database();
    let ahead = SystemClock.now().plus(std::time::Duration::from_hours(2));
    let clock = Arc::new(ManualClock::at(ahead));
    let store = crate::open(&PostgresOptions::new(&url), clock).await;
    let concerns = store.expect("it opens").concerns();
    assert_eq!(concerns.len(), 1, "{concerns:?}");
    assert_eq!(concerns[0].code, "clock_skew");
    assert!(concerns[0].message.contains("ahead of"), "{concerns:?}");
}

#[tokio::test]
async fn commits_are_durable_whatever_the_servers_default() {
    let url = SERVER.create_database();
    let database = name(&url);
    let off = format!("ALTER DATABASE {database} SET synchronous_commit = off");
    SERVER.sql(database, &off);
    let store = open(&url).await.expect("it opens");
    let setting = store.database.read(|db| {
        let show = sqlx::query("SELECT current_setting('synchronous_commit') AS setting");
        crate::query::optional(db, show, |row| row.some_text("setting")).boxed()
    });
    assert_eq!(setting.await.expect("it answers").as_deref(), Some("on"));
}

/// Nobody can have asked for it on another node, where it is forgotten within the lease besides.
#[tokio::test]
async fn a_key_is_issued_while_another_node_publishes_its_changes() {
    let url = SERVER.create_database();
    let store = open(&url).await.expect("it opens");
    let publishing = store.database.pool();
    let mut publishing = publishing.begin().await.expect("it begins");
    let publish = sqlx::query(PUBLISH).execute(&mut *publishing);
    publish.await.expect("it publishes");
    let here = Fixture::new(Arc::new(store));
    let account = here.account("ada@example.com").await;
    here.key(account, "a key").await;
    publishing.rollback().await.expect("it ends");
}

/// A certificate for `localhost` that vouches for itself, and its key.
fn certificate() -> (String, String) {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("it is made");
    (made.cert.pem(), made.signing_key.serialize_pem())
}

#[tokio::test]
async fn the_servers_certificate_is_checked() {
    let (pem, key) = certificate();
    let server = PostgresServer::start_with_tls(&pem, &key);
    let folder = tempfile::TempDir::new().expect("a temporary folder");
    let url = server.create_database().replace("127.0.0.1", "localhost");
    let trusting = |name: &str, pem: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, pem).expect("written");
        let mode = format!("sslmode=verify-full&sslrootcert={}", path.display());
        url.replace("sslmode=disable", &mode)
    };
    let store = open(&trusting("right.pem", &pem)).await.expect("it opens");
    let encrypted = store.database.read(|db| {
        let ask = sqlx::query("SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()");
        crate::query::optional(db, ask, |row| row.flag("ssl")).boxed()
    });
    assert_eq!(encrypted.await.expect("it answers"), Some(true));
    let (other, _) = certificate();
    let refused = open(&trusting("wrong.pem", &other)).await.err();
    let refused = refused.expect("it is refused").to_string();
    assert!(refused.contains("certificate"), "{refused}");
}

/// An account with so many keys, by ids that are their numbers.
fn insert_keys(database: &str, count: u32) {
    let rows = format!(
        "INSERT INTO accounts (id, email, password_hash, created_at) \
             VALUES (to_hex_id(0), 'ada@example.com', 'none', 0); \
         INSERT INTO api_keys (id, account_id, hash, name, key_prefix, scopes, is_active, created_at) \
             SELECT to_hex_id(n), to_hex_id(0), sha256(n::text::bytea), 'key', 'ask_0000', 3, true, 0 \
             FROM generate_series(1, {count}) AS n;"
    );
    let function = "CREATE FUNCTION pg_temp.to_hex_id(n integer) RETURNS uuid LANGUAGE sql AS \
        $$ SELECT lpad(to_hex(n), 32, '0')::uuid $$;";
    let rows = rows.replace("to_hex_id", "pg_temp.to_hex_id");
    SERVER.sql(database, &format!("{function} {rows}"));
}

fn key_id(number: u32) -> KeyId {
    KeyId::from_bytes(u128::from(number).to_be_bytes())
}

fn flush(number: u64, keys: u32) -> Arc<UsageFlush> {
    let at = i64::try_from(number).expect("a small number");
    let uses = (1..=keys).map(|key| KeyUse {
        key_id: key_id(key),
        last_used_at: Timestamp::from_millis(at),
        requests: 2,
    });
    Arc::new(UsageFlush {
        recorder: RecorderId::from_bytes([7; 16]),
        number,
        uses: uses.collect(),
    })
}

#[tokio::test]
async fn uses_that_nodes_of_the_version_before_count_are_added() {
    let url = SERVER.create_database();
    let store = open(&url).await.expect("it opens");
    insert_keys(name(&url), 1);
    store.record_uses(flush(5, 1)).await.expect("written");
    let ada = AccountId::from_bytes([0; 16]);
    for (last_used_at, expected) in [(3, 5), (9, 9)] {
        let sql = format!("UPDATE api_keys SET last_used_at = {last_used_at}, request_count = 40");
        SERVER.sql(name(&url), &sql);
        let found = store.lookup_key(ada, key_id(1)).await.expect("it answers");
        let found = found.expect("it is there");
        assert_eq!(found.request_count, 42);
        assert_eq!(found.last_used_at, Some(Timestamp::from_millis(expected)));
    }
    // They know nothing of the table that has to go with the key.
    SERVER.sql(name(&url), "DELETE FROM api_keys");
    assert_eq!(SERVER.sql(name(&url), "SELECT count(*) FROM key_uses"), "0");
}

#[tokio::test]
async fn uses_change_no_index_and_leave_the_keys_alone() {
    const KEYS: u32 = 500;
    const FLUSHES: u64 = 20;
    let url = SERVER.create_database();
    let store = open(&url).await.expect("it opens");
    insert_keys(name(&url), KEYS);
    for number in 1..=FLUSHES {
        store
            .record_uses(flush(number, KEYS))
            .await
            .expect("written");
    }
    store.close().await;
    // The first flush adds a row of no use for each key.
    let updates = u64::from(KEYS) * FLUSHES;
    let sql = "SELECT n_tup_upd, n_tup_hot_upd, \
            (SELECT n_tup_upd FROM pg_stat_user_tables WHERE relname = 'api_keys') \
        FROM pg_stat_user_tables WHERE relname = 'key_uses'";
    // Sessions report what they did once they have ended.
    let counted = loop {
        let counted = SERVER.sql(name(&url), sql);
        let counted: Vec<u64> = counted
            .split('|')
            .map(|n| n.parse().expect("a number"))
            .collect();
        if counted[0] == updates {
            break counted;
        }
    };
    assert!(counted[1] * 10 >= updates * 9, "{counted:?}");
    assert_eq!(counted[2], 0);
}

#[tokio::test]
async fn each_filter_of_the_record_has_its_index() {
    let url = SERVER.create_database();
    let _store = open(&url).await.expect("it opens");
    let rows = "INSERT INTO audit_entries (at, actor, action, account_id, subject_id) \
        SELECT n, 'operator', CASE n WHEN 1 THEN 'account.suspend' ELSE 'key.update' END, \
            md5((n % 7)::text)::uuid, (n % 1000)::text FROM generate_series(1, 100000) AS n; \
        ANALYZE audit_entries;";
    SERVER.sql(name(&url), rows);
    for (filter, index) in [
        ("$3::text IS NULL AND e.id < $4", "audit_entries_pkey"),
        (
            "$2::uuid IS NULL AND action >= $3",
            "audit_entries_by_action",
        ),
        ("e.account_id >= $2", "audit_entries_by_account"),
        (
            "(e.account_id, action) >= ($2, $3)",
            "audit_entries_by_account_and_action",
        ),
        ("subject_id >= $1", "audit_entries_by_subject"),
    ] {
        let mut lists = all_statements().into_iter();
        let exact = |sql: &&str| sql.contains(filter) && sql.contains("FROM audit_entries");
        let list = lists.find(exact).expect(filter);
        let plan = plan(name(&url), list);
        assert!(
            plan.contains(&format!(" using {index} on audit_entries e ")),
            "{plan}"
        );
    }
}
