use std::{
    io::{self, BufRead, BufReader, Read, Write},
    net::{Ipv4Addr, SocketAddr, TcpStream},
    path::Path,
    process::{Child, ChildStdout, Command, Stdio},
    time::Duration,
};

use tempfile::TempDir;

use crate::network::Machine;

const PROGRAM: &str = "/usr/bin/chromedriver";
/// How often to start it.
const ATTEMPTS: u32 = 5;

/// A running chromedriver. Dropped, it ends its browser and itself.
pub struct Driver {
    child: Child,
    address: SocketAddr,
    /// Kept open: without a reader, what it writes later would end it.
    _output: BufReader<ChildStdout>,
    folder: TempDir,
}

impl Driver {
    /// Starts one here, or on another machine.
    pub fn start(machine: Option<&Machine>) -> Self {
        assert!(
            Path::new(PROGRAM).exists(),
            "{PROGRAM} is missing: run cargo xtask test, or\n  sudo apt-get install --yes chromium chromium-driver"
        );
        let mut said = String::new();
        for _ in 0..ATTEMPTS {
            match Self::try_start(machine) {
                Ok(driver) => return driver,
                Err(last) => said = last,
            }
        }
        panic!("{said}");
    }

    /// It looks for a port that is free over IPv6 and then wants the same one over IPv4, which somebody else
    /// may have; what it said, if it ended.
    fn try_start(machine: Option<&Machine>) -> Result<Self, String> {
        let folder = TempDir::new().expect("a temporary folder");
        let mut command = match machine {
            None => Command::new(PROGRAM),
            Some(machine) => {
                let mut command = machine.command(PROGRAM);
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

    /// Lets it end its browser, which would outlive a driver that is killed.
    fn shut_down(&mut self) -> io::Result<()> {
        let mut stream = TcpStream::connect(self.address)?;
        stream.set_read_timeout(Some(Duration::from_secs(10)))?;
        write!(
            stream,
            "GET /shutdown HTTP/1.1\r\nHost: {}\r\n\r\n",
            self.address
        )?;
        stream.read_to_end(&mut Vec::new())?;
        self.child.wait()?;
        Ok(())
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        let _ = self.shut_down();
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The port that it says it listens on, or what it said before it ended.
fn await_port(output: &mut impl BufRead) -> Result<u16, String> {
    let mut said = String::new();
    while output.read_line(&mut said).expect("UTF-8") > 0 {
        let port = said.trim_end().trim_end_matches('.').rsplit(' ').next();
        if said.contains("started successfully on port") {
            return Ok(port.expect("a word").parse().expect("a port"));
        }
    }
    Err(format!("the driver ended before it was ready: {said}"))
}
