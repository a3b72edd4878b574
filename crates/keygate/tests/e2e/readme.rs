//! The README's commands, as they stand there.

use std::{
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use crate::support::{hide_variables, keygate, signal};

const README: &str = include_str!("../../../../README.md");
const CI: &str = include_str!("../../../../.ci/run");

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// The lines of the `sh` blocks of a section.
fn commands(section: &str) -> Vec<&'static str> {
    let heading = format!("## {section}\n");
    let (_, text) = README.split_once(&heading).expect("the section");
    let text = text.split("\n## ").next().expect("its text");
    let blocks = text.split("```sh\n").skip(1);
    let lines = blocks.flat_map(|block| block.split("```").next().expect("an end").lines());
    lines.collect()
}

#[test]
fn two_commands_set_it_up_and_ci_runs_the_second() {
    let commands = commands("Set up");
    assert_eq!(commands.len(), 2);
    assert_eq!(CI.lines().last(), Some(commands[1]));
}

/// The flags and commands that the README shows exist.
#[test]
fn what_it_shows_is_understood() {
    let folder = tempfile::TempDir::new().expect("a temporary folder");
    for line in commands("Use it") {
        let words = line.strip_prefix("keygate ").expect("a command of keygate");
        let words = words
            .split(' ')
            .take_while(|word| !word.starts_with('-') && !word.contains('@'));
        let output = keygate(folder.path()).args(words).arg("--help").output();
        let help = String::from_utf8(output.expect("it runs").stdout).expect("UTF-8");
        for flag in line.split(' ').filter(|word| word.starts_with("--")) {
            assert!(
                help.contains(&format!("{flag} ")),
                "{flag} of {line}\n{help}"
            );
        }
        assert!(help.contains("Usage: keygate "), "{line}");
    }
}

#[test]
fn its_links_lead_somewhere() {
    for link in README.split("](").skip(1) {
        let link = link.split(')').next().expect("an end");
        let (page, heading) = link.split_once('#').unwrap_or((link, ""));
        assert!(root().join(page).exists(), "{link}");
        if heading.is_empty() {
            continue;
        }
        let page = std::fs::read_to_string(root().join(page)).expect("text");
        let mut headings = page.lines().filter(|line| line.starts_with('#'));
        let anchor = |line: &str| line.trim_start_matches(['#', ' ']).replace(' ', "-");
        assert!(
            headings.any(|line| anchor(line).eq_ignore_ascii_case(heading)),
            "{link}"
        );
    }
}

/// The first command as it stands there, then every line that it prints to be copied.
#[test]
fn the_demo_runs_and_its_lines_work() {
    let mut command = Command::new("sh");
    command
        .args(["-c", &format!("exec {}", commands("Set up")[0])])
        .current_dir(root())
        .env_remove("KEYGATE_LISTEN")
        .stdout(Stdio::piped());
    // What cargo told the tests of their package would have build scripts run again.
    hide_variables(&mut command, &["CARGO_PKG_", "CARGO_MANIFEST_"]);
    let mut demo = Demo(command.spawn().expect("sh runs"));
    let output = BufReader::new(demo.0.stdout.take().expect("piped"));
    let mut introduction = String::new();
    for line in output.lines() {
        let line = line.expect("UTF-8");
        introduction.push_str(&line);
        introduction.push('\n');
        if line.starts_with("Ctrl-C") {
            break;
        }
    }
    let folder = tempfile::TempDir::new().expect("a temporary folder");
    let answers: Vec<String> = curl_lines(&introduction)
        .iter()
        .map(|line| {
            let output = Command::new("sh")
                .args(["-c", line])
                .current_dir(folder.path())
                .output();
            let output = output.expect("sh runs");
            assert!(output.status.success(), "{line} {output:?}");
            String::from_utf8(output.stdout).expect("UTF-8")
        })
        .collect();
    assert_eq!(answers.len(), 3, "{introduction}");
    assert!(answers[0].contains("You said: Hello"), "{}", answers[0]);
    assert_eq!(answers[1], "");
    assert!(answers[2].contains("\"key\":\"ask_"), "{}", answers[2]);

    signal(&demo.0, "INT");
    assert!(demo.0.wait().expect("it ends").success());
}

/// Each curl command with the lines that continue it.
fn curl_lines(introduction: &str) -> Vec<String> {
    let joined = introduction.replace("\\\n", "");
    let lines = joined.lines().filter(|line| line.starts_with("curl "));
    lines.map(str::to_owned).collect()
}

struct Demo(Child);

impl Drop for Demo {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
