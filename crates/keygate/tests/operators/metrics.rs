//! `/metrics`, as Prometheus, promtool and people read it.

mod dashboard;
mod listener;
mod prometheus;

use reqwest::Client;

use crate::support::Program;

/// What a program says of itself, in the classic text.
async fn shown(program: &Program) -> String {
    let answer = Client::new().get(program.metrics_url()).send().await;
    answer.expect("it answers").text().await.expect("text")
}

/// The figure on the line that begins so; `None` where there is no such line.
fn figure(shown: &str, name: &str) -> Option<u64> {
    let mut lines = shown.lines();
    let figure = lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(' '))?;
    Some(figure.parse().expect("a whole number"))
}
