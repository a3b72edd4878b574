//! What a running program says of itself and its upstreams, and what operators add to it.

use std::process::Command;

use reqwest::Client;
use rusqlite::Connection;
use serde_json::{Value, json};

use crate::{
    python::python,
    support::{Account, Program, Proxy, Spawn, eventually, free_port, run},
};

/// An upstream in a process of its own, that knows no path: 404 says that it is there.
fn upstream(port: u16) -> Proxy {
    Proxy::start_at(port, |_, port| {
        let mut command = Command::new("python3");
        command.args(["-m", "http.server", "--bind", "127.0.0.1"]);
        command.arg(port.to_string());
        command
    })
}

async fn text(program: &Program, path: &str) -> String {
    let answer = Client::new().get(format!("{}{path}", program.url));
    let answer = answer.send().await.expect("it answers");
    assert_eq!(answer.status(), 200);
    answer.text().await.expect("text")
}

async fn status(program: &Program) -> Value {
    serde_json::from_str(&text(program, "/api/status").await).expect("JSON")
}

/// How the upstream does.
async fn of_upstream(program: &Program) -> Value {
    let status = status(program).await;
    let mut components = status["components"].as_array().expect("an array").iter();
    let found = components.find(|one| one["id"] == "upstream:/v1");
    found.expect("it is there").clone()
}

/// How many probes of the upstream succeeded and failed, as the database has them.
fn tally(program: &Program) -> (u64, u64) {
    let db = Connection::open(program.data().join("keygate.db")).expect("it opens");
    let sql = "SELECT sum(is_up), sum(1 - is_up) FROM probes WHERE component = 'upstream:/v1'";
    let row = db.query_row(sql, [], |row| Ok((row.get(0)?, row.get(1)?)));
    row.expect("there are some")
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upstream_that_dies_and_comes_back_is_seen_and_counted() {
    let port = free_port();
    let running = upstream(port);
    let mut program = Program::start(Spawn {
        upstream: Some(format!("http://127.0.0.1:{port}")),
        status_interval: Some("100ms"),
        ..Spawn::default()
    });
    eventually("everything is probed and works", async || {
        status(&program).await["status"] == "operational"
    })
    .await;
    assert!(
        text(&program, "/status")
            .await
            .contains("All systems operational.")
    );
    drop(running);
    eventually("the page says that it is down", async || {
        text(&program, "/status").await.contains("API is down.")
    })
    .await;
    eventually("an incident is open", async || {
        status(&program).await["incidents"][0]["title"] == "API is down"
    })
    .await;
    let open = &status(&program).await["incidents"];
    assert_eq!(open[0]["kind"], "outage");
    assert_eq!(open[0]["components"], json!(["upstream:/v1"]));
    let _running = upstream(port);
    eventually("it works again", async || {
        status(&program).await["status"] == "operational"
    })
    .await;
    let status = status(&program).await;
    assert_eq!(status["incidents"], json!([]));
    assert_eq!(status["past"][0]["state"], "resolved");
    assert_eq!(status["past"].as_array().map(Vec::len), Some(1));

    assert!(program.terminate().success());
    let (up, down) = tally(&program);
    assert!(up >= 3 && down >= 3, "{up} and {down}");
    // One probe more, and then none for an hour.
    let program = program.restart_with(|spawn| spawn.status_interval = Some("1h"));
    eventually("the first probe is counted", async || {
        of_upstream(&program).await["uptime"]["last_24_hours"]["up"] == up + 1
    })
    .await;
    let shown = of_upstream(&program).await;
    #[expect(clippy::cast_precision_loss, reason = "some dozens of probes")]
    let percent = (up + 1) as f64 / (up + 1 + down) as f64 * 100.0;
    for window in ["last_24_hours", "last_7_days", "last_90_days"] {
        let uptime = &shown["uptime"][window];
        assert_eq!(uptime["down"], down, "{window}");
        let shown = uptime["percent"].as_f64().expect("a number");
        assert!(
            (shown - percent).abs() <= 0.005,
            "{window}: {shown}, {percent}"
        );
    }
    let page = text(&program, "/status").await;
    assert!(
        page.contains(&format!("<dd>{percent:.2} %")),
        "{percent}: {page}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_program_that_was_away_does_not_know_how_it_was() {
    let mut program = Program::start(Spawn {
        status_interval: Some("100ms"),
        ..Spawn::default()
    });
    eventually("it is probed", async || {
        status(&program).await["components"][0]["uptime"]["last_24_hours"]["up"].as_u64() > Some(3)
    })
    .await;
    assert!(program.terminate().success());
    let path = program.data().join("keygate.db");
    let count = "SELECT count(*), max(known_ms) FROM probes, probe_rollups \
        WHERE probes.component = 'storage' AND probe_rollups.component = 'storage'";
    let read = || {
        let db = Connection::open(&path).expect("it opens");
        let row = db.query_row(count, [], |row| {
            Ok((row.get::<_, u64>(0)?, row.get::<_, u64>(1)?))
        });
        row.expect("counted")
    };
    // As if it had been away for an hour.
    let db = Connection::open(&path).expect("it opens");
    for table in [
        "probes SET at = at",
        "probe_rollups SET starts_at = starts_at",
    ] {
        db.execute(&format!("UPDATE {table} - 3600000"), [])
            .expect("moved");
    }
    drop(db);
    let (_, known_before) = read();
    let program = program.restart_with(|spawn| spawn.status_interval = Some("1m"));
    eventually("it is probed again", async || {
        status(&program).await["components"][2]["status"] == "operational"
    })
    .await;
    let (probes, known) = read();
    assert!(probes > 0);
    assert_eq!(known, known_before, "the hour between is not known");
}

/// A command of the operator's, and the JSON that it prints.
fn incident(program: &Program, args: &[&str], stdin: &str) -> Value {
    let mut command = vec!["incident"];
    command.extend(args);
    command.push("--json");
    let done = program.cli(&command, stdin);
    assert!(done.status.success(), "{done:?}");
    serde_json::from_slice(&done.stdout).expect("JSON")
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operator_posts_updates_and_corrects_and_a_feed_reader_follows() {
    let program = Program::start(Spawn {
        config: Some("[[upstream]]\nurl = \"http://127.0.0.1:9\"\nname = \"Models\"\n".into()),
        status_interval: Some("1h"),
        ..Spawn::default()
    });
    Account::create(&program).await;
    let markup = "<script>alert(1)</script> & more\r\nsecond line";
    let post = ["post", "--title", "<b>Slow</b>", "--message", "-"];
    let post = [&post[..], &["--component", "upstream:/v1"]].concat();
    let posted = incident(&program, &post, markup);
    let id = posted["id"].as_str().expect("an id");
    let update = posted["updates"][0]["id"].as_str().expect("an id");
    let said = [
        "update",
        id,
        "--message",
        "A disk is full.",
        "--state",
        "identified",
    ];
    assert_eq!(incident(&program, &said, "")["state"], "identified");
    let edit = [
        "edit",
        id,
        "--title",
        "Very <b>slow</b>",
        "--starts-at",
        "2026-01-02T03:04:05Z",
    ];
    assert_eq!(
        incident(&program, &edit, "")["starts_at"],
        "2026-01-02T03:04:05.000Z"
    );
    let corrected = format!("{markup}, corrected");
    let correct = ["edit-update", id, update, "--message", &corrected];
    let shown = incident(&program, &correct, "");
    let kept = corrected.replace("\r\n", "\n");
    assert_eq!(shown["updates"][0]["message"], *kept);
    let plan = [
        "--starts-at",
        "2999-01-01T00:00:00Z",
        "--ends-at",
        "2999-01-01T01:00:00Z",
    ];
    let plan = [
        &["schedule", "--title", "Disks", "--message", "Soon."],
        &plan[..],
    ]
    .concat();
    incident(&program, &plan, "");
    let listed = incident(&program, &["list"], "");
    assert_eq!(listed[0]["title"], "Disks");
    assert_eq!(listed[1], shown);

    let page = text(&program, "/status").await;
    assert!(
        page.contains("Models · since 2 Jan 2026, 03:04 UTC"),
        "{page}"
    );
    let feed = text(&program, "/status/feed.atom").await;
    let feed = read_feed(&feed);
    assert_eq!(feed["well_formed"], true);
    assert_eq!(feed["version"], "atom10");
    assert_eq!(feed["id"], format!("{}/status", program.url));
    let entries = feed["entries"].as_array().expect("an array");
    assert_eq!(entries.len(), 2);
    let slow = entries
        .iter()
        .find(|one| one["id"] == format!("urn:uuid:{id}"));
    let slow = slow.expect("it is in the feed");
    assert_eq!(slow["title_type"], "text/plain");
    assert_eq!(slow["text_type"], "text/plain");
    assert_eq!(
        slow["link"],
        format!("{}/status#incident-{id}", program.url)
    );
    assert_eq!(slow["updated"], shown["updates"][1]["at"]);
    let text = slow["text"].as_str().expect("text");
    assert!(text.contains(&kept), "{text}");

    let refused = program.cli(
        &[
            "incident",
            "post",
            "--title",
            "a",
            "--message",
            &"x".repeat(10_001),
        ],
        "",
    );
    assert_eq!(refused.status.code(), Some(1));
    let error = String::from_utf8(refused.stderr).expect("UTF-8");
    assert_eq!(
        error,
        "error: \"message\" must have at most 10,000 characters.\n"
    );
    assert_eq!(
        incident(&program, &["list"], ""),
        listed,
        "a refusal changes nothing"
    );
}

/// What a real reader makes of a feed.
fn read_feed(feed: &str) -> Value {
    let read = run(python("read_feed.py", "feedparser"), feed);
    assert!(read.status.success(), "{read:?}");
    serde_json::from_slice(&read.stdout).expect("JSON")
}
