use std::{
    fs::File,
    net::{TcpListener, TcpStream},
    path::Path,
    process::{Child, Command},
    time::{Duration, Instant},
};

use tempfile::TempDir;

/// A proxy in a process of its own. It is ended when dropped.
pub struct Proxy {
    child: Child,
    folder: TempDir,
    pub url: String,
}

impl Proxy {
    /// Starts the command that `command` makes, given a folder for its files and a free port.
    pub fn start(command: impl FnOnce(&Path, u16) -> Command) -> Self {
        Self::start_at(free_port(), command)
    }

    /// The same at a port that was free.
    pub fn start_at(port: u16, command: impl FnOnce(&Path, u16) -> Command) -> Self {
        let folder = TempDir::new().expect("a temporary folder");
        let log = || {
            File::options()
                .create(true)
                .append(true)
                .open(folder.path().join("log"))
        };
        let child = command(folder.path(), port)
            .current_dir(folder.path())
            .stdout(log().expect("a log file"))
            .stderr(log().expect("a log file"))
            .spawn();
        let mut proxy = Self {
            child: child.expect("it is installed"),
            folder,
            url: format!("http://127.0.0.1:{port}"),
        };
        proxy.await_port(port);
        proxy
    }

    fn await_port(&mut self, port: u16) {
        let deadline = Instant::now() + Duration::from_secs(20);
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            let ended = self.child.try_wait().expect("its state");
            assert!(ended.is_none(), "it ended: {}", self.log());
            assert!(
                Instant::now() < deadline,
                "it does not listen: {}",
                self.log()
            );
            std::thread::yield_now();
        }
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }
}

impl Drop for Proxy {
    #[expect(clippy::print_stderr, reason = "what a failed test needs")]
    fn drop(&mut self) {
        // A master that is killed would leave its workers behind.
        let pid = self.child.id().to_string();
        let _ = Command::new("kill").arg(pid).status();
        let deadline = Instant::now() + Duration::from_secs(5);
        while matches!(self.child.try_wait(), Ok(None)) && Instant::now() < deadline {
            std::thread::yield_now();
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            eprintln!("--- log of the proxy\n{}---", self.log());
        }
    }
}

pub fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.local_addr().expect("an address").port()
}

/// Writes a file; its path.
pub fn write(folder: &Path, name: &str, text: &str) -> String {
    let path = folder.join(name);
    std::fs::write(&path, text).expect("written");
    path.to_string_lossy().into_owned()
}
