//! Load: wrk, on the core that the servers do not have.

use std::{
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use crate::{Failure, server::LOAD_CORE};

/// What wrk saw.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Seen {
    pub(crate) requests: u64,
    pub(crate) per_second: f64,
    pub(crate) p50: Duration,
    pub(crate) p99: Duration,
}

/// Requests with the keys of a file in rotation.
pub(crate) struct Load {
    script: PathBuf,
}

/// Makes each request once, so that while it runs, wrk only picks the next.
const SCRIPT: &str = r#"
local requests = {}
local place = 0
function init(args)
  for key in io.lines("KEYS") do
    local headers = { ["Authorization"] = "Bearer " .. key HEADERS }
    requests[#requests + 1] = wrk.format("METHOD", nil, headers)
  end
end
function request()
  place = place % #requests + 1
  return requests[place]
end
function done(summary, latency, _)
  local errors = summary.errors
  local failed = errors.connect + errors.read + errors.write + errors.status + errors.timeout
  io.write(string.format("RESULT %d %d %d %d %d\n", summary.requests, summary.duration,
    latency:percentile(50), latency:percentile(99), failed))
end
"#;

impl Load {
    /// Load that presents the keys in `keys`, a line each, and sends `headers` too.
    pub(crate) fn new(
        folder: &Path,
        keys: &Path,
        method: &str,
        headers: &[(&str, &str)],
    ) -> Result<Self, Failure> {
        let more = headers
            .iter()
            .map(|(name, value)| format!(", [\"{name}\"] = \"{value}\""));
        let script = SCRIPT
            .replace("KEYS", &keys.to_string_lossy())
            .replace("METHOD", method)
            .replace("HEADERS", &more.collect::<String>());
        let name = keys
            .file_stem()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        let path = folder.join(format!("load-{name}-{}.lua", headers.len()));
        std::fs::write(&path, script)?;
        Ok(Self { script: path })
    }

    /// Sends requests as fast as they are answered, over this many connections.
    pub(crate) fn run(&self, url: &str, connections: u32, time: Duration) -> Result<Seen, Failure> {
        let output = Command::new("taskset")
            .args(["-c", LOAD_CORE, "wrk", "-t1"])
            .arg(format!("-c{connections}"))
            .arg(format!("-d{}s", time.as_secs()))
            .arg("-s")
            .arg(&self.script)
            .arg(url)
            .output()?;
        let text = String::from_utf8_lossy(&output.stdout);
        read(&text).ok_or_else(|| format!("wrk on {url} says: {text}").into())
    }
}

/// Reads the line that the script prints; `None` where a request failed.
fn read(text: &str) -> Option<Seen> {
    let line = text.lines().find_map(|line| line.strip_prefix("RESULT "))?;
    let figures: Result<Vec<u64>, _> = line.split(' ').map(str::parse).collect();
    let [requests, duration, p50, p99, 0] = figures.ok()?[..] else {
        return None;
    };
    Some(Seen {
        requests,
        per_second: requests as f64 / Duration::from_micros(duration).as_secs_f64(),
        p50: Duration::from_micros(p50),
        p99: Duration::from_micros(p99),
    })
}
