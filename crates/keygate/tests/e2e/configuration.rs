//! What keeps the program from starting: one line on what to do, and nothing changed.

use std::{net::Ipv4Addr, path::Path};

use rusqlite::Connection;
use tempfile::TempDir;

use crate::support::{Account, Program, Spawn, keygate};

/// Runs a command that must fail with one line; the line.
fn failure(folder: &Path, args: &[&str], env: &[(&str, &str)]) -> String {
    let mut command = keygate(folder);
    let output = command.args(args).envs(env.iter().copied()).output();
    let output = output.expect("it runs");
    assert_eq!(output.status.code(), Some(1), "{args:?} {output:?}");
    let said = String::from_utf8(output.stderr).expect("UTF-8");
    assert_eq!(said.lines().count(), 1, "{said}");
    said.trim().to_owned()
}

#[test]
fn a_bad_configuration_says_what_to_do() {
    let folder = TempDir::new().expect("a temporary folder");
    let mut shown = String::new();
    for text in [
        "[keys]\nprefx = \"a_\"",
        "[server]\nlisten = \"8080\"",
        "[keys]\nmax_active = \"ten\"",
        "[keys\n",
        "[[upstream]]\npath = \"/v1\"",
        "[[upstream]]\npath = \"/api\"\nurl = \"http://127.0.0.1:11434\"",
        "[[upstream]]\nstrip_path = \"yes\"\nurl = \"http://127.0.0.1:11434\"",
    ] {
        std::fs::write(folder.path().join("keygate.toml"), text).expect("written");
        for command in ["serve", "config check"] {
            let mut args: Vec<&str> = command.split(' ').collect();
            args.extend(["--config", "keygate.toml"]);
            let said = failure(folder.path(), &args, &[]);
            if command == "serve" {
                shown.push_str(&format!("{}\n  {said}\n", text.replace('\n', " ")));
            } else {
                assert!(shown.contains(&said), "{said}");
            }
        }
    }
    for (args, env) in [
        (&["serve", "--config", "missing.toml"] as &[&str], ("X", "")),
        (&["serve", "--listen", "nowhere"], ("X", "")),
        (&["serve", "--upstream", "localhost"], ("X", "")),
        (&["serve", "--log", "a=b=c"], ("X", "")),
        (&["serve", "--log", "inof"], ("X", "")),
        (&["serve", "--public-url", "keys.example.com"], ("X", "")),
        (&["config", "check"], ("KEYGATE_LISTEN", "nowhere")),
        (&["config", "check"], ("KEYGATE_SERVER_LISTEN", "nowhere")),
        (&["config", "check"], ("KEYGATE_KEYS_MAX_ACTIVE", "ten")),
        (&["account", "list"], ("KEYGATE_KEYS_PREFX", "acme_")),
        (&["serve"], ("KEYGATE_LISEN", "127.0.0.1:0")),
        (&["serve"], ("KEYGATE_XYZ", "x")),
        (&["serve"], ("KEYGATE_LISTEN", "nowhere")),
        (&["serve"], ("KEYGATE_UPSTREAM", "nowhere")),
        (&["serve"], ("KEYGATE_CONFIG", "missing.toml")),
        (&["demo", "--data", "x"], ("X", "")),
    ] {
        let said = failure(folder.path(), args, &[env]);
        shown.push_str(&format!(
            "{} {}={}\n  {said}\n",
            args.join(" "),
            env.0,
            env.1
        ));
    }
    insta::assert_snapshot!(shown);
    assert!(!folder.path().join("keygate-data").exists());
}

#[test]
fn a_good_configuration_is_said_to_be_valid() {
    let folder = TempDir::new().expect("a temporary folder");
    let reference = include_str!("../../../../docs/configuration.md");
    let example = reference.split("```").nth(1).expect("an example");
    let example = example.strip_prefix("toml").expect("TOML");
    // The files that the example names are of its reader's machine.
    let example: Vec<&str> = example
        .lines()
        .filter(|line| !line.contains("_file"))
        .collect();
    std::fs::write(folder.path().join("keygate.toml"), example.join("\n")).expect("written");
    let mut command = keygate(folder.path());
    let output = command
        .args(["config", "check", "--config", "keygate.toml"])
        .output();
    let output = output.expect("it runs");
    assert!(output.status.success(), "{output:?}");
    assert_eq!(output.stdout, b"The configuration is valid.\n");
}

/// Whoever runs it in a container needs no file.
#[tokio::test(flavor = "multi_thread")]
async fn variables_give_settings_and_come_before_the_file() {
    let env = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let program = Program::start(Spawn {
        config: Some("[keys]\nprefix = \"file_\"\nmax_active = 1\n".to_owned()),
        env: vec![env("KEYGATE_KEYS_PREFIX", "acme_")],
        ..Spawn::default()
    });
    let account = Account::create(&program).await;
    let (_, key) = account.key(&["read"]).await;
    assert!(key.starts_with("acme_"), "{}", &key[..9]);
    let body = serde_json::json!({"name": "one too many", "scopes": ["read"]});
    let another = account.call(reqwest::Method::POST, "/api/keys").json(&body);
    let another = another.send().await.expect("it answers");
    assert_eq!(another.status(), 409, "the file's limit holds");
}

#[test]
fn public_address_is_told_without_a_file() {
    for (args, name) in [
        (&["--public-url", "https://keys.example.com"] as &[&str], ""),
        (&[], "KEYGATE_PUBLIC_URL"),
        (&[], "KEYGATE_SERVER_PUBLIC_URL"),
    ] {
        let env =
            (!name.is_empty()).then(|| (name.to_owned(), "https://keys.example.com/".to_owned()));
        let program = Program::start(Spawn {
            args: args.iter().map(|arg| (*arg).to_owned()).collect(),
            env: env.into_iter().collect(),
            ..Spawn::default()
        });
        assert_eq!(program.url, "https://keys.example.com");
        assert!(
            program.greeting.contains("  https://keys.example.com/"),
            "{}",
            program.greeting
        );
    }
}

const FORM: &str = "application/x-www-form-urlencoded";

/// A machine in a closet, and a browser somewhere else.
#[tokio::test(flavor = "multi_thread")]
async fn other_machines_are_told_by_which_addresses_and_how_by_a_name() {
    let program = Program::start(Spawn {
        host: Some(Ipv4Addr::UNSPECIFIED.into()),
        ..Spawn::default()
    });
    let port = program.address().port();
    let links: Vec<&str> = program
        .greeting
        .lines()
        .filter_map(|line| line.strip_prefix("  "))
        .collect();
    let client = reqwest::Client::builder().no_proxy().build();
    let client = client.expect("a client");
    assert!(!links.is_empty(), "{}", program.greeting);
    for link in links {
        let page = client.get(link).send().await.expect("an answer");
        assert_eq!(page.status(), 200, "{link}");
        let (page, token) = link.split_once("?token=").expect("a token");
        let origin = page.strip_suffix("/signup").expect("a page");
        let sent = client.post(page).header("origin", origin);
        let form = format!("token={token}&email=ada%40example.com&password=short");
        let sent = sent.header("content-type", FORM).body(form);
        let refused = sent.send().await.expect("an answer");
        assert_eq!(refused.status(), 400, "{link}");
    }
    assert!(
        program
            .greeting
            .contains("start it with that: --public-url http://")
    );

    // By a name that nobody told it.
    let name = format!("gpubox:{port}");
    let origin = format!("http://{name}");
    let sent = client.post(format!("{}/signup", program.url));
    let sent = sent.header("host", name).header("origin", &origin);
    let sent = sent.header("content-type", FORM).body("email=a");
    let refused = sent.send().await.expect("an answer");
    assert_eq!(refused.status(), 403);
    let said = refused.text().await.expect("text");
    assert!(said.contains(&format!("--public-url {origin}")), "{said}");
    let doctor = program.cli(&["doctor", "--listen", &format!("0.0.0.0:{port}")], "");
    let said = String::from_utf8_lossy(&doctor.stdout);
    assert!(said.contains("warning  public address"), "{said}");
    let doctor = program.cli(&["doctor", "--public-url", &origin], "");
    let said = String::from_utf8_lossy(&doctor.stdout);
    assert!(
        said.contains(&format!("reach the pages at {origin}")),
        "{said}"
    );
}

#[test]
fn files_that_variables_name_are_taken_from_the_working_folder() {
    let folder = TempDir::new().expect("a temporary folder");
    std::fs::create_dir(folder.path().join("etc")).expect("made");
    std::fs::write(folder.path().join("etc/keygate.toml"), "").expect("written");
    let pepper = "0123456789abcdef0123456789abcdef";
    std::fs::write(folder.path().join("pepper"), pepper).expect("written");
    let mut command = keygate(folder.path());
    command.args(["config", "check", "--config", "etc/keygate.toml"]);
    command.env("KEYGATE_KEYS_PEPPER_FILE", "pepper");
    let output = command.output().expect("it runs");
    assert!(output.status.success(), "{output:?}");
}

#[test]
fn help_names_the_flag_of_each_setting_and_its_variable() {
    let folder = TempDir::new().expect("a temporary folder");
    for command in [&["serve"] as &[&str], &["config", "check"], &["doctor"]] {
        let mut program = keygate(folder.path());
        let output = program.args(command).arg("--help").output();
        let help = String::from_utf8(output.expect("it runs").stdout).expect("UTF-8");
        let help = help.split_whitespace().collect::<Vec<_>>().join(" ");
        for (flag, variable) in [
            ("--listen <ADDRESS>", "KEYGATE_LISTEN"),
            ("--public-url <URL>", "KEYGATE_PUBLIC_URL"),
            ("--metrics-listen <ADDRESS>", "KEYGATE_METRICS_LISTEN"),
            ("--upstream <URL>", "KEYGATE_UPSTREAM"),
            ("--status-interval <TIME>", "KEYGATE_STATUS_INTERVAL"),
            ("--database <DATABASE>", "KEYGATE_DATABASE"),
        ] {
            let is_shown = help.contains(flag) && help.contains(&format!("[env: {variable}]"));
            assert!(is_shown, "{flag} {variable}\n{help}");
        }
    }
}

#[test]
fn a_kubernetes_service_of_this_name_is_no_mistake() {
    let folder = TempDir::new().expect("a temporary folder");
    let mut command = keygate(folder.path());
    command.args(["config", "check"]);
    command
        .env("KEYGATE_SERVICE_HOST", "10.0.0.1")
        .env("KEYGATE_PORT", "tcp://10.0.0.1:80")
        .env("KEYGATE_METRICS_SERVICE_HOST", "10.0.0.2")
        .env("KEYGATE_METRICS_SERVICE_PORT_HTTP", "9090")
        .env("KEYGATE_METRICS_PORT_9090_TCP_ADDR", "10.0.0.2");
    assert!(command.output().expect("it runs").status.success());
}

#[test]
fn a_command_that_does_not_exist_is_a_usage_error() {
    let folder = TempDir::new().expect("a temporary folder");
    for args in [
        &["serv"] as &[&str],
        &["serve", "--lisen", "x"],
        &["key", "issue"],
    ] {
        let output = keygate(folder.path()).args(args).output().expect("it runs");
        assert_eq!(output.status.code(), Some(2), "{args:?}");
    }
}

#[test]
fn a_taken_port_makes_no_data_folder() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = taken.local_addr().expect("an address").to_string();
    let folder = TempDir::new().expect("a temporary folder");
    let said = failure(folder.path(), &["serve", "--listen", &address], &[]);
    let expected = format!(
        "error: Cannot listen on {address}: another program listens there. Choose another address with --listen."
    );
    assert_eq!(said, expected);
    assert!(!folder.path().join("keygate-data").exists());
}

#[test]
fn a_data_folder_in_use_is_left_alone() {
    let program = Program::start(Spawn::default());
    let data = program.data();
    let data = data.to_str().expect("UTF-8");
    let args = ["serve", "--listen", "127.0.0.1:0", "--data", data];
    // What is in memory that its threads share is the program's own affair.
    let kept = || {
        let mut contents = contents(&program.data());
        contents.retain(|path, _| !path.ends_with("keygate.db-shm"));
        contents
    };
    let before = kept();
    let said = failure(program.folder(), &args, &[]);
    assert!(said.contains("is in use by another process"), "{said}");
    assert!(kept() == before, "its files have changed");
}

/// The files of a folder with their bytes; of a socket its name.
fn contents(folder: &Path) -> std::collections::BTreeMap<std::path::PathBuf, Option<Vec<u8>>> {
    let entries = std::fs::read_dir(folder).expect("readable");
    let paths = entries.map(|entry| entry.expect("readable").path());
    paths
        .map(|path| (path.clone(), std::fs::read(path).ok()))
        .collect()
}

#[test]
fn somebody_elses_file_is_left_alone() {
    let folder = TempDir::new().expect("a temporary folder");
    let data = folder.path().join("keygate-data");
    std::fs::create_dir(&data).expect("made");
    std::fs::write(data.join("keygate.db"), "not a database at all").expect("written");
    let before = contents(&data);
    let said = failure(folder.path(), &["serve", "--listen", "127.0.0.1:0"], &[]);
    assert!(said.contains("is not a keygate database"), "{said}");
    assert_eq!(contents(&data), before);
}

#[test]
fn a_data_folder_whose_path_is_too_long_is_not_made() {
    let folder = TempDir::new().expect("a temporary folder");
    let data = "d".repeat(120);
    let args = ["serve", "--listen", "127.0.0.1:0", "--data", &data];
    let said = failure(folder.path(), &args, &[]);
    assert!(said.contains("is too long by 27 bytes"), "{said}");
    assert!(!folder.path().join(data).exists());
}

#[test]
fn a_newer_versions_database_is_left_alone() {
    let mut program = Program::start(Spawn::default());
    assert!(program.terminate().success());
    let path = program.data().join("keygate.db");
    let database = Connection::open(&path).expect("it opens");
    database
        .pragma_update(None, "user_version", 999)
        .expect("set");
    database.close().expect("closed");
    let before = std::fs::read(&path).expect("readable");
    let data = program.data();
    let data = data.to_str().expect("UTF-8");
    let args = ["serve", "--listen", "127.0.0.1:0", "--data", data];
    let said = failure(program.folder(), &args, &[]);
    assert!(said.contains("schema version 999"), "{said}");
    assert!(said.contains("Run the keygate that wrote it"), "{said}");
    assert_eq!(std::fs::read(&path).expect("readable"), before);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_pepper_is_noticed_before_any_key_fails() {
    let mut program = Program::start(Spawn::default());
    Account::create(&program).await.key(&["read"]).await;
    assert!(program.terminate().success());
    let pepper = program.folder().join("pepper");
    std::fs::write(&pepper, "0123456789abcdef0123456789abcdef").expect("written");
    let config = program.folder().join("keygate.toml");
    std::fs::write(&config, "[keys]\npepper_file = \"pepper\"\n").expect("written");
    let data = program.data();
    let args = [
        "serve",
        "--listen",
        "127.0.0.1:0",
        "--config",
        "keygate.toml",
        "--data",
        data.to_str().expect("UTF-8"),
    ];
    let said = failure(program.folder(), &args, &[]);
    assert!(
        said.contains("Set keys.pepper_file to what it was"),
        "{said}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_peppered_database_works_and_holds_no_plain_hash() {
    let folder = TempDir::new().expect("a temporary folder");
    let pepper = folder.path().join("pepper");
    std::fs::write(&pepper, "0123456789abcdef0123456789abcdef\n").expect("written");
    let config = format!(
        "[keys]\npepper_file = \"{}\"\nprefix = \"acme_\"\n",
        pepper.display()
    );
    let mut program = Program::start(Spawn {
        config: Some(config),
        ..Spawn::default()
    });
    let account = Account::create(&program).await;
    let (_, key) = account.key(&["read"]).await;
    assert!(key.starts_with("acme_"), "{}", &key[..9]);
    assert!(program.terminate().success());
    let program = program.restart();
    let request = reqwest::Client::new().get(format!("{}/v1/models", program.url));
    let answer = request.bearer_auth(&key).send().await.expect("it answers");
    assert_eq!(
        answer.status(),
        502,
        "the key is good; there is no upstream"
    );
    let database = Connection::open(program.data().join("keygate.db")).expect("it opens");
    let kept: Vec<u8> = database
        .query_row("SELECT hash FROM api_keys", [], |row| row.get(0))
        .expect("one key");
    let plain = keygate_core::key::KeyHasher::default().hash(&key);
    assert_ne!(kept, plain.as_bytes());
}

#[test]
fn the_data_folder_is_for_its_owner_alone() {
    use std::os::unix::fs::PermissionsExt;
    let program = Program::start(Spawn::default());
    let mode = |path: &Path| {
        std::fs::metadata(path)
            .expect("it is there")
            .permissions()
            .mode()
            & 0o777
    };
    assert_eq!(mode(&program.data()), 0o700);
    for entry in std::fs::read_dir(program.data()).expect("readable") {
        let path = entry.expect("readable").path();
        assert_eq!(mode(&path), 0o600, "{}", path.display());
    }
}
