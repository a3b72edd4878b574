use std::{path::Path, process::Command};

/// A script beside the tests, in the environment that has these packages.
pub fn python(script: &str, packages: &str) -> Command {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let environment = here.join("../../target/test-tools/venv");
    let python = environment.join("bin/python");
    assert!(
        python.exists(),
        "{packages} is missing: run cargo xtask test, or\n  python3 -m venv {0} && {0}/bin/pip install {packages}",
        environment.display()
    );
    let mut command = Command::new(python);
    command.arg(here.join("tests/operators").join(script));
    command
}
