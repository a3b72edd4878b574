use std::{
    ffi::OsStr,
    fs::{DirBuilder, File},
    io::{BufRead, BufReader, Read, Write},
    net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream},
    os::unix::fs::DirBuilderExt,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Output, Stdio},
};

use tempfile::TempDir;

/// How to start the program.
#[derive(Default)]
pub struct Spawn {
    pub upstream: Option<String>,
    /// Where it listens, if that is not on 127.0.0.1.
    pub host: Option<IpAddr>,
    /// The port there, where it must not be any.
    pub port: u16,
    /// The text of a configuration file.
    pub config: Option<String>,
    pub log: Option<String>,
    /// A database that is not in the data folder.
    pub database: Option<String>,
    pub metrics: Metrics,
    /// How often it looks whether all works; it does not where this is left out.
    pub status_interval: Option<&'static str>,
    pub env: Vec<(String, String)>,
    /// More flags.
    pub args: Vec<String>,
    /// The control group in which it is from its beginning.
    pub group: Option<PathBuf>,
    /// How many files and connections it may have open, where that is not as many as it finds.
    pub open_files: Option<u32>,
    /// Whom it asks for the addresses of names, where that is not whom everybody asks.
    pub resolver: Option<IpAddr>,
    /// What a shell does before it becomes the program.
    pub before: Option<&'static str>,
}

/// Where a program serves its metrics.
#[derive(Default)]
pub enum Metrics {
    /// Nowhere, so that programs beside each other do not fight for the port.
    #[default]
    Off,
    /// On any port of 127.0.0.1.
    Anywhere,
    /// Where it does by itself.
    Unset,
}

/// A running `keygate serve`. It is killed when dropped.
pub struct Program {
    child: Child,
    pub url: String,
    /// What it printed before it was ready.
    pub greeting: String,
    spawn: Spawn,
    folder: TempDir,
}

impl Program {
    /// Starts the program with an empty data folder.
    pub fn start(spawn: Spawn) -> Self {
        Self::start_in(spawn, TempDir::new().expect("a temporary folder"))
    }

    /// Starts the program with what `fill` puts into its data folder.
    pub fn start_with_data(spawn: Spawn, fill: impl FnOnce(&Path)) -> Self {
        let folder = TempDir::new().expect("a temporary folder");
        let data = folder.path().join("data");
        let made = DirBuilder::new().mode(0o700).create(&data);
        made.expect("a folder in a new one");
        fill(&data);
        Self::start_in(spawn, folder)
    }

    pub fn with_upstream(url: &str) -> Self {
        Self::start(Spawn {
            upstream: Some(url.to_owned()),
            ..Spawn::default()
        })
    }

    /// Starts the program in a folder, its data in the folder `data` there.
    pub fn start_in(spawn: Spawn, folder: TempDir) -> Self {
        let mut command = keygate(folder.path());
        let host = spawn.host.unwrap_or(Ipv4Addr::LOCALHOST.into());
        let listen = SocketAddr::new(host, spawn.port);
        command.args(["serve", "--listen", &listen.to_string()]);
        command.arg("--data");
        command.arg(folder.path().join("data"));
        if let Some(url) = &spawn.upstream {
            command.args(["--upstream", url]);
        }
        if let Some(url) = &spawn.database {
            command.args(["--database", url]);
        }
        if let Some(text) = &spawn.config {
            let path = folder.path().join("keygate.toml");
            std::fs::write(&path, text).expect("written");
            command.arg("--config").arg(path);
        }
        if let Some(interval) = spawn.status_interval {
            command.args(["--status-interval", interval]);
        }
        if let Some(filter) = &spawn.log {
            command.args(["--log", filter]);
        }
        match spawn.metrics {
            Metrics::Off => {}
            Metrics::Anywhere => {
                command.args(["--metrics-listen", "127.0.0.1:0"]);
            }
            Metrics::Unset => {
                command.env_remove(METRICS_LISTEN);
            }
        }
        command.args(&spawn.args);
        command.envs(spawn.env.clone());
        if let Some(group) = &spawn.group {
            let join = r#"echo $$ > "$0/cgroup.procs""#;
            command = by_shell(&["sh"], &command, join, group.as_os_str());
        }
        if let Some(limit) = spawn.open_files {
            let limit = limit.to_string();
            command = by_shell(&["sh"], &command, r#"ulimit -n "$0""#, limit.as_ref());
        }
        if let Some(resolver) = spawn.resolver {
            let path = folder.path().join("resolv.conf");
            std::fs::write(&path, format!("nameserver {resolver}\n")).expect("written");
            let mount = r#"mount --bind "$0" /etc/resolv.conf"#;
            let apart = ["unshare", "--mount", "sh"];
            command = by_shell(&apart, &command, mount, path.as_os_str());
        }
        if let Some(before) = spawn.before {
            command = by_shell(&["sh"], &command, before, OsStr::new("sh"));
        }
        let log = File::options()
            .create(true)
            .append(true)
            .open(folder.path().join("log"));
        command
            .stdout(Stdio::piped())
            .stderr(log.expect("a log file"));
        let mut child = command.spawn().expect("the program starts");
        let (url, greeting) = await_greeting(&mut child);
        Self {
            child,
            url,
            greeting,
            spawn,
            folder,
        }
    }

    /// Where it says that it serves its metrics.
    pub fn metrics_url(&self) -> &str {
        let mut greeting = self.greeting.lines();
        let url = greeting.find_map(|line| line.strip_prefix("Metrics are served on "));
        url.expect("it says so")
    }

    /// The address on which it listens.
    pub fn address(&self) -> SocketAddr {
        let address = self.url.strip_prefix("http://").expect("plain http");
        address.parse().expect("an address")
    }

    /// Where it says that it serves its metrics.
    pub fn metrics_address(&self) -> SocketAddr {
        let address = self.metrics_url().strip_prefix("http://");
        let address = address.and_then(|address| address.strip_suffix("/metrics"));
        address.expect("plain http").parse().expect("an address")
    }

    /// Where it says that it answers Envoy.
    pub fn ext_authz_address(&self) -> SocketAddr {
        self.said_address("Envoy's ext_authz is answered on ")
    }

    /// Where it says that the data plane is served alone.
    pub fn gateway_address(&self) -> SocketAddr {
        self.said_address("Upstreams are reached by all their paths on http://")
    }

    fn said_address(&self, after: &str) -> SocketAddr {
        let mut greeting = self.greeting.lines();
        let address = greeting.find_map(|line| line.strip_prefix(after));
        address.expect("it says so").parse().expect("an address")
    }

    /// The port that it was told to listen on.
    pub fn port(&self) -> u16 {
        self.spawn.port
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    pub fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// A folder for the test's own files.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("log")).expect("a log file")
    }

    /// `kill -9`.
    pub fn kill(&mut self) {
        self.child.kill().expect("killed");
        self.child.wait().expect("ended");
    }

    /// Starts it again on the same data, after [`Self::kill`] or [`Self::terminate`].
    pub fn restart(self) -> Self {
        self.restart_with(|_| {})
    }

    /// The same, with something changed.
    pub fn restart_with(self, change: impl FnOnce(&mut Spawn)) -> Self {
        let mut gone = self;
        let folder = TempDir::new().expect("a temporary folder");
        let folder = std::mem::replace(&mut gone.folder, folder);
        let mut spawn = std::mem::take(&mut gone.spawn);
        change(&mut spawn);
        Self::start_in(spawn, folder)
    }

    pub fn signal(&self, name: &str) {
        signal(&self.child, name);
    }

    pub fn wait(&mut self) -> ExitStatus {
        self.child.wait().expect("ended")
    }

    /// SIGTERM, and how it ended.
    pub fn terminate(&mut self) -> ExitStatus {
        self.signal("TERM");
        self.wait()
    }

    /// Runs an operator's command on the same data folder.
    pub fn cli(&self, args: &[&str], stdin: &str) -> Output {
        run(self.command(args), stdin)
    }

    /// The same after a shell has done something.
    pub fn cli_after(&self, before: &str, args: &[&str]) -> Output {
        run(
            by_shell(&["sh"], &self.command(args), before, OsStr::new("sh")),
            "",
        )
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = keygate(self.folder.path());
        command.args(args).arg("--data").arg(self.data());
        if let Some(url) = &self.spawn.database {
            command.args(["--database", url]);
        }
        if self.spawn.config.is_some() {
            command
                .arg("--config")
                .arg(self.folder.path().join("keygate.toml"));
        }
        command
    }

    /// Sends bytes as they are on a connection of their own; what comes back until it is closed.
    pub fn raw(&self, request: &[u8]) -> String {
        let address = self.url.strip_prefix("http://").expect("plain http");
        let mut stream = TcpStream::connect(address).expect("it listens");
        stream.write_all(request).expect("sent");
        let mut answer = Vec::new();
        // It may close before it has read everything.
        let _ = stream.read_to_end(&mut answer);
        String::from_utf8_lossy(&answer).into_owned()
    }

    /// How many files and sockets it has open.
    pub fn open_descriptors(&self) -> usize {
        let folder = format!("/proc/{}/fd", self.pid());
        std::fs::read_dir(folder).expect("it runs").count()
    }

    /// How many of them are sockets. Of its database it may open more files at any time.
    pub fn open_sockets(&self) -> usize {
        let folder = format!("/proc/{}/fd", self.pid());
        let open = std::fs::read_dir(folder).expect("it runs");
        let targets = open.filter_map(|file| std::fs::read_link(file.ok()?.path()).ok());
        let sockets = targets.filter(|target| target.to_string_lossy().starts_with("socket:"));
        sockets.count()
    }

    /// Its resident memory, in bytes.
    pub fn resident_bytes(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid()));
        let status = status.expect("it runs");
        let line = status.lines().find(|line| line.starts_with("VmRSS:"));
        let kib = line.expect("a size").split_whitespace().nth(1);
        kib.expect("a number").parse::<u64>().expect("a number") * 1024
    }
}

impl Drop for Program {
    #[expect(clippy::print_stderr, reason = "what a failed test needs")]
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            eprintln!("--- log of keygate\n{}---", self.log());
        }
    }
}

const METRICS_LISTEN: &str = "KEYGATE_METRICS_LISTEN";
const STATUS_INTERVAL: &str = "KEYGATE_STATUS_INTERVAL";

/// The program, without the environment's settings and without metrics, in a folder of its own.
pub fn keygate(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_keygate"));
    command.current_dir(folder);
    hide_variables(&mut command, &["KEYGATE_"]);
    command.env(METRICS_LISTEN, "off");
    // Upstreams of tests are asked by tests alone, unless those say otherwise.
    command.env(STATUS_INTERVAL, "off");
    command
}

/// The same command, by a shell that does something with an argument and then becomes the program.
fn by_shell(shell: &[&str], command: &Command, first: &str, argument: &OsStr) -> Command {
    let (program, options) = shell.split_first().expect("a shell");
    let mut shell = Command::new(program);
    shell
        .args(options)
        .args(["-c", &format!(r#"{first} && exec "$@""#)])
        .arg(argument)
        .arg(command.get_program())
        .args(command.get_args());
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => shell.env(name, value),
            None => shell.env_remove(name),
        };
    }
    if let Some(folder) = command.get_current_dir() {
        shell.current_dir(folder);
    }
    shell
}

/// Has a command not see what stands in the environment under names that begin like this.
pub fn hide_variables(command: &mut Command, prefixes: &[&str]) {
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        if prefixes.iter().any(|prefix| text.starts_with(prefix)) {
            command.env_remove(&name);
        }
    }
}

/// Runs a command to its end, with this on its standard input.
pub fn run(command: Command, stdin: &str) -> Output {
    run_with(command, stdin.as_bytes())
}

/// The same with what need not be text.
pub fn run_with(mut command: Command, stdin: &[u8]) -> Output {
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command.spawn().expect("it starts");
    let mut input = child.stdin.take().expect("piped");
    // A command that refuses early does not read its input.
    let _ = input.write_all(stdin);
    drop(input);
    child.wait_with_output().expect("it ends")
}

/// Sends a process the signal of this name.
pub fn signal(child: &Child, name: &str) {
    let pid = child.id().to_string();
    let status = Command::new("kill").args(["-s", name, &pid]).status();
    assert!(status.expect("kill runs").success());
}

/// What it prints until it says that it is ready, and where.
fn await_greeting(child: &mut Child) -> (String, String) {
    let lines = BufReader::new(child.stdout.take().expect("piped")).lines();
    let mut greeting = String::new();
    for line in lines {
        let line = line.expect("UTF-8");
        greeting.push_str(&line);
        greeting.push('\n');
        if let Some(url) = line.strip_prefix("keygate listens on ") {
            return (url.to_owned(), greeting);
        }
    }
    panic!("it ended before it was ready: {greeting}");
}
