//! What people see on a terminal, which `script` (Debian's bsdutils) gives the program.

use std::{
    io::{BufRead, BufReader},
    path::Path,
    process::{Command, Stdio},
};

use tempfile::TempDir;

use crate::support::signal;

/// Runs the program on a terminal; what it shows up to the first line with `until` in it.
fn shown(folder: &Path, args: &str, until: &str, no_color: &str) -> Vec<String> {
    let program = env!("CARGO_BIN_EXE_keygate");
    let mut command = Command::new("script");
    command.args([
        "--quiet",
        "--return",
        "--command",
        &format!("exec {program} {args}"),
    ]);
    command
        .arg("/dev/null")
        .current_dir(folder)
        .env("NO_COLOR", no_color);
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .expect("script is there: apt-get install bsdutils");
    let mut lines = Vec::new();
    for line in BufReader::new(child.stdout.take().expect("piped")).lines() {
        lines.push(line.expect("UTF-8"));
        if lines.last().is_some_and(|line| line.contains(until)) {
            break;
        }
    }
    // It passes the signal on, if the program has not ended already.
    signal(&child, "TERM");
    child.wait().expect("ended");
    lines
}

#[test]
fn logs_are_for_people_there() {
    let folder = TempDir::new().expect("a temporary folder");
    let lines = shown(
        folder.path(),
        "serve --listen 127.0.0.1:0",
        " listening ",
        "1",
    );
    let log = lines.last().expect("a line");
    assert!(
        log.contains(" INFO ") && !log.starts_with('{'),
        "{lines:#?}"
    );
}

#[test]
fn errors_are_red_there_unless_colours_are_unwanted() {
    let folder = TempDir::new().expect("a temporary folder");
    for (no_color, label) in [("", "\u{1b}[31merror:\u{1b}[0m "), ("1", "error: ")] {
        let lines = shown(folder.path(), "serve --listen nowhere", "error:", no_color);
        assert!(lines[0].starts_with(label), "{lines:#?}");
    }
}
