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
    /// How many of them were answered with a 4xx or 5xx.
    pub(crate) refused: u64,
    pub(crate) per_second: f64,
    pub(crate) p50: Duration,
    pub(crate) p99: Duration,
}

/// Requests with the lines of a file in rotation.
pub(crate) struct Load {
    script: PathBuf,
}

/// What each request has besides its line.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Shape<'a> {
    pub(crate) method: &'a str,
    /// What a line is: it stands in the place of `LINE` in the header's value.
    pub(crate) line: (&'a str, &'a str),
    pub(crate) headers: &'a [(&'a str, &'a str)],
    pub(crate) body: &'a str,
}

impl Shape<'_> {
    /// A GET with a key.
    pub(crate) const KEY: Self = Self {
        method: "GET",
        line: ("Authorization", "Bearer LINE"),
        headers: &[],
        body: "",
    };
}

/// Makes each request once, so that while it runs, wrk only picks the next.
const SCRIPT: &str = r#"
local requests = {}
local place = 0
function init(args)
  for line in io.lines("LINES") do
    local headers = HEADERS
    requests[#requests + 1] = wrk.format("METHOD", nil, headers, BODY)
  end
end
function request()
  place = place % #requests + 1
  return requests[place]
end
function done(summary, latency, _)
  local errors = summary.errors
  local failed = errors.connect + errors.read + errors.write + errors.timeout
  io.write(string.format("RESULT %d %d %d %d %d %d\n", summary.requests, summary.duration,
    latency:percentile(50), latency:percentile(99), failed, errors.status))
end
"#;

impl Load {
    /// Load of this shape with the lines of `lines`.
    pub(crate) fn new(folder: &Path, lines: &Path, shape: Shape<'_>) -> Result<Self, Failure> {
        let (name, value) = shape.line;
        let own = format!(
            "[\"{name}\"] = (\"{}\")",
            value.replace("LINE", "\" .. line .. \"")
        );
        let others = shape
            .headers
            .iter()
            .map(|(name, value)| format!(", [\"{name}\"] = \"{value}\""));
        let body = if shape.body.is_empty() {
            "nil".to_owned()
        } else {
            format!("[[{}]]", shape.body)
        };
        let script = SCRIPT
            .replace("LINES", &lines.to_string_lossy())
            .replace("METHOD", shape.method)
            .replace(
                "HEADERS",
                &format!("{{ {own}{} }}", others.collect::<String>()),
            )
            .replace("BODY", &body);
        let (file, path) = tempfile::Builder::new()
            .suffix(".lua")
            .tempfile_in(folder)?
            .keep()?;
        drop(file);
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

    /// The same, where every request must succeed.
    pub(crate) fn succeed(
        &self,
        url: &str,
        connections: u32,
        time: Duration,
    ) -> Result<Seen, Failure> {
        let seen = self.run(url, connections, time)?;
        if seen.refused > 0 {
            return Err(format!("{url} refused {} of {}", seen.refused, seen.requests).into());
        }
        Ok(seen)
    }
}

/// Reads the line that the script prints; `None` where a request got no answer.
fn read(text: &str) -> Option<Seen> {
    let line = text.lines().find_map(|line| line.strip_prefix("RESULT "))?;
    let figures: Result<Vec<u64>, _> = line.split(' ').map(str::parse).collect();
    let [requests, duration, p50, p99, 0, refused] = figures.ok()?[..] else {
        return None;
    };
    Some(Seen {
        requests,
        refused,
        per_second: requests as f64 / Duration::from_micros(duration).as_secs_f64(),
        p50: Duration::from_micros(p50),
        p99: Duration::from_micros(p99),
    })
}
