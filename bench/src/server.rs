//! Servers under measurement: processes pinned to one core.

use std::{
    fs,
    net::TcpStream,
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use crate::Failure;

/// The core that servers run on; the load and the upstream have the other.
pub(crate) const SERVER_CORE: &str = "0";
pub(crate) const LOAD_CORE: &str = "1";

const START_TIMEOUT: Duration = Duration::from_secs(30);

/// A process, with its children, on one core. It is ended when dropped.
pub(crate) struct Server {
    child: Child,
}

impl Server {
    /// Starts a command on `core`; returns when something listens on `port`.
    pub(crate) fn start(core: &str, command: &[String], port: u16) -> Result<Self, Failure> {
        let child = Command::new("taskset")
            .args(["-c", core])
            .args(command)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .stdin(Stdio::null())
            .spawn()
            .map_err(|error| format!("{command:?} cannot be started: {error}"))?;
        let mut server = Self { child };
        server.await_port(port, command)?;
        Ok(server)
    }

    fn await_port(&mut self, port: u16, command: &[String]) -> Result<(), Failure> {
        let deadline = Instant::now() + START_TIMEOUT;
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            if let Some(status) = self.child.try_wait()? {
                return Err(format!("{command:?} ended with {status}").into());
            }
            if Instant::now() > deadline {
                return Err(format!("{command:?} does not listen on {port}").into());
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        Ok(())
    }

    /// The processor time that it and its children have used so far.
    pub(crate) fn cpu_time(&self) -> Duration {
        self.family().into_iter().map(cpu_time).sum()
    }

    /// Its share of memory (PSS), in bytes, children included.
    pub(crate) fn pss(&self) -> u64 {
        self.family().into_iter().map(pss).sum()
    }

    fn family(&self) -> Vec<u32> {
        let mut family = vec![self.child.id()];
        let mut place = 0;
        while let Some(pid) = family.get(place).copied() {
            family.extend(children(pid));
            place += 1;
        }
        family
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = Command::new("kill")
            .args(["-TERM", &self.child.id().to_string()])
            .status();
        let deadline = Instant::now() + Duration::from_secs(5);
        while matches!(self.child.try_wait(), Ok(None)) && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(1));
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn tasks(pid: u32) -> Vec<String> {
    let Ok(entries) = fs::read_dir(format!("/proc/{pid}/task")) else {
        return Vec::new();
    };
    let paths = entries.filter_map(|entry| entry.ok()?.path().into_os_string().into_string().ok());
    paths.collect()
}

fn children(pid: u32) -> Vec<u32> {
    let of_task = |task: String| fs::read_to_string(format!("{task}/children")).unwrap_or_default();
    let lists = tasks(pid).into_iter().map(of_task);
    lists
        .flat_map(|list| {
            let pids = list.split_whitespace().filter_map(|pid| pid.parse().ok());
            pids.collect::<Vec<u32>>()
        })
        .collect()
}

/// The first figure of `schedstat` is the time on the processor, in nanoseconds.
fn cpu_time(pid: u32) -> Duration {
    let of_task = |task: String| -> Option<u64> {
        let text = fs::read_to_string(format!("{task}/schedstat")).ok()?;
        text.split_whitespace().next()?.parse().ok()
    };
    Duration::from_nanos(tasks(pid).into_iter().filter_map(of_task).sum())
}

fn pss(pid: u32) -> u64 {
    let text = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix("Pss:"));
    let kib = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
    kib.unwrap_or(0) * 1024
}

/// The program that is measured; it is built beside the bench.
pub(crate) fn keygate_program() -> Result<String, Failure> {
    let program = std::env::current_exe()?.with_file_name("keygate");
    Ok(program.to_string_lossy().into_owned())
}

/// Writes a server's configuration; returns its path.
pub(crate) fn write_config(folder: &Path, name: &str, text: &str) -> Result<String, Failure> {
    let path = folder.join(name);
    fs::write(&path, text)?;
    Ok(path.to_string_lossy().into_owned())
}
