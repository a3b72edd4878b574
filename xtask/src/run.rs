use std::{
    env,
    path::Path,
    process::{Child, Command, Stdio},
    time::Instant,
};

/// What went wrong, in a line.
pub(crate) struct Failure(pub(crate) String);

/// The project's root.
pub(crate) fn root() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
}

/// Runs cargo in the project's root, saying what for and how long it took.
pub(crate) fn cargo(what: &str, args: &[&str], env: &[(&str, &str)]) -> Result<(), Failure> {
    println!("\n=== {what}: cargo {}", args.join(" "));
    let began = Instant::now();
    succeed(cargo_itself().args(args).envs(env.iter().copied()))?;
    println!("=== {what}: {} s", began.elapsed().as_secs());
    Ok(())
}

/// What runs beside everything else and gives way to it. It ends with this program at the latest.
pub(crate) struct Meanwhile(Child);

impl Meanwhile {
    /// Runs cargo in the project's root.
    pub(crate) fn cargo(args: &[&str]) -> Result<Self, Failure> {
        println!("\n=== Meanwhile: cargo {}", args.join(" "));
        let mut nice = as_from_a_shell(Command::new("nice"));
        nice.args(["-n", "19", env!("CARGO")]).args(args);
        let child = nice.current_dir(root()).spawn();
        let child = child.map_err(|error| Failure(format!("{nice:?} cannot be run: {error}")))?;
        Ok(Self(child))
    }
}

impl Drop for Meanwhile {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// What cargo prints.
pub(crate) fn output(args: &[&str]) -> Result<Vec<u8>, Failure> {
    let output = cargo_itself()
        .args(args)
        .current_dir(root())
        .stderr(Stdio::inherit())
        .output()
        .map_err(|error| Failure(error.to_string()))?;
    output
        .status
        .success()
        .then_some(output.stdout)
        .ok_or_else(|| Failure(format!("cargo {} failed", args.join(" "))))
}

/// cargo as a shell would run it.
pub(crate) fn cargo_itself() -> Command {
    as_from_a_shell(Command::new(env!("CARGO")))
}

/// Without what cargo told this program of its package: it would reach build scripts that look at it, and
/// have them built anew.
fn as_from_a_shell(mut command: Command) -> Command {
    for (name, _) in env::vars_os() {
        let text = name.to_string_lossy();
        if text.starts_with("CARGO_PKG_") || text.starts_with("CARGO_MANIFEST_") {
            command.env_remove(&name);
        }
    }
    command
}

/// Runs a command in the project's root.
pub(crate) fn succeed(command: &mut Command) -> Result<(), Failure> {
    let status = command.current_dir(root()).status();
    let shown = format!("{command:?}");
    match status {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(Failure(format!("{shown} ended with {status}"))),
        Err(error) => Err(Failure(format!("{shown} cannot be run: {error}"))),
    }
}
