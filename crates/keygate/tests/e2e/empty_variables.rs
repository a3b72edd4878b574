//! A variable that is empty is not set.

use std::process::Output;

use tempfile::TempDir;

use crate::support::keygate;

const EMPTY: [&str; 17] = [
    "KEYGATE_DATA",
    "KEYGATE_CONFIG",
    "KEYGATE_DATABASE",
    "KEYGATE_LISTEN",
    "KEYGATE_METRICS_LISTEN",
    "KEYGATE_UPSTREAM",
    "KEYGATE_STATUS_INTERVAL",
    "KEYGATE_LOG",
    "KEYGATE_PUBLIC_URL",
    "KEYGATE_KEYS_MAX_ACTIVE",
    "KEYGATE_TRACES_BELIEVE",
    "KEYGATE_NOTHING",
    "PGHOST",
    "PGUSER",
    "PGDATABASE",
    "TMPDIR",
    "OTEL_EXPORTER_OTLP_ENDPOINT",
];

fn with_all_empty(args: &[&str]) -> Output {
    let folder = TempDir::new().expect("a temporary folder");
    let mut command = keygate(folder.path());
    for name in EMPTY {
        command.env(name, "");
    }
    command.args(args).output().expect("it runs")
}

#[test]
fn empty_variables_are_not_set() {
    let output = with_all_empty(&["config", "check"]);
    assert!(output.status.success(), "{output:?}");
    let output = with_all_empty(&["account", "list"]);
    let said = String::from_utf8(output.stderr).expect("UTF-8");
    assert!(said.contains("no keygate data in ./keygate-data"), "{said}");
}

#[test]
fn an_argument_that_is_empty_is_refused() {
    for flag in ["--data", "--listen", "--database", "--upstream"] {
        let folder = TempDir::new().expect("a temporary folder");
        let mut command = keygate(folder.path());
        let output = command.args(["serve", flag, ""]).output().expect("it runs");
        assert!(!output.status.success(), "{flag} {output:?}");
    }
}
