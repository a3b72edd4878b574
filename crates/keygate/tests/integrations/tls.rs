//! keygate behind a proxy with TLS, as the page on operating has it: sessions, calls, streams and WebSockets.

use std::{
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Duration,
};

use serde_json::Value;

use crate::support::{
    Echo, PASSWORD, Page, Program, Proxy, Spawn, Upstream, eventually, replace, write,
};

const HOST: &str = "keys.example.com";

struct World {
    program: Program,
    upstream: Upstream,
    _echo: Echo,
    page: Page,
}

impl World {
    async fn new() -> Self {
        let (upstream, echo) = (Upstream::start().await, Echo::start().await);
        let page = Page::read("operating.md");
        let settings = page.blocks("toml")[0];
        assert!(settings.contains(&format!("public_url = \"https://{HOST}\"")));
        let config = format!(
            "{settings}[[upstream]]\nurl = \"{}\"\n[[upstream]]\npath = \"/v1/realtime\"\nurl = \"{}\"\n",
            upstream.url(),
            echo.url
        );
        // It says the public address, and has to be reached at another.
        let port = crate::support::free_port();
        let program = Program::start(Spawn {
            config: Some(config),
            port,
            ..Spawn::default()
        });
        assert_eq!(program.url, format!("https://{HOST}"));
        Self {
            program,
            upstream,
            _echo: echo,
            page,
        }
    }

    fn address(&self) -> String {
        format!("127.0.0.1:{}", self.program.port())
    }
}

/// A client that trusts the proxy's certificate, and knows where the name leads.
struct Visitor {
    port: u16,
    authority: PathBuf,
}

impl Visitor {
    fn curl(&self, path: &str, args: &[&str]) -> Command {
        let mut command = Command::new("curl");
        let there = format!("{HOST}:443:127.0.0.1:{}", self.port);
        command.args([
            "--silent",
            "--show-error",
            "--no-buffer",
            "--max-time",
            "30",
        ]);
        command
            .args(["--connect-to", &there, "--cacert"])
            .arg(&self.authority);
        command.arg(format!("https://{HOST}{path}")).args(args);
        command
    }

    fn ask(&self, path: &str, args: &[&str]) -> String {
        let output = self.curl(path, args).output().expect("curl runs");
        let complaint = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{path}: {complaint}");
        String::from_utf8(output.stdout).expect("UTF-8")
    }

    /// Everything that must hold.
    async fn visits(&self, world: &World) {
        let email = "ada@example.com";
        let create = ["account", "create", email, "--password-stdin"];
        let created = world.program.cli(&create, PASSWORD);
        assert!(created.status.success(), "{created:?}");
        let credentials = format!(r#"{{"email":"{email}","password":"{PASSWORD}"}}"#);
        let json = "content-type: application/json";
        let signed_in = self.ask("/api/session", &["-i", "-H", json, "-d", &credentials]);
        let cookie = signed_in
            .lines()
            .find_map(|line| line.split_once("__Host-"));
        let (_, cookie) = cookie.unwrap_or_else(|| panic!("{signed_in}"));
        assert!(cookie.contains("Secure"), "{cookie}");
        let cookie = format!(
            "cookie: __Host-{}",
            cookie.split(';').next().expect("a pair")
        );
        let body = r#"{"name":"x","scopes":["chat","read"]}"#;
        let made = self.ask("/api/keys", &["-H", json, "-H", &cookie, "-d", body]);
        let made: Value = serde_json::from_str(&made).expect("JSON");
        let key = made["key"].as_str().unwrap_or_else(|| panic!("{made}"));
        let bearer = format!("authorization: Bearer {key}");
        let answer = self.ask("/v1/chat/completions", &["-H", &bearer, "-d", "{}"]);
        assert_eq!(answer, r#"{"ok":true}"#);
        let seen = world.upstream.last_seen();
        assert_eq!(seen.headers["x-forwarded-proto"], "https");
        self.streams(world, &bearer).await;
        self.opens_a_socket(key);
    }

    /// What is written arrives at once, not once a buffer is full.
    async fn streams(&self, world: &World, bearer: &str) {
        let mut command = self.curl("/v1/stream", &["-H", bearer]);
        let mut child = command.stdout(Stdio::piped()).spawn().expect("curl runs");
        let mut lines = BufReader::new(child.stdout.take().expect("piped")).lines();
        let first = lines.next().expect("an event").expect("UTF-8");
        let written = first.strip_prefix("data: ").expect("data").parse();
        let written = Duration::from_micros(written.expect("a number"));
        let age = world.upstream.epoch().elapsed().saturating_sub(written);
        assert!(age < Duration::from_secs(2), "{age:?}");
        child.kill().expect("it runs");
        child.wait().expect("it ends");
        eventually("the upstream hears of it", async || {
            world.upstream.active() == 0
        })
        .await;
    }

    fn opens_a_socket(&self, key: &str) {
        let python = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/test-tools/venv");
        let output = Command::new(python.join("bin/python"))
            .args(["-c", SOCKET, HOST, &self.port.to_string(), key])
            .arg(&self.authority)
            .output()
            .expect("Python runs");
        let complaint = String::from_utf8_lossy(&output.stderr);
        assert_eq!(
            String::from_utf8_lossy(&output.stdout),
            "hello\n",
            "{complaint}"
        );
    }
}

const SOCKET: &str = r#"
import asyncio, ssl, sys, websockets

async def main(host, port, key, authority):
    trusted = ssl.create_default_context(cafile=authority)
    headers = {"Authorization": f"Bearer {key}"}
    url = f"wss://{host}/v1/realtime"
    async with websockets.connect(
        url, host="127.0.0.1", port=int(port), ssl=trusted, server_hostname=host, additional_headers=headers
    ) as socket:
        await socket.send("hello")
        print(await socket.recv())

asyncio.run(main(*sys.argv[1:]))
"#;

#[tokio::test(flavor = "multi_thread")]
async fn nginx_with_tls_passes_everything_on() {
    let world = World::new().await;
    let made = rcgen::generate_simple_self_signed([HOST.to_owned()]).expect("a certificate");
    let folder = tempfile::TempDir::new().expect("a temporary folder");
    let certificate = write(folder.path(), "certificate", &made.cert.pem());
    let secret = write(folder.path(), "key", &made.signing_key.serialize_pem());
    let port = crate::support::free_port();
    let _proxy = Proxy::start_at(port, |folder, port| {
        let page = replace(
            world.page.block("nginx"),
            &[
                ("127.0.0.1:8080", &world.address()),
                ("listen 443 ssl;", &format!("listen 127.0.0.1:{port} ssl;")),
                ("/etc/ssl/keys.example.com.pem", &certificate),
                ("/etc/ssl/keys.example.com.key", &secret),
            ],
        );
        crate::nginx::command(folder, &page)
    });
    let visitor = Visitor {
        port,
        authority: certificate.into(),
    };
    visitor.visits(&world).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn caddy_with_tls_passes_everything_on() {
    let world = World::new().await;
    let port = crate::support::free_port();
    let folder = tempfile::TempDir::new().expect("a temporary folder");
    let _proxy = Proxy::start_at(port, |_, port| {
        let page = replace(
            world.page.block("caddyfile"),
            &[("127.0.0.1:8080", &world.address())],
        );
        // An authority of its own in the place of one on the Internet, and no port that needs root.
        let global = format!(
            "{{\n\tadmin off\n\tlocal_certs\n\tskip_install_trust\n\tauto_https disable_redirects\n\thttps_port {port}\n\tdefault_bind 127.0.0.1\n}}\n"
        );
        crate::caddy::command(folder.path(), &format!("{global}{page}"))
    });
    let authority = folder.path().join("caddy/pki/authorities/local/root.crt");
    eventually("it has made its authority", async || authority.exists()).await;
    let visitor = Visitor { port, authority };
    eventually("it has a certificate", async || {
        let asked = visitor.curl("/healthz", &[]).output();
        asked.expect("curl runs").status.success()
    })
    .await;
    visitor.visits(&world).await;
}
