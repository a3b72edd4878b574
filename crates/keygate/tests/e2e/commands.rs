//! The operator's commands, with the server running and without.

use std::process::Output;

use reqwest::Client;
use serde_json::Value;

use crate::support::{Account, EMAIL, PASSWORD, Program, Spawn, Upstream};

const NEW_PASSWORD: &str = "a wholly different set of words";

fn said(output: &Output) -> String {
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout.clone())
        .expect("UTF-8")
        .trim()
        .to_owned()
}

fn refused(output: &Output) -> String {
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert_eq!(output.stdout, b"");
    let said = String::from_utf8(output.stderr.clone()).expect("UTF-8");
    assert_eq!(said.lines().count(), 1, "{said}");
    said.trim().to_owned()
}

fn json(output: &Output) -> Value {
    serde_json::from_str(&said(output)).expect("JSON")
}

async fn status_with(program: &Program, key: &str) -> u16 {
    let request = Client::new().get(format!("{}/v1/models", program.url));
    let answer = request.bearer_auth(key).send().await;
    answer.expect("it answers").status().as_u16()
}

fn issue(program: &Program) -> (String, String) {
    let args = ["key", "issue", "--account", EMAIL, "--name", "CI", "--json"];
    let key = json(&program.cli(&args, ""));
    let text = |field: &str| key[field].as_str().expect("text").to_owned();
    (text("id"), text("key"))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revocation_by_command_has_taken_effect_when_it_returns() {
    let upstream = Upstream::start().await;
    let program = Program::with_upstream(&upstream.url());
    Account::create(&program).await;
    for _ in 0..9 {
        let (id, key) = issue(&program);
        assert_eq!(status_with(&program, &key).await, 200);
        said(&program.cli(&["key", "revoke", "--account", EMAIL, &id], ""));
        assert_eq!(status_with(&program, &key).await, 401);
    }
    let (_, key) = issue(&program);
    assert_eq!(status_with(&program, &key).await, 200);
    said(&program.cli(&["account", "suspend", EMAIL], ""));
    assert_eq!(status_with(&program, &key).await, 403);
    said(&program.cli(&["account", "resume", EMAIL], ""));
    assert_eq!(status_with(&program, &key).await, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reset_password_ends_sessions_at_once() {
    let program = Program::start(Spawn::default());
    let account = Account::create(&program).await;
    let args = ["account", "reset-password", EMAIL, "--password-stdin"];
    said(&program.cli(&args, NEW_PASSWORD));
    let answer = account.call(reqwest::Method::GET, "/api/keys").send().await;
    assert_eq!(answer.expect("it answers").status(), 401);
}

#[tokio::test(flavor = "multi_thread")]
async fn commands_do_the_same_while_the_server_is_stopped() {
    let upstream = Upstream::start().await;
    let mut program = Program::with_upstream(&upstream.url());
    Account::create(&program).await;
    let (id, key) = issue(&program);
    assert!(program.terminate().success());
    let (_, kept) = issue(&program);
    said(&program.cli(&["key", "revoke", "--account", EMAIL, &id], ""));
    let listed = json(&program.cli(&["key", "list", "--account", EMAIL, "--json"], ""));
    assert_eq!(listed.as_array().map(Vec::len), Some(1));
    let program = program.restart();
    assert_eq!(status_with(&program, &key).await, 401);
    assert_eq!(status_with(&program, &kept).await, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn results_are_tables_for_people_and_json_for_programs() {
    let program = Program::start(Spawn::default());
    Account::create(&program).await;
    let (id, _) = issue(&program);
    let table = said(&program.cli(&["account", "list"], ""));
    assert!(
        table.starts_with("E-MAIL") && table.contains(EMAIL),
        "{table}"
    );
    let table = said(&program.cli(&["key", "list", "--account", EMAIL], ""));
    assert!(
        table.starts_with("PREFIX") && table.contains(&id),
        "{table}"
    );
    assert!(!table.contains('\u{1b}'), "no colours but on a terminal");
    let accounts = json(&program.cli(&["account", "list", "--json"], ""));
    assert_eq!(accounts[0]["email"], EMAIL);
    assert_eq!(accounts[0]["suspended_at"], Value::Null);
    for (command, stdin) in [
        (
            &["account", "create", "bob@example.com", "--password-stdin"] as &[&str],
            PASSWORD,
        ),
        (
            &["account", "reset-password", EMAIL, "--password-stdin"],
            NEW_PASSWORD,
        ),
        (&["account", "suspend", EMAIL], ""),
        (&["account", "resume", EMAIL], ""),
    ] {
        let args = [command, &["--json"]].concat();
        let account = json(&program.cli(&args, stdin));
        assert!(account["email"].is_string(), "{command:?} {account}");
    }
    let args = ["key", "revoke", "--account", EMAIL, &id, "--json"];
    assert_eq!(json(&program.cli(&args, ""))["id"], id.as_str());
    let none = said(&program.cli(&["key", "list", "--account", EMAIL], ""));
    assert_eq!(none, "The account has no keys.");
}

#[tokio::test(flavor = "multi_thread")]
async fn another_role_ends_sessions_at_once() {
    let program = Program::start(Spawn::default());
    let account = Account::create(&program).await;
    said(&program.cli(&["account", "set-role", EMAIL, "admin"], ""));
    let ended = account.call(reqwest::Method::GET, "/api/session").send();
    assert_eq!(ended.await.expect("it answers").status(), 401);
    let admin = Account::sign_in(&program.url).await;
    let list = admin
        .call(reqwest::Method::GET, "/api/admin/accounts")
        .send();
    assert_eq!(list.await.expect("it answers").status(), 200);
    let listed = said(&program.cli(&["account", "list"], ""));
    assert!(listed.contains("admin"), "{listed}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_invitation_is_a_link_that_works() {
    let closed = Program::start(Spawn {
        config: Some("[accounts]\nsignup = \"closed\"\n".into()),
        ..Spawn::default()
    });
    let why = refused(&closed.cli(&["account", "invite"], ""));
    assert!(why.contains("need the setting accounts.signup"), "{why}");
    let program = Program::start(Spawn::default());
    // Whoever followed it would have the first account, and be no admin.
    let why = refused(&program.cli(&["account", "invite"], ""));
    assert!(why.contains("keygate account create --admin"), "{why}");
    create_admin(&program, "admin@example.com");
    let link = said(&program.cli(&["account", "invite"], ""));
    let page = Client::new().get(&link).send().await.expect("it answers");
    assert_eq!(page.status(), 200, "{link}");
    let (_, token) = link.rsplit_once("/signup?token=").expect("a link");
    let body = serde_json::json!({"email": EMAIL, "password": PASSWORD, "invitation": token});
    let request = Client::new().post(format!("{}/api/accounts", program.url));
    let answer = request.json(&body).send().await.expect("it answers");
    assert_eq!(answer.status(), 201);
    let why = refused(&program.cli(&["account", "invite", EMAIL], ""));
    assert!(why.contains("already exists"), "{why}");
    said(&program.cli(&["account", "invite", "Grace@example.com"], ""));
    let links = said(&program.cli(&["account", "links"], ""));
    assert!(links.contains("grace@example.com"), "{links}");
}

fn create_admin(program: &Program, email: &str) {
    let create = ["account", "create", "--admin", "--password-stdin", email];
    said(&program.cli(&create, PASSWORD));
}

/// Otherwise nobody could look after the others, and in the dashboard nobody could change that.
#[tokio::test(flavor = "multi_thread")]
async fn the_last_admin_is_neither_demoted_nor_suspended() {
    let mut program = Program::start(Spawn::default());
    create_admin(&program, "one@example.com");
    for is_running in [true, false] {
        if !is_running {
            assert!(program.terminate().success());
        }
        for command in [
            ["account", "set-role", "one@example.com", "member"].as_slice(),
            &["account", "suspend", "one@example.com"],
        ] {
            let why = refused(&program.cli(command, ""));
            assert!(why.contains("the last admin"), "{why}");
            assert!(why.contains("set-role E-MAIL admin"), "{why}");
        }
    }
    create_admin(&program, "two@example.com");
    said(&program.cli(&["account", "suspend", "one@example.com"], ""));
    let why = refused(&program.cli(&["account", "set-role", "two@example.com", "member"], ""));
    assert!(why.contains("the last admin"), "{why}");
    let accounts = json(&program.cli(&["account", "list", "--json"], ""));
    assert_eq!(accounts[1]["role"], "admin", "{accounts}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_withdrawn_link_works_no_more() {
    let program = Program::start(Spawn::default());
    Account::create(&program).await;
    let none = said(&program.cli(&["account", "links"], ""));
    assert_eq!(none, "There are no active links.");
    let link = said(&program.cli(&["account", "invite"], ""));
    let (_, token) = link.rsplit_once("/signup?token=").expect("a link");
    let table = said(&program.cli(&["account", "links"], ""));
    assert!(
        table.contains("invitation") && table.contains("operator"),
        "{table}"
    );
    assert!(!table.contains(token), "{table}");
    let links = json(&program.cli(&["account", "links", "--json"], ""));
    let id = links[0]["id"].as_str().expect("an id");
    let withdraw = ["account", "withdraw-link", id];
    said(&program.cli(&withdraw, ""));
    let why = refused(&program.cli(&withdraw, ""));
    assert!(why.contains("There is no such link."), "{why}");
    let body =
        serde_json::json!({"email": "eve@example.com", "password": PASSWORD, "invitation": token});
    let request = Client::new().post(format!("{}/api/accounts", program.url));
    let answer = request.json(&body).send().await.expect("it answers");
    assert_eq!(answer.status(), 403);
}

#[tokio::test(flavor = "multi_thread")]
async fn it_is_said_if_no_account_is_an_admins() {
    let program = Program::start(Spawn::default());
    let command = |args: &[&str]| said(&program.cli(args, PASSWORD));
    let advice = format!("keygate account set-role {EMAIL} admin");
    let made = command(&["account", "create", EMAIL, "--password-stdin"]);
    assert!(made.contains(&advice), "{made}");
    let raised = command(&["account", "set-role", EMAIL, "admin"]);
    assert!(!raised.contains("There is no admin"), "{raised}");
    let second = command(&["account", "create", "bob@example.com", "--password-stdin"]);
    assert!(!second.contains("There is no admin"), "{second}");
}

#[tokio::test(flavor = "multi_thread")]
async fn mistakes_are_one_line_that_says_what_to_do() {
    let program = Program::start(Spawn::default());
    Account::create(&program).await;
    let mut shown = String::new();
    for (args, stdin) in [
        (
            &["account", "create", EMAIL, "--password-stdin"] as &[&str],
            PASSWORD,
        ),
        (
            &["account", "create", "not an address", "--password-stdin"],
            PASSWORD,
        ),
        (
            &["account", "create", "bob@example.com", "--password-stdin"],
            "short",
        ),
        (
            &["account", "create", "bob@example.com", "--password-stdin"],
            "password1234",
        ),
        (&["account", "create", "bob@example.com"], PASSWORD),
        (&["account", "suspend", "nobody@example.com"], ""),
        (&["account", "set-role", "nobody@example.com", "admin"], ""),
        (&["account", "reset-link", "nobody@example.com"], ""),
        (&["key", "issue", "--account", EMAIL, "--name", " "], ""),
        (
            &[
                "key",
                "issue",
                "--account",
                EMAIL,
                "--name",
                "a",
                "--expires-at",
                "tomorrow",
            ],
            "",
        ),
        (
            &[
                "key",
                "issue",
                "--account",
                EMAIL,
                "--name",
                "a",
                "--expires-at",
                "2000-01-01T00:00:00Z",
            ],
            "",
        ),
        (&["key", "list", "--account", "nobody@example.com"], ""),
        (&["key", "revoke", "--account", EMAIL, "nonsense"], ""),
    ] {
        let said = refused(&program.cli(args, stdin));
        shown.push_str(&format!("{}\n  {said}\n", args.join(" ")));
    }
    insta::assert_snapshot!(shown);
    let accounts = json(&program.cli(&["account", "list", "--json"], ""));
    assert_eq!(accounts.as_array().map(Vec::len), Some(1));
}

#[test]
fn without_data_there_is_nothing_to_list() {
    let folder = tempfile::TempDir::new().expect("a temporary folder");
    let mut command = crate::support::keygate(folder.path());
    let output = command.args(["account", "list"]).output().expect("it runs");
    let said = refused(&output);
    assert!(said.contains("There is no keygate data"), "{said}");
    assert!(!folder.path().join("keygate-data").exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_that_names_another_database_than_the_one_that_runs_changes_neither() {
    let program = Program::start(Spawn::default());
    Account::create(&program).await;
    let other = program.folder().join("other.db");
    let create = ["account", "create", "eve@example.com", "--password-stdin"];
    let named = ["--database", other.to_str().expect("UTF-8")];
    let why = refused(&program.cli(&[&create[..], &named].concat(), PASSWORD));
    assert!(why.contains("uses") && why.contains("other.db"), "{why}");
    assert!(!other.exists());
    let server = [
        "--database",
        "postgres://keygate:hunter2@127.0.0.1:1/keygate",
    ];
    let why = refused(&program.cli(&[&create[..], &server].concat(), PASSWORD));
    assert!(
        why.contains("127.0.0.1:1/keygate") && !why.contains("hunter2"),
        "{why}"
    );
    let listed = said(&program.cli(&["account", "list"], ""));
    assert!(!listed.contains("eve"), "{listed}");
    // Its own is its own under every name.
    let own = program.data().join("keygate.db");
    let link = program.folder().join("link.db");
    std::os::unix::fs::symlink(&own, &link).expect("a link");
    for path in [own, link] {
        let named = ["--database", path.to_str().expect("UTF-8")];
        let listed = said(&program.cli(&[&["account", "list"][..], &named].concat(), ""));
        assert!(listed.contains(EMAIL), "{listed}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_that_names_no_database_takes_the_one_that_the_folder_was_served_from() {
    let folder = tempfile::TempDir::new().expect("a temporary folder");
    let elsewhere = folder.path().join("elsewhere.db");
    let mut program = Program::start(Spawn {
        database: Some(elsewhere.to_str().expect("UTF-8").to_owned()),
        ..Spawn::default()
    });
    Account::create(&program).await;
    let list = |program: &Program| {
        let mut command = crate::support::keygate(program.folder());
        command
            .args(["account", "list", "--data"])
            .arg(program.data());
        said(&command.output().expect("it runs"))
    };
    assert!(list(&program).contains(EMAIL), "while it runs");
    program.terminate();
    assert!(list(&program).contains(EMAIL), "when it has stopped");
    assert!(!program.data().join("keygate.db").exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn offline_commands_issue_keys_by_the_rules_of_the_server() {
    let upstream = Upstream::start().await;
    let mut program = Program::start(Spawn {
        upstream: Some(upstream.url()),
        config: Some("[keys]\nprefix = \"acme_\"\nmax_active = 2\n".to_owned()),
        ..Spawn::default()
    });
    Account::create(&program).await;
    issue(&program);
    program.terminate();
    let without_configuration = |args: &[&str]| {
        let mut command = crate::support::keygate(program.folder());
        command.args(args).arg("--data").arg(program.data());
        command.output().expect("it runs")
    };
    let args = ["key", "issue", "--account", EMAIL, "--name", "CI", "--json"];
    let issued = json(&without_configuration(&args));
    let key = issued["key"].as_str().expect("text").to_owned();
    assert!(key.starts_with("acme_"), "{key}");
    let why = refused(&without_configuration(&args));
    assert!(why.contains("has 2 active"), "{why}");
    // What is set is not overruled, and what would not work is refused.
    std::fs::write(
        program.folder().join("other.toml"),
        "[keys]\nprefix = \"other_\"\n",
    )
    .expect("written");
    let other = [&args[..], &["--config", "other.toml"]].concat();
    let why = refused(&without_configuration(&other));
    assert!(why.contains("begin with acme_"), "{why}");
    let program = program.restart();
    assert_eq!(status_with(&program, &key).await, 200);
}
