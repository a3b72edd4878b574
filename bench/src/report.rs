//! The page of figures.

use std::{path::PathBuf, process::Command, time::Duration};

use crate::{
    Failure,
    contest::{Results, Turn},
    engine::Engine,
    flood::Flood,
    growth::Size,
    latency::Latency,
    nodes::Nodes,
    status::FullStatus,
};

const INTRODUCTION: &str = "\
# Benchmarks

Made by `cargo xtask bench`, all in one run on one machine: servers on one core, the load (wrk, 32 connections, 10,000 keys
in rotation) and the upstream (nginx, 100 bytes) on the other. Each subject has its turn in each of several rounds; a line is
its best turn, since others on the same machine only ever add to what a turn takes, and is marked where no other turn comes
within 8 % of it. `CPU` is the processor time of all the subject's
processes for one request, and the ratio is that to nginx with a static map of the same keys. keygate does more for it: expiry,
scope, account, last use, identity headers, revocation at once.
";

/// The page, and the file in which it grows.
pub(crate) struct Page {
    text: String,
    file: Option<PathBuf>,
}

impl Page {
    pub(crate) fn begin(file: Option<PathBuf>) -> Result<Self, Failure> {
        let date = output("date", &["-u", "+%Y-%m-%d"])?;
        let kernel = output("uname", &["-sr"])?;
        let cpus = std::fs::read_to_string("/proc/cpuinfo")?;
        let models = cpus
            .lines()
            .filter_map(|line| line.strip_prefix("model name\t: "));
        let models: Vec<&str> = models.collect();
        let machine = format!(
            "{} cores of {}",
            models.len(),
            models.first().unwrap_or(&"?")
        );
        Ok(Self {
            text: format!("{INTRODUCTION}\n{date}, {machine}, {kernel}.\n"),
            file,
        })
    }

    /// Writes down what there is so far, so that a measurement that fails costs none of those before.
    pub(crate) fn save(&self) -> Result<(), Failure> {
        if let Some(file) = &self.file {
            std::fs::write(file, &self.text)?;
        }
        Ok(())
    }

    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    fn table(&mut self, title: &str, columns: &[&str]) {
        let names = columns.join(" | ");
        let rule = "---|".repeat(columns.len());
        self.text += &format!("\n## {title}\n\n| {names} |\n|{rule}\n");
    }

    fn row(&mut self, cells: &[String]) {
        self.text += &format!("| {} |\n", cells.join(" | "));
    }

    pub(crate) fn engine(&mut self, engine: &Engine) {
        self.table("In process, from headers to decision", &["", "time"]);
        for cost in &engine.costs {
            let nanoseconds = cost.time.as_secs_f64() * 1e9;
            self.row(&[cost.name.clone(), format!("{nanoseconds:.0} ns")]);
        }
        self.text += &format!(
            "\nA key in the cache takes {} instructions, of which {} hash it where the processor has none for SHA-256.\n",
            engine.instructions, engine.of_the_hash
        );
    }

    pub(crate) fn contest(&mut self, results: &Results) {
        let peer = results.lines.iter().find(|line| line.is_peer);
        let peer = peer.map_or(f64::NAN, |line| line.best.cpu.as_secs_f64());
        let columns = [
            "",
            "CPU",
            "ratio",
            "requests a second",
            "p50",
            "p99",
            "memory",
        ];
        self.table(results.title, &columns);
        for line in &results.lines {
            let turn = &line.best;
            let noisy = if line.is_noisy { " (noisy)" } else { "" };
            self.row(&[
                format!("{}{noisy}", line.name),
                micros(turn.cpu),
                format!("{:.2}", turn.cpu.as_secs_f64() / peer),
                format!("{:.0}", turn.seen.per_second),
                millis(turn.seen.p50),
                millis(turn.seen.p99),
                mebibytes(turn.pss),
            ]);
        }
    }

    pub(crate) fn latencies(&mut self, latencies: &[(&str, Latency)]) {
        self.table(
            "Passing on 2,000 requests a second, medians of seven turns",
            &["", "p50", "p99"],
        );
        for (name, latency) in latencies {
            self.row(&[(*name).to_owned(), millis(latency.p50), millis(latency.p99)]);
        }
    }

    pub(crate) fn flood(&mut self, flood: &Flood) {
        self.table(
            "2,000 honest checks a second beside a flood of keys that were never issued",
            &["", "p50", "p99"],
        );
        for (name, latency) in [("alone", flood.alone), ("beside the flood", flood.beside)] {
            self.row(&[name.to_owned(), millis(latency.p50), millis(latency.p99)]);
        }
        self.text += &format!(
            "\nThe flood was answered {:.0} times a second and took {} of memory.\n",
            flood.refused_per_second,
            mebibytes(flood.more_memory)
        );
    }

    pub(crate) fn status(&mut self, status: &FullStatus) {
        self.table(
            "The status page: ten components, 90 days",
            &["", "bytes", "first after the start", "median", "longest"],
        );
        for page in &status.pages {
            self.row(&[
                format!("`{}`", page.path),
                page.bytes.to_string(),
                millis(page.first),
                millis(page.median),
                millis(page.longest),
            ]);
        }
        self.text += &format!(
            "\nThe database has {} on the disk. What is shown is at most five seconds old: one of those who ask has it read anew.\n",
            mebibytes(status.database)
        );
    }

    pub(crate) fn growth(&mut self, sizes: &[Size]) {
        let columns = [
            "keys issued",
            "start to ready",
            "memory at rest",
            "CPU for a key in memory",
            "more for a key that is not",
            "memory for each key in it",
        ];
        self.table("Many keys", &columns);
        for size in sizes {
            self.row(&[
                size.issued.to_string(),
                millis(size.start),
                mebibytes(size.idle_pss),
                micros(size.hot),
                micros(size.cold_extra),
                format!("{} bytes", size.bytes_per_key),
            ]);
        }
    }

    pub(crate) fn nodes(&mut self, nodes: &Nodes) {
        self.issuing_over(
            "Issuing keys over PostgreSQL, 64 connections",
            &nodes.issuing,
        );
        self.table(
            "Moving 1,000,000 keys from SQLite to PostgreSQL",
            &["", "time"],
        );
        self.row(&["copied, compared, summed up".into(), seconds(nodes.copying)]);
        self.row(&[
            "the same again, with nothing to do".into(),
            seconds(nodes.comparing),
        ]);
        self.text += &format!(
            "\nOne node writes down the last uses of {:.0} keys a second.\n",
            nodes.uses_per_second
        );
    }

    pub(crate) fn issuing(&mut self, turn: &Turn) {
        self.issuing_over("Issuing keys, each durable, 64 connections", turn);
    }

    fn issuing_over(&mut self, title: &str, turn: &Turn) {
        self.table(title, &["keys a second", "CPU", "p50", "p99"]);
        self.row(&[
            format!("{:.0}", turn.seen.per_second),
            micros(turn.cpu),
            millis(turn.seen.p50),
            millis(turn.seen.p99),
        ]);
    }
}

fn seconds(time: Duration) -> String {
    format!("{:.1} s", time.as_secs_f64())
}

fn output(command: &str, args: &[&str]) -> Result<String, Failure> {
    let output = Command::new(command).args(args).output()?;
    Ok(String::from_utf8(output.stdout)?.trim().to_owned())
}

fn micros(time: Duration) -> String {
    format!("{:.1} µs", time.as_secs_f64() * 1e6)
}

fn millis(time: Duration) -> String {
    format!("{:.2} ms", time.as_secs_f64() * 1e3)
}

fn mebibytes(bytes: u64) -> String {
    format!("{:.1} MiB", bytes as f64 / 1_048_576.0)
}
