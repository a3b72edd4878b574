//! What keeps `keygate serve` from starting: `keygate doctor` says the same, and neither changes a byte.

use std::{
    collections::BTreeMap,
    fs::{File, Permissions},
    io::{BufRead, BufReader},
    net::TcpListener,
    os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt, lchown, symlink},
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
    sync::{Arc, LazyLock},
};

use keygate_core::SystemClock;
use keygate_storage_postgres::{PostgresOptions, PostgresTarget, testing::PostgresServer};
use rusqlite::Connection;
use serde_json::Value;
use tempfile::TempDir;

use crate::support::{Program, Spawn, free_port, keygate, run};

/// Who keygate runs as where rights matter: `nobody`, if the tests are root's.
const USER: u32 = 65534;
const PEPPER: &str = "a pepper of more than thirty-two bytes";

/// The data of a keygate that was stopped, and of one that was killed, with a key each.
static STOPPED: LazyLock<TempDir> =
    LazyLock::new(|| data_of(|program| assert!(program.terminate().success())));
static KILLED: LazyLock<TempDir> = LazyLock::new(|| data_of(Program::kill));

fn data_of(end: impl FnOnce(&mut Program)) -> TempDir {
    let mut program = Program::start(Spawn::default());
    let account = ["account", "create", "a@example.com", "--password-stdin"];
    let key = ["key", "issue", "--account", "a@example.com", "--name", "A"];
    for (args, stdin) in [
        (&account as &[&str], "a password of four words"),
        (&key, ""),
    ] {
        let output = program.cli(args, stdin);
        assert!(output.status.success(), "{output:?}");
    }
    end(&mut program);
    let folder = TempDir::new().expect("a temporary folder");
    copy_folder(&program.data(), &folder.path().join("data"));
    folder
}

fn copy_folder(from: &Path, to: &Path) {
    let output = Command::new("cp").arg("-a").args([from, to]).output();
    assert!(output.expect("cp runs").status.success());
}

/// A folder in which a keygate is about to be started.
struct Scene {
    folder: TempDir,
    args: Vec<String>,
    /// Whether it runs as a user whose rights matter.
    is_user: bool,
    open_files: Option<String>,
    /// What has to be there meanwhile.
    held: Vec<Box<dyn std::any::Any>>,
}

impl Scene {
    fn new() -> Self {
        let folder = TempDir::new().expect("a temporary folder");
        allow(folder.path(), 0o755);
        Self {
            folder,
            args: Vec::new(),
            is_user: false,
            open_files: None,
            held: Vec::new(),
        }
    }

    /// With the data of a keygate that was stopped.
    fn stopped() -> Self {
        Self::with(&STOPPED)
    }

    /// With that of one that was killed, and so with a log.
    fn killed() -> Self {
        let scene = Self::with(&KILLED);
        assert!(
            scene
                .path("data/keygate.db-wal")
                .metadata()
                .is_ok_and(|log| log.len() > 0)
        );
        scene
    }

    fn with(template: &TempDir) -> Self {
        let scene = Self::new();
        copy_folder(&template.path().join("data"), &scene.path("data"));
        scene
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn write(self, name: &str, contents: impl AsRef<[u8]>) -> Self {
        std::fs::write(self.path(name), contents).expect("written");
        allow(&self.path(name), 0o600);
        self
    }

    fn make_folder(self, name: &str) -> Self {
        std::fs::create_dir(self.path(name)).expect("made");
        allow(&self.path(name), 0o700);
        self
    }

    fn link(self, name: &str, to: &str) -> Self {
        symlink(to, self.path(name)).expect("made");
        self
    }

    fn args(mut self, args: &[&str]) -> Self {
        self.args.extend(args.iter().map(|arg| (*arg).to_owned()));
        self
    }

    fn config(self, text: &str) -> Self {
        self.write("keygate.toml", text)
            .args(&["--config", "keygate.toml"])
    }

    fn sql(self, sql: &str) -> Self {
        let database = Connection::open(self.path("data/keygate.db")).expect("it opens");
        database.execute_batch(sql).expect("it is SQL");
        drop(database);
        self
    }

    /// Writes over a part of the database.
    fn damage(self, at: u64, bytes: &[u8]) -> Self {
        let file = File::options()
            .write(true)
            .open(self.path("data/keygate.db"));
        let file = file.expect("it is there");
        std::os::unix::fs::FileExt::write_all_at(&file, bytes, at).expect("written");
        self
    }

    fn truncate(self, length: impl FnOnce(u64) -> u64) -> Self {
        let file = File::options()
            .write(true)
            .open(self.path("data/keygate.db"));
        let file = file.expect("it is there");
        let now = file.metadata().expect("it is there").len();
        file.set_len(length(now)).expect("cut");
        self
    }

    /// Everything belongs to the user that keygate runs as, but for these.
    fn owned_by_user(mut self, others: &[(&str, u32)]) -> Self {
        self.is_user = true;
        for path in entries(self.folder.path()) {
            give(&path, USER);
        }
        for (name, mode) in others {
            allow(&self.path(name), *mode);
        }
        self
    }

    fn owned_by_user_but(mut self, names: &[&str]) -> Self {
        self = self.owned_by_user(&[]);
        for name in names {
            give(&self.path(name), 0);
        }
        self
    }

    fn holding(mut self, held: impl std::any::Any) -> Self {
        self.held.push(Box::new(held));
        self
    }

    fn command(&self, program: &[&str], command: &str) -> Command {
        let own = keygate(self.folder.path());
        let mut all: Vec<&str> = Vec::new();
        if self.is_user && is_root() {
            all.extend([
                "setpriv",
                "--reuid=65534",
                "--regid=65534",
                "--clear-groups",
            ]);
        }
        if let Some(limit) = &self.open_files {
            all.extend(["prlimit", limit]);
        }
        all.extend(program);
        let binary = if self.is_user {
            binary_for_all()
        } else {
            Path::new(own.get_program())
        };
        all.push(binary.to_str().expect("UTF-8"));
        let mut run = Command::new(all[0]);
        run.args(&all[1..]).arg(command);
        if !self.args.iter().any(|arg| arg == "--listen") {
            run.args(["--listen", "127.0.0.1:0"]);
        }
        if !self.args.iter().any(|arg| arg == "--data") {
            run.args(["--data", "data"]);
        }
        run.args(&self.args).current_dir(self.folder.path());
        for (name, value) in own.get_envs() {
            match value {
                Some(value) => run.env(name, value),
                None => run.env_remove(name),
            };
        }
        run
    }

    /// As a user who may have no more files open than this.
    fn open_files(mut self, limit: u32) -> Self {
        self.open_files = Some(format!("--nofile={limit}:{limit}"));
        self
    }

    /// The reason that `serve` gives for not starting.
    fn refusal(&self) -> String {
        // What starts after all is ended.
        let output = run(self.command(&["timeout", "30"], "serve"), "");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(1), "{output:?}");
        let last = said.lines().last().expect("it says why");
        last.strip_prefix("error: ").expect(last).to_owned()
    }

    /// What the doctor finds wrong, each with its advice, as `serve` says it.
    fn wrong(&self) -> Vec<String> {
        let output = self.doctor();
        let wrong = states(&output, "wrong");
        assert_eq!(
            output.status.code(),
            Some(i32::from(!wrong.is_empty())),
            "{output:?}"
        );
        wrong
    }

    fn doctor(&self) -> Output {
        let mut command = self.command(&["timeout", "60"], "doctor");
        command.arg("--json");
        run(command, "")
    }

    /// What is in the folder, whose it is, and every byte of it.
    fn contents(&self) -> BTreeMap<PathBuf, (u32, u32, Vec<u8>)> {
        let described = |path: PathBuf| {
            let found = path.symlink_metadata().expect("it is there");
            let bytes = match found.file_type() {
                kind if kind.is_file() => std::fs::read(&path).expect("root reads all"),
                kind if kind.is_symlink() => {
                    let target = std::fs::read_link(&path).expect("it is a link");
                    target.to_string_lossy().into_owned().into_bytes()
                }
                _ => Vec::new(),
            };
            (path, (found.mode(), found.uid(), bytes))
        };
        entries(self.folder.path())
            .into_iter()
            .map(described)
            .collect()
    }

    /// `serve` refuses with this, the doctor says the same, and nothing is changed.
    fn refuses(&self, expected: &str) {
        let before = self.contents();
        let refusal = self.refusal();
        assert!(
            refusal.contains(expected),
            "{expected:?} is not in: {refusal}"
        );
        assert!(
            before == self.contents(),
            "{expected}: serve has changed something"
        );
        let wrong = self.wrong();
        let is_same = |found: &String| {
            // Of a configuration that is not valid, it says what it could not look at.
            *found == refusal || found.starts_with(&format!("{refusal} Then run this again"))
        };
        assert!(
            wrong.iter().any(is_same),
            "serve: {refusal}\ndoctor: {wrong:#?}"
        );
        assert!(
            before == self.contents(),
            "{expected}: the doctor has changed something"
        );
    }

    /// The doctor finds nothing wrong and changes nothing; `serve` starts.
    fn starts(&self, name: &str) {
        let before = self.contents();
        let output = self.doctor();
        assert_eq!(states(&output, "wrong"), Vec::<String>::new(), "{name}");
        assert!(output.status.success(), "{name}: {output:?}");
        assert!(
            before == self.contents(),
            "{name}: the doctor has changed something"
        );
        let mut command = self.command(&[], "serve");
        let mut child = command.stdout(Stdio::piped()).spawn().expect("it starts");
        let mut lines = BufReader::new(child.stdout.take().expect("piped")).lines();
        let is_ready = lines.any(|line| line.is_ok_and(|line| line.starts_with("keygate listens")));
        assert!(is_ready, "{name}: it does not start");
        crate::support::signal(&child, "TERM");
        assert!(child.wait().expect("it ends").success(), "{name}");
    }
}

/// Findings of the doctor in this state, each with its advice.
fn states(output: &Output, state: &str) -> Vec<String> {
    let found: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let found = found.as_array().expect("a list").iter();
    let found = found.filter(|found| found["state"] == state);
    let found = found.map(|found| {
        let text = |name: &str| found[name].as_str().unwrap_or_default().to_owned();
        format!("{} {}", text("message"), text("advice"))
            .trim()
            .to_owned()
    });
    found.collect()
}

fn allow(path: &Path, mode: u32) {
    std::fs::set_permissions(path, Permissions::from_mode(mode)).expect("it is ours");
}

fn give(path: &Path, user: u32) {
    if is_root() {
        lchown(path, Some(user), Some(user)).expect("root may");
    }
}

fn is_root() -> bool {
    std::fs::metadata("/proc/self").expect("it is there").uid() == 0
}

/// The program where every user gets at it.
fn binary_for_all() -> &'static Path {
    static COPY: LazyLock<TempDir> = LazyLock::new(|| {
        let folder = TempDir::new().expect("a temporary folder");
        allow(folder.path(), 0o755);
        let copy = folder.path().join("keygate");
        std::fs::copy(env!("CARGO_BIN_EXE_keygate"), &copy).expect("there is room");
        allow(&copy, 0o755);
        folder
    });
    static PATH: LazyLock<PathBuf> = LazyLock::new(|| COPY.path().join("keygate"));
    &PATH
}

/// A folder and all that is in it.
fn entries(folder: &Path) -> Vec<PathBuf> {
    let mut all = vec![folder.to_owned()];
    let is_folder = folder.symlink_metadata().is_ok_and(|found| found.is_dir());
    if is_folder {
        let entries = std::fs::read_dir(folder).expect("root reads all");
        all.extend(entries.flat_map(|entry| self::entries(&entry.expect("an entry").path())));
    }
    all
}

#[test]
fn what_the_configuration_names_and_what_it_says_twice() {
    let credential = "[[upstream]]\nurl = \"http://127.0.0.1:1\"\ncredential_file = \"secret\"\n";
    let pepper = "[keys]\npepper_file = \"pepper\"\n";
    Scene::new().config(pepper).refuses("cannot be read");
    Scene::new()
        .config(pepper)
        .write("pepper", "short")
        .refuses("at least 32 bytes");
    Scene::new()
        .config(pepper)
        .write("pepper", [0xff; 40])
        .refuses("cannot be read");
    Scene::new()
        .config(pepper)
        .make_folder("pepper")
        .refuses("cannot be read");
    Scene::new().config(credential).refuses("cannot be read");
    Scene::new()
        .config(credential)
        .write("secret", "a\nb")
        .refuses("credential_file");
    let twice = "[[upstream]]\nurl = \"http://a\"\n[[upstream]]\nurl = \"http://b\"\n";
    Scene::new().config(twice).refuses("must differ");
    Scene::new()
        .args(&["--config", "nowhere.toml"])
        .refuses("cannot be read");
}

#[test]
fn addresses_that_cannot_be_listened_on() {
    let other = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let taken = other.local_addr().expect("an address").to_string();
    Scene::new()
        .args(&["--listen", &taken])
        .refuses("another program listens there");
    Scene::new()
        .args(&["--metrics-listen", &taken])
        .refuses("another program listens there");
    let ext_authz = format!("[ext_authz]\nlisten = \"{taken}\"\n");
    Scene::new()
        .config(&ext_authz)
        .refuses("another program listens there");
    // RFC 5737: addresses that nobody has.
    Scene::new()
        .args(&["--listen", "192.0.2.1:8080"])
        .refuses("Cannot listen on");

    let port = free_port();
    let own = format!("127.0.0.1:{port}");
    for (listen, metrics) in [
        (own.clone(), own.clone()),
        (format!("0.0.0.0:{port}"), own.clone()),
        (own.clone(), format!("0.0.0.0:{port}")),
        (format!("[::]:{port}"), own),
    ] {
        let args = ["--listen", &listen, "--metrics-listen", &metrics];
        Scene::new()
            .args(&args)
            .refuses("it is that of --listen, too");
    }
}

#[test]
fn folders_and_files_that_are_none() {
    Scene::new().write("data", "").refuses("is not a folder");
    Scene::new()
        .write("file", "")
        .args(&["--data", "file/data"])
        .refuses("cannot be accessed");
    Scene::new()
        .link("data", "nowhere")
        .refuses("cannot be created");
    Scene::new()
        .link("data", "data")
        .refuses("cannot be accessed");
    let long = "d".repeat(120);
    Scene::new()
        .args(&["--data", &long])
        .refuses("is too long by 27 bytes");
    let longer = "d".repeat(300);
    Scene::new().args(&["--data", &longer]).refuses("--data");
    Scene::stopped()
        .make_folder("data/operator.sock")
        .refuses("there is a folder with this name");
    let no_note = Scene::stopped();
    std::fs::remove_file(no_note.path("data/database.json")).expect("it was there");
    no_note
        .make_folder("data/database.json")
        .refuses("database.json cannot be read");
    Scene::stopped()
        .write("data/database.json", "{\"server\":\"db:5432/keygate\"}\n")
        .refuses("and no database is named");

    let few = Scene::stopped().open_files(20);
    few.refuses("No more than 20 files and connections");

    let database = |path: &str| Scene::new().make_folder("data").args(&["--database", path]);
    database("nowhere/keygate.db").refuses("is not there");
    database("folder")
        .make_folder("data/folder")
        .refuses("is not a file");
    database("link")
        .link("data/link", "nowhere")
        .refuses("cannot be accessed");
    database("link")
        .link("data/link", "link")
        .refuses("cannot be accessed");
    database("file/keygate.db")
        .write("data/file", "")
        .refuses("is not a folder");
    database("/dev/null").refuses("is not a file");
    let pipe = database("pipe");
    let made = Command::new("mkfifo").arg(pipe.path("data/pipe")).status();
    assert!(made.expect("mkfifo runs").success());
    assert!(
        pipe.path("data/pipe")
            .metadata()
            .is_ok_and(|found| found.file_type().is_fifo())
    );
    pipe.refuses("is not a file");
    Scene::stopped()
        .make_folder("data/keygate.db-wal")
        .refuses("is not a file");
}

#[test]
fn databases_that_are_not_for_it() {
    Scene::new()
        .make_folder("data")
        .write("data/keygate.db", "no database, but long enough")
        .refuses("is not a keygate database");
    Scene::new()
        .make_folder("data")
        .sql("CREATE TABLE songs (name TEXT)")
        .refuses("is not a keygate database");
    Scene::stopped()
        .sql("PRAGMA user_version = 99")
        .refuses("schema version 99");
    for sql in [
        "DROP TABLE sessions",
        "ALTER TABLE hasher DROP COLUMN key_prefix",
        "PRAGMA user_version = 0",
        "PRAGMA user_version = 3",
    ] {
        Scene::stopped().sql(sql).refuses("was changed by hand");
    }
    let other = Scene::stopped();
    let file = File::open(other.path("data/keygate.db")).expect("it is there");
    file.try_lock().expect("nobody has it");
    other.holding(file).refuses("is in use by another process");
    let mixed = Scene::killed();
    std::fs::copy(
        STOPPED.path().join("data/keygate.db"),
        mixed.path("data/keygate.db"),
    )
    .expect("copied");
    mixed.refuses("is not the file that");
    let alone = Scene::killed();
    std::fs::remove_file(alone.path("data/keygate.db")).expect("it was there");
    alone.refuses("is not the file that");

    let other_pepper = "[keys]\npepper_file = \"pepper\"\n";
    for scene in [Scene::stopped(), Scene::killed()] {
        scene
            .write("pepper", PEPPER)
            .config(other_pepper)
            .refuses("hashed in another way");
    }
    for scene in [Scene::stopped(), Scene::killed()] {
        scene
            .config("[keys]\nprefix = \"key_\"\n")
            .refuses("Set keys.prefix to ask_");
    }
}

#[test]
fn databases_that_are_damaged() {
    let restore = "has to be restored from a backup";
    Scene::stopped().damage(0, &[0; 100]).refuses(restore);
    Scene::stopped().damage(0, &[0; 4096]).refuses(restore);
    Scene::stopped().truncate(|_| 0).refuses(restore);
    Scene::stopped()
        .truncate(|length| length - 4096)
        .refuses(restore);
    Scene::stopped()
        .truncate(|length| length / 2 - 100)
        .refuses(restore);
    let roots: Vec<(String, u64)> = {
        let database = Connection::open(STOPPED.path().join("data/keygate.db"));
        let database = database.expect("it opens");
        let rows = "SELECT name, rootpage FROM sqlite_schema WHERE rootpage > 0 AND (sql IS NULL OR sql NOT LIKE '%WHERE%')";
        let mut rows = database.prepare(rows).expect("it is SQL");
        let rows = rows.query_map([], |row| Ok((row.get(0)?, row.get(1)?)));
        rows.expect("rows").collect::<Result<_, _>>().expect("rows")
    };
    assert!(roots.len() > 30, "tables and indexes: {roots:?}");
    for (name, root) in roots.iter().step_by(4) {
        let at = (root - 1) * 4096;
        let scene = Scene::stopped().damage(at, &[0xa5; 4096]);
        assert!(scene.refusal().contains(restore), "the root of {name}");
        scene.refuses(restore);
    }
}

#[test]
fn pages_that_a_server_does_not_read_when_it_starts() {
    let many = Scene::stopped().sql(
        "WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < 5000) \
         INSERT INTO audit_entries (at, actor, action, subject_id) \
         SELECT 0, 'operator', 'key.create', hex(randomblob(16)) FROM n",
    );
    // As one keygate leaves it to the next.
    many.starts("many entries");
    let database = Connection::open(many.path("data/keygate.db")).expect("it opens");
    let pages: Vec<u64> = ["audit_entries", "audit_entries_by_subject"]
        .iter()
        .map(|name| {
            let sql = "SELECT max(pageno) FROM dbstat WHERE name = ? AND pagetype = 'leaf'";
            let row = database.query_row(sql, [name], |row| row.get(0));
            row.expect("a leaf")
        })
        .collect();
    drop(database);
    for page in pages {
        let at = (page - 1) * 4096;
        for bytes in [vec![0; 4096], vec![0xa5; 4096], vec![0xff; 300]] {
            let damaged = Scene::with(&many.folder).damage(at, &bytes);
            let before = damaged.contents();
            let wrong = damaged.wrong();
            let is_said = |found: &String| {
                found.contains("has to be restored from a backup")
                    && found.contains("keygate restore FILE")
            };
            assert!(wrong.iter().any(is_said), "page {page}: {wrong:?}");
            assert!(
                before == damaged.contents(),
                "the doctor has changed something"
            );
        }
    }
}

/// Tests run as root, for whom there are no rights that are lacking.
#[test]
fn rights_that_its_user_lacks() {
    let may_not = "may not read and write";
    Scene::stopped()
        .owned_by_user_but(&["data"])
        .refuses("cannot write there");
    Scene::stopped()
        .owned_by_user(&[("data", 0o500)])
        .refuses("cannot write there");
    Scene::stopped()
        .owned_by_user_but(&["data/keygate.db"])
        .refuses(may_not);
    Scene::stopped()
        .owned_by_user(&[("data/keygate.db", 0o400)])
        .refuses(may_not);
    for file in [
        "data/keygate.db",
        "data/keygate.db-wal",
        "data/keygate.db-shm",
    ] {
        Scene::killed().owned_by_user_but(&[file]).refuses(may_not);
        Scene::killed()
            .owned_by_user(&[(file, 0o400)])
            .refuses(may_not);
        Scene::killed().owned_by_user(&[(file, 0)]).refuses(may_not);
    }
    let new = || {
        let scene = Scene::new().make_folder("inner");
        scene.args(&["--data", "inner/data"])
    };
    new()
        .owned_by_user_but(&["inner"])
        .refuses("cannot be accessed");
    new()
        .owned_by_user(&[("inner", 0o500)])
        .refuses("cannot be created");
    let elsewhere = || Scene::new().make_folder("data").make_folder("elsewhere");
    let database = ["--database", "../elsewhere/keygate.db"];
    elsewhere()
        .args(&database)
        .owned_by_user(&[("elsewhere", 0o500)])
        .refuses("may not make files in");
    elsewhere()
        .args(&database)
        .owned_by_user_but(&["elsewhere"])
        .refuses("elsewhere");
    let noted = Scene::stopped().make_folder("elsewhere").args(&database);
    noted
        .owned_by_user(&[("data/database.json", 0o400)])
        .refuses("database.json cannot be written");
    let unreadable = Scene::stopped().owned_by_user(&[("data/database.json", 0)]);
    unreadable.refuses("database.json cannot be read");
    let config = || Scene::stopped().config("[keys]\npepper_file = \"pepper\"\n");
    config()
        .owned_by_user(&[("keygate.toml", 0)])
        .refuses("cannot be read");
    config()
        .write("pepper", PEPPER)
        .owned_by_user(&[("pepper", 0)])
        .refuses("cannot be read");
}

#[test]
fn set_ups_in_health() {
    let elsewhere = ["--database", "../elsewhere/keygate.db"];
    let pepper = "[keys]\npepper_file = \"pepper\"\n";
    for (name, scene) in [
        ("nothing yet", Scene::new()),
        (
            "a folder to be made in others",
            Scene::new().args(&["--data", "a/b/c"]),
        ),
        ("a folder", Scene::new().make_folder("data")),
        (
            "a link to a folder",
            Scene::new().make_folder("real").link("data", "real"),
        ),
        ("stopped", Scene::stopped()),
        ("killed", Scene::killed()),
        ("another user", Scene::stopped().owned_by_user(&[])),
        ("another user, killed", Scene::killed().owned_by_user(&[])),
        ("another user, new", Scene::new().owned_by_user(&[])),
        (
            "a database elsewhere",
            Scene::new().make_folder("elsewhere").args(&elsewhere),
        ),
        (
            "a pepper",
            Scene::new().write("pepper", PEPPER).config(pepper),
        ),
        (
            "a file in the socket's place",
            Scene::stopped().write("data/operator.sock", ""),
        ),
        (
            "a note that is not to be written",
            Scene::stopped().owned_by_user(&[("data/database.json", 0o400)]),
        ),
    ] {
        scene.starts(name);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn database_servers_that_are_not_for_it() {
    let server = tokio::task::spawn_blocking(PostgresServer::start)
        .await
        .expect("no panic");
    let scene = |url: &str| Scene::new().args(&["--database", url]);
    let made = |url: String| async move {
        let options = PostgresOptions::new(&url);
        let store = keygate_storage_postgres::open(&options, Arc::new(SystemClock));
        keygate_storage::Store::close(&store.await.expect("it opens")).await;
        url
    };
    let name = |url: &str| {
        let (_, name) = url.rsplit_once('/').expect("a path");
        name.split('?').next().expect("a name").to_owned()
    };
    let as_guest = |url: &str| url.replace("keygate@", "guest@");
    server.sql("postgres", "CREATE ROLE guest LOGIN");

    let empty = server.create_database();
    scene(&as_guest(&empty)).refuses("which this user may not make");
    server.sql(
        &name(&empty),
        &format!(
            "ALTER DATABASE {} SET default_transaction_read_only = on",
            name(&empty)
        ),
    );
    scene(&empty).starts("a database that takes no changes unless they are named as such");

    let foreign = server.create_database();
    server.sql(&name(&foreign), "CREATE TABLE accounts (name TEXT)");
    scene(&foreign).refuses("is not a keygate database");

    let current = made(server.create_database()).await;
    scene(&as_guest(&current)).refuses("may not read and write all of its tables");
    server.sql(
        &name(&current),
        "GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO guest",
    );
    scene(&as_guest(&current)).starts("a role with no more rights than it needs");
    server.sql(
        &name(&current),
        "UPDATE keygate_schema SET version = version - 1",
    );
    scene(&as_guest(&current)).refuses("they are another user's");
    server.sql(
        &name(&current),
        "UPDATE keygate_schema SET version = 99, runs_from = 99",
    );
    scene(&current).refuses("schema version 99");

    let changed = made(server.create_database()).await;
    server.sql(&name(&changed), "DROP TABLE key_forms");
    scene(&changed).refuses("was changed by hand");

    let keys = made(server.create_database()).await;
    server.sql(
        &name(&keys),
        "INSERT INTO hasher (\"only\", fingerprint, key_prefix) VALUES (1, 'sha256', 'ask_') \
            ON CONFLICT DO NOTHING; \
         INSERT INTO accounts (id, email, password_hash, created_at) \
            VALUES (gen_random_uuid(), 'a@example.com', 'x', 0); \
         INSERT INTO api_keys (id, account_id, hash, name, key_prefix, scopes, is_active, created_at) \
            SELECT gen_random_uuid(), id, decode(repeat('00', 32), 'hex'), 'A', 'ask_abcd', 1, TRUE, 0 FROM accounts",
    );
    scene(&keys)
        .config("[keys]\nprefix = \"key_\"\n")
        .refuses("Set keys.prefix to ask_");
    scene(&keys)
        .write("pepper", PEPPER)
        .config("[keys]\npepper_file = \"pepper\"\n")
        .refuses("hashed in another way");

    let target = server.create_database();
    let copying = PostgresTarget::open(&PostgresOptions::new(&target))
        .await
        .expect("it is free");
    scene(&target).refuses("into which a copy is being made");
    copying.close().await;

    server.sql(
        "postgres",
        "CREATE DATABASE latin TEMPLATE template0 ENCODING 'SQL_ASCII'",
    );
    scene(&server.url("latin", server.port())).refuses("its encoding must be UTF8");
    scene(&server.url("nowhere", server.port())).refuses("does not exist");
    let (plain, _) = empty.split_once('?').unwrap_or((&empty, ""));
    scene(&format!("{plain}?sslmode=verify-full")).refuses("does not support TLS");
    scene(&format!(
        "postgres://keygate@127.0.0.1:{}/keygate",
        free_port()
    ))
    .refuses("refused");
}
