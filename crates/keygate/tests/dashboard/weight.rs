//! What pages weigh when they are full.

use rusqlite::{Connection, params};
use serde_json::json;

use crate::{
    browser::{Browser, Options},
    person::{Person, setup_link},
    status::{UPSTREAMS, program_with_a_past},
    support::{Account, EMAIL, PASSWORD, Program, Upstream},
};

/// What a page with all that it loads may have over the wire, in bytes.
const MOST: u64 = 60 * 1024;
const KEYS: usize = 100;
const ENTRIES: u32 = 10_000;

/// Writes entries about a key into the record of a program that does not run.
fn fill_record(program: &Program, key: &str) {
    let database = Connection::open(program.data().join("keygate.db")).expect("it opens");
    let (account, at): (Vec<u8>, i64) = database
        .query_row(
            "SELECT account_id, at FROM audit_entries WHERE subject_id = ?",
            [key],
            |row| Ok((row.get(0)?, row.get(1)?)),
        )
        .expect("it was issued");
    database.execute_batch("BEGIN").expect("begun");
    for number in 0..ENTRIES {
        let name = json!({"name": format!("The {number}th name of this key")}).to_string();
        let row = params![at + i64::from(number), account, key, name];
        let insert = "INSERT INTO audit_entries \
            (at, actor, actor_id, action, account_id, subject_id, detail) \
            VALUES (?1, 'account', ?2, 'key.update', ?2, ?3, ?4)";
        database.execute(insert, row).expect("inserted");
    }
    database.execute_batch("COMMIT").expect("committed");
}

#[tokio::test(flavor = "multi_thread")]
async fn full_pages_are_light() {
    let upstream = Upstream::start().await;
    let mut program = Program::with_upstream(&upstream.url());
    let link = setup_link(&program);
    let ada = Person::at(&program, Options::default()).await;
    ada.sign_up(&link, EMAIL).await;
    let account = Account::sign_in(&program.url).await;
    let mut id = String::new();
    for number in 0..KEYS {
        let name = format!("A key for the server with the number {number}");
        id = account.key(&["chat", "read"]).await.0;
        let body =
            json!({"name": name, "scopes": ["chat", "read", "write"], "is_active": number < 9});
        assert_eq!(account.patch(&id, &body).await.status(), 200);
    }
    program.terminate();
    fill_record(&program, &id);
    let program = program.restart();

    let ada = Person::at(&program, Options::default()).await;
    ada.sign_in(EMAIL, PASSWORD).await;
    let browser = &ada.browser;
    browser.disable_cache().await;
    let mut report = String::from("| page | bytes | first paint |\n|---|---|---|\n");
    for path in [
        "/signin",
        "/keys",
        "/keys?status=all",
        "/keys/new",
        &format!("/keys/{id}"),
        "/account",
        "/admin/accounts",
        "/admin/audit",
        "/admin/incidents",
        "/docs",
    ] {
        weigh(browser, path, &id, &mut report).await;
    }
    let upstream = Upstream::start().await;
    let program = program_with_a_past(&upstream, UPSTREAMS.len()).await;
    let anybody = Person::at(&program, Options::default()).await;
    anybody.browser.disable_cache().await;
    weigh(&anybody.browser, "/status", &id, &mut report).await;
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/screenshots");
    std::fs::create_dir_all(&folder).expect("a folder");
    std::fs::write(folder.join("weight.md"), report).expect("written");
    ada.nothing_was_amiss().await;
}

/// Notes what a page weighs that is open for the second time.
async fn weigh(browser: &Browser, path: &str, id: &str, report: &mut String) {
    browser.goto(path).await;
    browser.network().await;
    browser.goto(path).await;
    let requests = browser.network().await;
    let bytes: u64 = requests.iter().map(|request| request.bytes).sum();
    let paint = browser.first_paint_ms().await;
    let page = path.replace(id, "{id}");
    report.push_str(&format!("| `{page}` | {bytes} | {paint:.0} ms |\n"));
    assert!(bytes < MOST, "{path} has {bytes} bytes");
}
