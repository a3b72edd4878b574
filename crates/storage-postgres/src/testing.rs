//! A PostgreSQL server of the tests' own, on a port of its own, gone with them.

use std::{
    fs,
    io::{BufRead, BufReader, Write},
    net::TcpListener,
    os::unix::fs::{PermissionsExt, chown},
    path::{Path, PathBuf},
    process::{Child, ChildStdin, Command, Stdio},
    sync::atomic::{AtomicUsize, Ordering},
    time::{Duration, Instant},
};

use tempfile::TempDir;

/// A server that ends with the process that started it, however that ends.
pub struct PostgresServer {
    folder: TempDir,
    port: u16,
    user: Option<User>,
    options: Vec<String>,
    running: Option<(Child, ChildStdin)>,
    databases: AtomicUsize,
}

/// Whom the server runs as where the tests run as root, as which it refuses to.
#[derive(Clone, Copy)]
struct User {
    id: u32,
    group: u32,
}

/// A session that holds a lock on a table until it is dropped.
pub struct TableLock(Child);

impl Drop for TableLock {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Waits for the end of its input, which is that of whoever started it, and ends the server. The folder
/// goes as well, unless the input says that it is needed again.
const KEEPER: &str = r#"folder=$1; shift; "$@" & server=$!; input=$(cat)
kill -INT $server 2>/dev/null; wait $server; [ "$input" = stay ] || rm -rf "$folder""#;

const START_TIMEOUT: Duration = Duration::from_mins(1);

impl PostgresServer {
    /// Makes an empty server and starts it.
    ///
    /// # Panics
    ///
    /// Where there is no PostgreSQL, or it does not start; the text says what to install.
    pub fn start() -> Self {
        let mut server = Self::make();
        server.resume();
        server
    }

    /// The same with TLS, by a certificate and its key in PEM.
    ///
    /// # Panics
    ///
    /// As [`Self::start`].
    pub fn start_with_tls(certificate: &str, key: &str) -> Self {
        let mut server = Self::make();
        let certificate = server.write("certificate.pem", certificate);
        let key = server.write("key.pem", key);
        server.options = vec![
            "-cssl=on".to_owned(),
            format!("-cssl_cert_file={certificate}"),
            format!("-cssl_key_file={key}"),
        ];
        server.resume();
        server
    }

    /// Writes a file that the server alone can read; its path.
    fn write(&self, name: &str, text: &str) -> String {
        let path = self.folder.path().join(name);
        fs::write(&path, text).expect("a file");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).expect("its owner may");
        if let Some(User { id, group }) = self.user {
            chown(&path, Some(id), Some(group)).expect("root may");
        }
        path.to_string_lossy().into_owned()
    }

    fn make() -> Self {
        let folder = TempDir::new().expect("a temporary folder");
        let user = unprivileged_user();
        if let Some(user) = user {
            chown(folder.path(), Some(user.id), Some(user.group)).expect("root may");
        }
        let port = TcpListener::bind("127.0.0.1:0").and_then(|socket| socket.local_addr());
        let server = Self {
            folder,
            port: port.expect("a free port").port(),
            user,
            options: Vec::new(),
            running: None,
            databases: 0.into(),
        };
        let data = server.data();
        let mut initdb = server.command("initdb", &["-A", "trust", "-U", "keygate", "-N", "-D"]);
        let made = initdb.arg(&data).output().expect("initdb runs");
        assert!(made.status.success(), "{made:?}");
        server
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// Starts the server again after [`Self::stop`].
    pub fn resume(&mut self) {
        let data = self.data();
        let port = self.port.to_string();
        let options = [
            "-c",
            "listen_addresses=127.0.0.1",
            "-c",
            "unix_socket_directories=",
            "-c",
            "max_connections=200",
            "-p",
            &port,
            "-D",
        ];
        let server = self.command("postgres", &options);
        let mut keeper = Command::new("sh");
        keeper
            .args(["-c", KEEPER, "keeper"])
            .arg(self.folder.path());
        keeper
            .arg(server.get_program())
            .args(server.get_args())
            .arg(&data)
            .args(&self.options);
        let log = fs::File::create(self.folder.path().join("log")).expect("a log");
        keeper
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(log);
        let mut child = keeper.spawn().expect("sh runs");
        let stdin = child.stdin.take().expect("a pipe");
        self.running = Some((child, stdin));
        self.await_ready();
    }

    fn await_ready(&self) {
        let port = self.port.to_string();
        let deadline = Instant::now() + START_TIMEOUT;
        let args = ["-q", "-h", "127.0.0.1", "-p", &port];
        while !self
            .command("pg_isready", &args)
            .status()
            .expect("it runs")
            .success()
        {
            let log = fs::read_to_string(self.folder.path().join("log"));
            assert!(
                Instant::now() < deadline,
                "PostgreSQL does not start: {log:?}"
            );
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Shuts the server down as it is when its machine goes down: sessions are broken off.
    pub fn stop(&mut self) {
        if let Some((mut keeper, mut stdin)) = self.running.take() {
            stdin.write_all(b"stay").expect("the keeper reads");
            drop(stdin);
            keeper.wait().expect("it ends");
        }
    }

    /// Makes a standby that has what the server has now, and then falls behind.
    ///
    /// # Panics
    ///
    /// Where the copy fails.
    pub fn make_standby(&self) {
        let (port, standby) = (self.port.to_string(), self.standby());
        let args = [
            "-h",
            "127.0.0.1",
            "-U",
            "keygate",
            "-R",
            "-c",
            "fast",
            "-N",
            "-p",
            &port,
        ];
        let mut copy = self.command("pg_basebackup", &args);
        let done = copy.arg("-D").arg(standby).output();
        let done = done.expect("pg_basebackup runs");
        assert!(done.status.success(), "{done:?}");
    }

    fn standby(&self) -> PathBuf {
        self.folder.path().join("standby")
    }

    /// Ends the server for good and lets the standby take its place, which has not heard of it since it
    /// was made.
    ///
    /// # Panics
    ///
    /// Where there is no standby, or it does not become the primary.
    pub fn fail_over(&mut self) {
        self.stop();
        fs::remove_dir_all(self.data()).expect("it is ended");
        fs::rename(self.standby(), self.data()).expect("a standby");
        self.resume();
        assert_eq!(self.sql("postgres", "SELECT pg_promote()"), "t");
    }

    /// A backup of a database.
    ///
    /// # Panics
    ///
    /// Where `pg_dump` fails.
    pub fn dump(&self, database: &str) -> String {
        let port = self.port.to_string();
        let args = ["-h", "127.0.0.1", "-U", "keygate", "-p", &port, database];
        let done = self.command("pg_dump", &args).output();
        let done = done.expect("pg_dump runs");
        assert!(done.status.success(), "{done:?}");
        String::from_utf8(done.stdout).expect("UTF-8")
    }

    /// Puts a backup in the place of a database that others may be using.
    pub fn restore(&self, database: &str, dump: &str) {
        let drop = format!("DROP DATABASE {database} WITH (FORCE)");
        self.sql("postgres", &drop);
        self.sql("postgres", &format!("CREATE DATABASE {database}"));
        self.sql(database, &format!("BEGIN;\n{dump}\nCOMMIT;"));
    }

    /// Where it listens on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Makes an empty database; gives its URL.
    pub fn create_database(&self) -> String {
        let name = format!("keygate{}", self.databases.fetch_add(1, Ordering::SeqCst));
        self.sql("postgres", &format!("CREATE DATABASE {name}"));
        self.url(&name, self.port)
    }

    /// The address of a database behind this port, the server's or that of something before it.
    pub fn url(&self, database: &str, port: u16) -> String {
        format!("postgres://keygate@127.0.0.1:{port}/{database}?sslmode=disable")
    }

    /// Runs statements; gives what they print, unaligned.
    pub fn sql(&self, database: &str, sql: &str) -> String {
        let mut running = self.psql(database);
        let mut stdin = running.stdin.take().expect("a pipe");
        stdin.write_all(sql.as_bytes()).expect("psql reads");
        drop(stdin);
        let done = running.wait_with_output().expect("psql ends");
        assert!(done.status.success(), "{sql}: {done:?}");
        String::from_utf8(done.stdout)
            .expect("UTF-8")
            .trim_end()
            .to_owned()
    }

    /// Locks a table against everybody else until what is returned is dropped.
    pub fn lock_table(&self, database: &str, table: &str) -> TableLock {
        let mut psql = self.psql(database);
        let lock = format!("BEGIN; LOCK TABLE {table}; SELECT 'held';\n");
        let input = psql.stdin.as_mut().expect("piped");
        input.write_all(lock.as_bytes()).expect("psql reads");
        let mut said = String::new();
        let output = psql.stdout.as_mut().expect("piped");
        BufReader::new(output).read_line(&mut said).expect("text");
        assert_eq!(said.trim(), "held");
        TableLock(psql)
    }

    /// `psql`, which takes statements and prints what they give, unaligned.
    fn psql(&self, database: &str) -> Child {
        let port = self.port.to_string();
        let args = [
            "-h",
            "127.0.0.1",
            "-p",
            &port,
            "-U",
            "keygate",
            "-d",
            database,
            "-X",
            "-q",
            "-A",
            "-t",
            "-v",
            "ON_ERROR_STOP=1",
        ];
        let mut psql = self.command("psql", &args);
        psql.stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("psql runs")
    }

    fn command(&self, program: &str, args: &[&str]) -> Command {
        let program = folder_of_programs().join(program);
        let mut command = match self.user {
            Some(User { id, group }) => {
                let mut command = Command::new("setpriv");
                command.args([format!("--reuid={id}"), format!("--regid={group}")]);
                command.arg("--clear-groups").arg(program);
                command
            }
            None => Command::new(program),
        };
        command.args(args).current_dir("/");
        command
    }
}

impl Drop for PostgresServer {
    fn drop(&mut self) {
        self.stop();
    }
}

/// Debian keeps what runs a server off the path, by version.
fn folder_of_programs() -> PathBuf {
    let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten();
    let folders = versions.filter_map(|version| Some(version.ok()?.path().join("bin")));
    let mut folders: Vec<PathBuf> = folders.filter(|bin| bin.join("initdb").exists()).collect();
    folders.sort();
    let newest = folders.pop();
    newest.expect("PostgreSQL is missing; install it: sudo apt-get install --yes postgresql")
}

/// Debian's user `nobody`, if this is root.
fn unprivileged_user() -> Option<User> {
    let is_root = fs::metadata("/proc/self").is_ok_and(|me| {
        std::os::unix::fs::MetadataExt::uid(&me) == 0 && Path::new("/usr/bin/setpriv").exists()
    });
    is_root.then_some(User {
        id: 65_534,
        group: 65_534,
    })
}
