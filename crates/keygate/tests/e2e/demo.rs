//! The demo leaves nothing behind, however it is ended.

use std::{
    fs::File,
    io::{BufRead, BufReader, Write},
    net::TcpStream,
    path::Path,
    process::{Child, Stdio},
};

use tempfile::TempDir;

use crate::support::{eventually, keygate, signal};

/// A running demo, and where it listens.
fn start(folder: &Path) -> (Child, String) {
    let temporary = folder.join("tmp");
    std::fs::create_dir(&temporary).expect("made");
    let log = File::create(folder.join("log")).expect("a log file");
    let mut command = keygate(folder);
    let mut demo = command
        .args(["demo", "--listen", "127.0.0.1:0"])
        .env("TMPDIR", temporary)
        .stdout(Stdio::piped())
        .stderr(log)
        .spawn()
        .expect("it starts");
    let mut lines = BufReader::new(demo.stdout.take().expect("piped")).lines();
    let first = lines.next().expect("a line").expect("UTF-8");
    let address = first.strip_prefix("keygate listens on http://");
    let address = address.expect("it says where").to_owned();
    let last = |line: &std::io::Result<String>| {
        line.as_ref()
            .is_ok_and(|line| line.starts_with("Ctrl-C ends"))
    };
    lines.find(last).expect("it is ready").expect("UTF-8");
    // The pipe stays open, as a terminal would.
    std::mem::forget(lines);
    (demo, address)
}

fn left_behind(folder: &Path) -> usize {
    let folder = std::fs::read_dir(folder.join("tmp"));
    folder.expect("it is there").count()
}

#[test]
fn a_demo_that_is_ended_leaves_nothing_behind() {
    for name in ["INT", "TERM", "HUP"] {
        let folder = TempDir::new().expect("a temporary folder");
        let (mut demo, _) = start(folder.path());
        assert_eq!(left_behind(folder.path()), 1);
        signal(&demo, name);
        let ended = demo.wait().expect("it ends");
        assert!(ended.success(), "{name} {ended}");
        assert_eq!(left_behind(folder.path()), 0, "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_demo_that_is_ended_at_once_leaves_nothing_behind() {
    let folder = TempDir::new().expect("a temporary folder");
    let (mut demo, address) = start(folder.path());
    // A request under way keeps it from ending by itself.
    let mut client = TcpStream::connect(&address).expect("it listens");
    let half = b"POST /api/session HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 99\r\n\r\n{";
    client.write_all(half).expect("sent");
    signal(&demo, "INT");
    eventually("it is ending", async || {
        let log = std::fs::read_to_string(folder.path().join("log"));
        log.is_ok_and(|log| log.contains("stopping:"))
    })
    .await;
    signal(&demo, "INT");
    assert_eq!(demo.wait().expect("it ends").code(), Some(130));
    assert_eq!(left_behind(folder.path()), 0);
    drop(client);
}
