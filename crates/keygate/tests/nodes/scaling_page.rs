//! The page on several nodes, followed by somebody who has only it: its statements, configurations and
//! commands as they stand there, but for addresses, and for what people type.

use std::{
    fs,
    io::{BufRead, BufReader},
    path::Path,
    process::{Child, Command, Stdio},
};

use keygate_storage_postgres::testing::PostgresServer;
use serde_json::Value;
use tempfile::TempDir;

use crate::support::{
    EMAIL, PASSWORD, Page, Proxy, Upstream, eventually, free_port, keygate, replace, run, write,
};

const HOST: &str = "keys.example.com";
/// Two people, by where they come from.
const ADA: &str = "127.0.0.2";
const STRANGER: &str = "127.0.0.3";

/// A server as it is made by an operator's system: its superuser is `postgres`, and everybody else has
/// to give a password, over TLS.
struct Server {
    server: PostgresServer,
    certificate: String,
}

impl Server {
    fn start() -> Self {
        let (certificate, key) = certificate("localhost");
        let server = PostgresServer::start_with_tls(&certificate, &key);
        server.sql("postgres", "CREATE ROLE postgres LOGIN SUPERUSER");
        let this = Self {
            server,
            certificate,
        };
        this.sql("ALTER ROLE keygate RENAME TO made_this_server");
        // A program that the server runs is in the folder of its files.
        this.sql(
            "COPY (SELECT unnest(ARRAY['host all postgres 127.0.0.1/32 trust', \
                'hostssl all all 127.0.0.1/32 md5'])) TO PROGRAM 'cat > pg_hba.conf'",
        );
        // A program that is not optimised takes long for the iterations of SCRAM.
        this.sql("ALTER SYSTEM SET password_encryption = 'md5'");
        this.sql("SELECT pg_reload_conf()");
        this
    }

    /// Runs statements as the superuser, with psql.
    fn sql(&self, sql: &str) -> String {
        let mut psql = Command::new("psql");
        psql.args([
            "-X",
            "-q",
            "-A",
            "-t",
            "-v",
            "ON_ERROR_STOP=1",
            "-U",
            "postgres",
        ]);
        psql.args(["-h", "127.0.0.1", "-p", &self.server.port().to_string()]);
        psql.env_remove("PGPASSFILE");
        let done = run(psql, sql);
        assert!(done.status.success(), "{sql}: {done:?}");
        String::from_utf8(done.stdout).expect("UTF-8")
    }
}

/// A certificate for this name and its key, in PEM.
fn certificate(name: &str) -> (String, String) {
    let made = rcgen::generate_simple_self_signed([name.to_owned()]).expect("a certificate");
    (made.cert.pem(), made.signing_key.serialize_pem())
}

/// What runs a command of the page: a shell that finds the program, and the user's own password file.
fn shell(folder: &Path, line: &str) -> Command {
    // As the program is run elsewhere in these tests: without the environment's settings.
    let program = keygate(folder);
    let mut shell = Command::new("sh");
    shell.args(["-c", line]).current_dir(folder);
    for (name, value) in program.get_envs() {
        match value {
            Some(value) => shell.env(name, value),
            None => shell.env_remove(name),
        };
    }
    let programs = Path::new(program.get_program()).parent();
    let programs = programs.expect("a folder").display();
    let path = std::env::var("PATH").expect("a path");
    shell.env("PATH", format!("{programs}:{path}"));
    shell.env("HOME", folder);
    shell
}

/// A node that the page's command has started.
struct Node(Child);

impl Node {
    fn start(folder: &Path, line: &str) -> Self {
        let mut shell = shell(folder, &format!("exec {line}"));
        let mut node = Self(shell.stdout(Stdio::piped()).spawn().expect("sh runs"));
        let output = node.0.stdout.take().expect("piped");
        let mut lines = BufReader::new(output).lines();
        let is_ready = lines.any(|line| line.expect("UTF-8").starts_with("keygate listens on "));
        assert!(is_ready, "it ended before it was ready");
        node
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// What the page's words are in the test.
struct Set {
    page: Page,
    folder: TempDir,
    /// Where the nodes listen; at the third address nothing does.
    ports: [u16; 3],
    https: u16,
    upstream: Upstream,
}

impl Set {
    fn write_configuration(&self, server: &Server) {
        let authority = write(self.folder.path(), "postgres.pem", &server.certificate);
        let database = format!("localhost:{}", server.server.port());
        let text = replace(
            self.page.block("toml"),
            &[
                (HOST, &format!("{HOST}:{}", self.https)),
                ("10.0.0.100", "127.0.0.1"),
                ("10.0.0.10:5432", &database),
                (
                    "verify-full",
                    &format!("verify-full&sslrootcert={authority}"),
                ),
                ("10.0.0.20:8000", &self.upstream.address.to_string()),
            ],
        );
        write(self.folder.path(), "keygate.toml", &text);
        // The page leaves it to the operator where the password stands.
        let line = format!("{database}:keygate:keygate:a long random password\n");
        let file = write(self.folder.path(), ".pgpass", &line);
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o600);
        fs::set_permissions(file, mode).expect("it is ours");
    }

    /// A command of the page, on the machine of a node.
    fn on_node(&self, node: usize, line: &str) -> String {
        let folder = self.folder.path();
        let data = folder.join(format!("data-{node}"));
        let listen = format!("127.0.0.1:{}", self.ports[node]);
        let words = [
            ("/etc/keygate.toml", "keygate.toml".to_owned()),
            ("/var/lib/keygate", data.display().to_string()),
        ];
        let words = words.each_ref().map(|(from, to)| (*from, &**to));
        replace(line, &words).replace("10.0.0.1:8080", &listen)
    }

    fn start_node(&self, node: usize) -> Node {
        let serve = self.page.blocks("sh")[0].trim();
        assert!(serve.contains("--listen 10.0.0.1:8080"));
        Node::start(self.folder.path(), &self.on_node(node, serve))
    }

    fn start_balancer(&self) -> Proxy {
        let (certificate, key) = certificate(HOST);
        write(self.folder.path(), "balancer.pem", &certificate);
        Proxy::start(|folder, port| {
            let pem = write(folder, "keys.pem", &format!("{certificate}{key}"));
            let address = |node: usize| format!("127.0.0.1:{}\n", self.ports[node]);
            let text = replace(
                self.page.block("haproxy"),
                &[
                    ("bind :80\n", &format!("bind 127.0.0.1:{port}\n")),
                    ("bind :443", &format!("bind 127.0.0.1:{}", self.https)),
                    ("/etc/haproxy/keys.example.com.pem", &pem),
                    ("10.0.0.1:8080\n", &address(0)),
                    ("10.0.0.2:8080\n", &address(1)),
                    ("10.0.0.3:8080\n", &address(2)),
                ],
            );
            let mut command = Command::new("haproxy");
            command.arg("-db").arg("-f");
            command.arg(write(folder, "haproxy.cfg", &text));
            command
        })
    }

    /// What a curl command prints for somebody at this address: the body, and in a line of its own the
    /// status.
    fn curl(&self, from: &str, line: &str) -> (String, u16) {
        let (https, words) = (
            self.https,
            line.strip_prefix("curl ").expect("a command of curl"),
        );
        let words = words.replace(HOST, &format!("{HOST}:{https}"));
        let line = format!(
            "curl -sS -w '\\n%{{http_code}}' --interface {from} --cacert balancer.pem \
             --resolve {HOST}:{https}:127.0.0.1 {words}"
        );
        let done = run(shell(self.folder.path(), &line), "");
        assert!(done.status.success(), "{line}: {done:?}");
        let said = String::from_utf8(done.stdout).expect("UTF-8");
        let (body, status) = said.rsplit_once('\n').expect("two lines");
        (body.to_owned(), status.parse().expect("a status"))
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_follows_the_page_has_nodes_that_agree() {
    let server = Server::start();
    let set = Set {
        page: Page::read("scaling.md"),
        folder: TempDir::new().expect("a temporary folder"),
        ports: [free_port(), free_port(), free_port()],
        https: free_port(),
        upstream: Upstream::start().await,
    };
    server.sql(set.page.block("sql"));
    set.write_configuration(&server);
    let _one = set.start_node(0);
    let _two = set.start_node(1);
    let _balancer = set.start_balancer();

    let commands: Vec<&str> = set.page.blocks("sh")[1].lines().collect();
    let [create, sign_in, issue, call, revoke] = commands[..] else {
        panic!("five commands");
    };
    let typed = format!("{} --password-stdin", set.on_node(0, create));
    let created = run(shell(set.folder.path(), &typed), PASSWORD);
    assert!(created.status.success(), "{created:?}");
    let sign_in = replace(sign_in, &[("PASSWORD", PASSWORD)]);
    assert!(sign_in.contains(EMAIL));
    eventually("the balancer has found the nodes", async || {
        set.curl(ADA, &sign_in).1 == 204
    })
    .await;
    let (key, status) = set.curl(ADA, issue);
    assert_eq!(status, 201, "{key}");
    let key: Value = serde_json::from_str(&key).expect("JSON");
    let text = |field: &str| key[field].as_str().expect("text");
    let call = replace(call, &[("KEY", text("key"))]);
    let revoke = replace(revoke, &[("ID", text("id"))]);
    // More than one for each node.
    for _ in 0..6 {
        assert_eq!(set.curl(ADA, &call), ("{\"ok\":true}".to_owned(), 200));
    }
    assert_eq!(set.curl(ADA, &revoke).1, 200);
    let refused = async || (0..6).all(|_| set.curl(ADA, &call).1 == 401);
    eventually("no node takes it any more", refused).await;

    people_are_told_apart(&set, &sign_in);
}

/// What the balancer says of its clients is believed: a stranger's guesses are no concern of hers.
fn people_are_told_apart(set: &Set, sign_in: &str) {
    let sessions = "curl -b cookies https://keys.example.com/api/account/sessions";
    let (sessions, _) = set.curl(ADA, sessions);
    assert!(
        sessions.contains(&format!("\"address\":\"{ADA}\"")),
        "{sessions}"
    );
    let guess = |number: u32| {
        let sign_in = sign_in.replace(EMAIL, &format!("nobody-{number}@example.com"));
        set.curl(STRANGER, &sign_in.replace("-c cookies ", "")).1
    };
    // Both nodes have had enough of them, and not of her.
    let mut guesses = (0..200).map(guess);
    assert!(guesses.any(|status| status == 429), "no limit is met");
    assert_eq!(set.curl(ADA, sign_in).1, 204);
}
