use crate::contest::Results;

/// The page of figures.
pub(crate) fn page(results: &[Results]) -> String {
    results.iter().map(table).collect()
}

fn table(results: &Results) -> String {
    let peer = results.lines.iter().find(|line| line.is_peer);
    let peer_cpu = peer.map_or(f64::NAN, |line| line.median.cpu.as_secs_f64());
    let mut text = format!(
        "\n## {}\n\n| | CPU a request | ratio | requests a second | p50 | p99 | memory |\n|---|---|---|---|---|---|---|\n",
        results.title
    );
    for line in &results.lines {
        let turn = &line.median;
        let noisy = if line.is_noisy { " (noisy)" } else { "" };
        text.push_str(&format!(
            "| {}{noisy} | {:.1} µs | {:.2} | {:.0} | {:.2} ms | {:.2} ms | {:.1} MiB |\n",
            line.name,
            turn.cpu.as_secs_f64() * 1e6,
            turn.cpu.as_secs_f64() / peer_cpu,
            turn.seen.per_second,
            turn.seen.p50.as_secs_f64() * 1e3,
            turn.seen.p99.as_secs_f64() * 1e3,
            turn.pss as f64 / 1_048_576.0,
        ));
    }
    text
}
