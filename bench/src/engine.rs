//! What deciding costs in process, by the benches of the engine itself.

use std::{path::Path, process::Command, time::Duration};

use serde_json::Value;

use crate::{Failure, install};

/// What one step costs.
pub(crate) struct Cost {
    pub(crate) name: String,
    pub(crate) time: Duration,
}

/// What the engine costs, step by step.
pub(crate) struct Engine {
    pub(crate) costs: Vec<Cost>,
    /// Instructions for a key in the cache, and those of them that hash it, which are few more where
    /// the processor has instructions for that (callgrind's has none).
    pub(crate) instructions: u64,
    pub(crate) of_the_hash: u64,
}

const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");

/// Runs the engine's benches.
pub(crate) fn engine() -> Result<Engine, Failure> {
    bench("verify", &["--noplot", "--quiet"])?;
    let lines = bench("instructions", &["--output-format=json"])?;
    Ok(Engine {
        costs: costs()?,
        instructions: instructions(&lines, "cached_key")?,
        of_the_hash: instructions(&lines, "hash")?,
    })
}

fn bench(name: &str, options: &[&str]) -> Result<String, Failure> {
    let output = Command::new("cargo")
        .args(["bench", "--quiet", "--package", "keygate-verify", "--bench"])
        .args([name, "--"])
        .args(options)
        .env("GUNGRAUN_RUNNER", install::GUNGRAUN_RUNNER)
        .current_dir(ROOT)
        .output()?;
    if !output.status.success() {
        let why = String::from_utf8_lossy(&output.stderr);
        return Err(format!("the bench {name} ended with {}: {why}", output.status).into());
    }
    Ok(String::from_utf8(output.stdout)?)
}

/// The medians that Criterion has written down.
fn costs() -> Result<Vec<Cost>, Failure> {
    let mut costs = Vec::new();
    for entry in std::fs::read_dir(Path::new(ROOT).join("target/criterion"))? {
        let estimates = entry?.path().join("new");
        let (Ok(benchmark), Ok(estimates)) = (
            std::fs::read_to_string(estimates.join("benchmark.json")),
            std::fs::read_to_string(estimates.join("estimates.json")),
        ) else {
            continue;
        };
        let (benchmark, estimates): (Value, Value) = (
            serde_json::from_str(&benchmark)?,
            serde_json::from_str(&estimates)?,
        );
        let nanoseconds = estimates["median"]["point_estimate"].as_f64();
        let name = benchmark["title"].as_str();
        let (Some(name), Some(nanoseconds)) = (name, nanoseconds) else {
            return Err(format!("Criterion's files have changed: {benchmark} {estimates}").into());
        };
        costs.push(Cost {
            name: name.to_owned(),
            time: Duration::from_secs_f64(nanoseconds / 1e9),
        });
    }
    costs.sort_by_key(|cost| cost.time);
    Ok(costs)
}

fn instructions(lines: &str, function: &str) -> Result<u64, Failure> {
    let found = lines.lines().find_map(|line| {
        let report: Value = serde_json::from_str(line).ok()?;
        let counted = &report["profiles"][0]["data"]["parts"][0]["metrics"]["Ir"]["values"]["new"];
        (report["function_name"] == function).then(|| counted.as_u64())?
    });
    found.ok_or_else(|| format!("gungraun's report has changed: {lines}").into())
}
