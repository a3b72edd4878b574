use std::{
    io::{self, BufRead, BufReader, Read, Write},
    net::{Ipv4Addr, SocketAddr, TcpStream},
    path::Path,
    process::{Child, ChildStdout, Command, Stdio},
    time::Duration,
};

use tempfile::TempDir;

use super::Engine;
use crate::network::Machine;

const CHROMIUMS: &str = "/usr/bin/chromedriver";
const FIREFOXS: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../../target/test-tools/bin/geckodriver"
);
/// How often to start it.
const ATTEMPTS: u32 = 5;

/// A running driver of a browser. Dropped, it ends its browser and itself.
pub struct Driver {
    child: Child,
    engine: Engine,
    /// The session of its browser.
    session: String,
    address: SocketAddr,
    /// Kept open: without a reader, what it writes later would end it.
    _output: BufReader<ChildStdout>,
    folder: TempDir,
}

impl Driver {
    /// Starts one here, or on another machine.
    pub fn start(engine: Engine, machine: Option<&Machine>) -> Self {
        let (program, install) = match engine {
            Engine::Chromium => (
                CHROMIUMS,
                "sudo apt-get install --yes chromium chromium-driver",
            ),
            Engine::Firefox => (
                FIREFOXS,
                "cargo install geckodriver --root target/test-tools",
            ),
        };
        assert!(
            Path::new(program).exists(),
            "{program} is missing: run cargo xtask test, or\n  {install}"
        );
        let mut said = String::new();
        for _ in 0..ATTEMPTS {
            match Self::try_start(engine, program, machine) {
                Ok(driver) => return driver,
                Err(last) => said = last,
            }
        }
        panic!("{said}");
    }

    /// It looks for a port that is free over IPv6 and then wants the same one over IPv4, which somebody else
    /// may have; what it said, if it ended.
    fn try_start(engine: Engine, program: &str, machine: Option<&Machine>) -> Result<Self, String> {
        let folder = TempDir::new().expect("a temporary folder");
        let mut command = match machine {
            None => Command::new(program),
            Some(machine) => {
                let mut command = machine.command(program);
                command.args(["--allowed-ips=", "--allowed-origins=*"]);
                command
            }
        };
        let mut child = command
            .arg("--port=0")
            // Whatever the browser writes goes with the folder.
            .env("HOME", folder.path())
            .env("TMPDIR", folder.path())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("the driver starts");
        let mut output = BufReader::new(child.stdout.take().expect("piped"));
        match await_port(&mut output) {
            Ok(port) => Ok(Self {
                child,
                engine,
                session: String::new(),
                address: SocketAddr::new(
                    machine
                        .map_or(Ipv4Addr::LOCALHOST, |machine| machine.address)
                        .into(),
                    port,
                ),
                _output: output,
                folder,
            }),
            Err(said) => {
                let _ = child.wait();
                Err(said)
            }
        }
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// A folder for the browser's files.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Notes the session of its browser.
    pub fn leads(&mut self, session: &str) {
        session.clone_into(&mut self.session);
    }

    /// Lets it end its browser, which would outlive a driver that is killed.
    fn shut_down(&self) -> io::Result<()> {
        let call = match self.engine {
            Engine::Chromium => "GET /shutdown".to_owned(),
            Engine::Firefox => format!("DELETE /session/{}", self.session),
        };
        let mut stream = TcpStream::connect(self.address)?;
        stream.set_read_timeout(Some(Duration::from_secs(10)))?;
        write!(
            stream,
            "{call} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n",
            self.address
        )?;
        stream.read_to_end(&mut Vec::new())?;
        Ok(())
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        if self.shut_down().is_err() || self.engine == Engine::Firefox {
            let _ = self.child.kill();
        }
        let _ = self.child.wait();
    }
}

/// The port that it says it listens on, or what it said before it ended.
fn await_port(output: &mut impl BufRead) -> Result<u16, String> {
    let mut said = String::new();
    while output.read_line(&mut said).expect("UTF-8") > 0 {
        let words = said.trim_end().trim_end_matches('.');
        let port = words.rsplit([' ', ':']).next();
        if said.contains("started successfully on port") || said.contains("Listening on") {
            return Ok(port.expect("a word").parse().expect("a port"));
        }
    }
    Err(format!("the driver ended before it was ready: {said}"))
}
