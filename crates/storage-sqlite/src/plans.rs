//! How the database means to run each statement.

use rusqlite::{params_from_iter, types::Null};

use crate::{SqliteStore, error::storage_error, open};

/// Tables that grow without bound, or that are written all the time, also by their short names.
const GROWING: &[&str] = &[
    "audit_entries",
    "e",
    "api_keys",
    "k",
    "key_uses",
    "u",
    "key_forms",
    "sessions",
    "probes",
    "probe_rollups",
    "incidents",
];

/// All statements that there are.
fn statements() -> impl Iterator<Item = &'static str> {
    let all = keygate_storage_sql::statements();
    all.into_iter().map(|statement| statement.sqlite)
}

/// Statements that may go through a table, each for a reason.
fn may_scan(sql: &str) -> bool {
    // The first of all rows, whichever it is, or a page of all rows in their order.
    sql.contains("LIMIT 1")
        || sql.contains("ORDER BY id DESC LIMIT")
        || sql.contains("ORDER BY id LIMIT")
}

/// The steps of a statement.
async fn plan(store: &SqliteStore, sql: &'static str) -> Vec<String> {
    let plan = store.on_reader(move |db| {
        let explain = format!("EXPLAIN QUERY PLAN {sql}");
        let mut statement = db.prepare(&explain).map_err(storage_error)?;
        let nothing = params_from_iter(vec![Null; statement.parameter_count()]);
        let steps = statement.query_map(nothing, |row| row.get("detail"));
        steps
            .map_err(storage_error)?
            .collect::<Result<_, _>>()
            .map_err(storage_error)
    });
    plan.await.expect(sql)
}

#[tokio::test]
async fn no_statement_reads_a_table_that_grows_from_end_to_end() {
    let folder = tempfile::TempDir::new().expect("a temporary folder");
    let store = open(&folder.path().join("keygate.db")).expect("it opens");
    let mut scans = Vec::new();
    for sql in statements() {
        for step in plan(&store, sql).await {
            let scanned = step.strip_prefix("SCAN ");
            let scanned = scanned.and_then(|rest| rest.split(' ').next());
            if scanned.is_some_and(|table| GROWING.contains(&table)) && !may_scan(sql) {
                scans.push((step, sql));
            }
        }
    }
    assert!(scans.is_empty(), "{scans:#?}");
}

#[tokio::test]
async fn each_list_of_keys_seeks_what_it_shows() {
    let folder = tempfile::TempDir::new().expect("a temporary folder");
    let store = open(&folder.path().join("keygate.db")).expect("it opens");
    for (condition, step) in [
        (
            "is_active = 0 AND id <",
            "SEARCH k USING INDEX api_keys_off (account_id=? AND id<?)",
        ),
        (
            "expires_at <= ?4 AND id <",
            "SEARCH k USING INDEX api_keys_on (account_id=? AND id<?)",
        ),
        (
            "true AND id <",
            "SEARCH k USING INDEX api_keys_by_account (account_id=? AND id<?)",
        ),
        (
            "expires_at > ?4) AND id < ",
            "SEARCH api_keys USING COVERING INDEX api_keys_active (account_id=? AND expires_at>?)",
        ),
    ] {
        let mut lists = statements();
        let list = lists.find(|sql| sql.contains(condition)).expect(condition);
        let steps = plan(&store, list).await;
        assert!(steps.contains(&step.to_owned()), "{steps:#?}");
    }
}

#[tokio::test]
async fn each_filter_of_the_record_has_its_index() {
    let folder = tempfile::TempDir::new().expect("a temporary folder");
    let store = open(&folder.path().join("keygate.db")).expect("it opens");
    for (filter, index) in [
        ("?3 IS NULL AND e.id", "USING INTEGER PRIMARY KEY (rowid<?)"),
        (
            "?2 IS NULL AND action = ?3",
            "USING INDEX audit_entries_by_action (action=? AND id<?)",
        ),
        (
            "e.account_id = ?2 AND ?3 IS NULL",
            "USING INDEX audit_entries_by_account (account_id=? AND id<?)",
        ),
        (
            "e.account_id = ?2 AND action = ?3",
            "USING INDEX audit_entries_by_account_and_action (account_id=? AND action=? AND id<?)",
        ),
        (
            "subject_id = ?1",
            "USING INDEX audit_entries_by_subject (subject_id=? AND id<?)",
        ),
    ] {
        let mut lists = statements();
        let exact = |sql: &&str| sql.contains(filter) && sql.contains("FROM audit_entries");
        let list = lists.find(exact).expect(filter);
        let steps = plan(&store, list).await;
        assert!(steps.contains(&format!("SEARCH e {index}")), "{steps:#?}");
    }
}
