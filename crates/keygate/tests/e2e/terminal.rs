//! What people see on a terminal, which `script` (Debian's bsdutils) gives the program.

use std::{
    io::{BufRead, BufReader, Read, Write},
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

/// Asks for a password on a terminal and ends that, by a key or a signal. How the program ended, and how the
/// terminal was set before and after.
fn ended_at_the_password(end: &str) -> (String, String, String) {
    let folder = TempDir::new().expect("a temporary folder");
    let read = |name: &str| std::fs::read_to_string(folder.path().join(name)).expect(name);
    let program = env!("CARGO_BIN_EXE_keygate");
    let inner = format!("echo $$ > pid; exec {program} account create ada@example.com");
    let outer = format!("stty -a > before; sh -c '{inner}'; echo $? > code; stty -a > after");
    let mut child = Command::new("script")
        .args(["--quiet", "--command", &outer, "/dev/null"])
        .current_dir(folder.path())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("script is there: apt-get install bsdutils");
    let mut keyboard = child.stdin.take().expect("piped");
    let mut screen = child.stdout.take().expect("piped");
    let mut shown = Vec::new();
    while !String::from_utf8_lossy(&shown).contains("Password: ") {
        let mut byte = [0];
        screen.read_exact(&mut byte).expect("it asks");
        shown.extend(byte);
    }
    if end == "\u{3}" {
        keyboard.write_all(end.as_bytes()).expect("typed");
    } else {
        let sent = Command::new("kill")
            .args(["-s", end, read("pid").trim()])
            .status();
        assert!(sent.expect("kill runs").success());
    }
    std::io::copy(&mut screen, &mut std::io::sink()).expect("it ends");
    drop(keyboard);
    child.wait().expect("ended");
    (
        read("code").trim().to_owned(),
        read("before"),
        read("after"),
    )
}

#[test]
fn whoever_ends_the_question_for_a_password_sees_again_what_is_typed() {
    for (end, expected) in [
        ("\u{3}", "130"),
        ("INT", "130"),
        ("TERM", "143"),
        ("HUP", "129"),
    ] {
        let (code, before, after) = ended_at_the_password(end);
        assert!(before.contains(" echo "), "{before}");
        assert_eq!((&*code, after), (expected, before), "{end:?}");
    }
}
