//! Behind pgbouncer, which has to keep a session of the server for each of keygate's.

use std::process::Command;

use crate::{
    cluster::Cluster,
    support::{
        Account, Caller, Page, Program, Proxy, Spawn, Upstream, eventually, keygate, replace, run,
        write,
    },
};

/// The pool of the page on scaling, in this mode.
fn pgbouncer(cluster: &Cluster, mode: &str) -> Proxy {
    let page = Page::read("scaling.md");
    Proxy::start(|folder, port| {
        let text = replace(
            page.block("ini"),
            &[
                (
                    "host=10.0.0.10 port=5432",
                    &format!("host=127.0.0.1 port={}", cluster.server.port()),
                ),
                ("listen_addr = 0.0.0.0", "listen_addr = 127.0.0.1"),
                (
                    "listen_port = 6432",
                    &format!("listen_port = {port}\nunix_socket_dir ="),
                ),
                ("auth_type = scram-sha-256", "auth_type = trust"),
                ("pool_mode = session", &format!("pool_mode = {mode}")),
                (
                    "/etc/pgbouncer/userlist.txt",
                    &write(folder, "users", "\"keygate\" \"\"\n"),
                ),
            ],
        );
        let file = write(folder, "pgbouncer.ini", &text);
        // It does not run as root.
        let mut command = if is_root() {
            open_to_all(folder);
            let mut command = Command::new("setpriv");
            command.args(["--reuid=65534", "--regid=65534", "--clear-groups"]);
            command
        } else {
            Command::new("env")
        };
        command.arg("/usr/sbin/pgbouncer").arg(file);
        command
    })
}

fn is_root() -> bool {
    let me = std::fs::metadata("/proc/self").expect("it is there");
    std::os::unix::fs::MetadataExt::uid(&me) == 0
}

fn open_to_all(folder: &std::path::Path) {
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(folder, mode).expect("it is ours");
}

/// The cluster's database behind a pool.
fn url(cluster: &Cluster, pooler: &Proxy) -> String {
    let port = pooler.url.rsplit(':').next().expect("a port");
    let port = port.parse().expect("a number");
    cluster.server.url(&cluster.database, port)
}

#[tokio::test(flavor = "multi_thread")]
async fn nodes_behind_pgbouncer_hear_of_each_other() {
    let cluster = Cluster::start(1).await;
    let pooler = pgbouncer(&cluster, "session");
    let upstream = Upstream::start().await;
    let node = Program::start(Spawn {
        upstream: Some(upstream.url()),
        database: Some(url(&cluster, &pooler)),
        ..Spawn::default()
    });
    let account: Account = cluster.account.at(&node.url);
    for _ in 0..20 {
        let (id, key) = account.key(&["read"]).await;
        let mut here = Caller::connect(&node.url).await;
        let mut there = Caller::connect(&cluster.nodes[0].url).await;
        for caller in [&mut here, &mut there] {
            assert_eq!(caller.call(&key).await.expect("an answer"), 200);
        }
        assert_eq!(cluster.account.delete(&id).await.status(), 200);
        let known = async || here.call(&key).await.expect("an answer") == 401;
        eventually("the revocation is known", known).await;
        assert_eq!(there.call(&key).await.expect("an answer"), 401);
    }
}

/// Where a session is another one with each transaction, a node would hear nothing and set its time
/// limits for others.
#[tokio::test(flavor = "multi_thread")]
async fn a_pool_that_shares_sessions_is_refused_in_words() {
    let cluster = Cluster::start(1).await;
    for mode in ["transaction", "statement"] {
        let pooler = pgbouncer(&cluster, mode);
        let folder = tempfile::TempDir::new().expect("a temporary folder");
        let refused = |command: &str| {
            let mut program = keygate(folder.path());
            program.args([command, "--listen", "127.0.0.1:0", "--data", "data"]);
            program.args(["--database", &url(&cluster, &pooler)]);
            let refused = run(program, "");
            assert_eq!(refused.status.code(), Some(1), "{refused:?}");
            refused
        };
        let said = String::from_utf8(refused("serve").stderr).expect("UTF-8");
        assert!(said.contains("pool_mode = session"), "{mode}: {said}");
        let said = String::from_utf8(refused("doctor").stdout).expect("UTF-8");
        assert!(said.contains("pool_mode = session"), "{mode}: {said}");
    }
}
