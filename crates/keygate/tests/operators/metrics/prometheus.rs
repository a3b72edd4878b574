//! Debian's Prometheus in a process of its own.

use std::{
    path::Path,
    process::{Command, Output},
};

use reqwest::Client;
use serde_json::Value;

use crate::support::{Page, Program, Proxy, eventually, replace, run, write};

/// A Prometheus that scrapes a program several times a second, as the page says.
pub struct Prometheus {
    process: Proxy,
    client: Client,
}

impl Prometheus {
    pub async fn scraping(program: &Program) -> Self {
        let url = program.metrics_url();
        let target = url.strip_prefix("http://").expect("plain http");
        let target = target.strip_suffix("/metrics").expect("its path");
        let page = Page::read("operating.md");
        let config = replace(page.blocks("yaml")[0], &[("127.0.0.1:9464", target)]);
        let config =
            format!("global:\n  scrape_interval: 200ms\n  scrape_timeout: 200ms\n{config}");
        let process = Proxy::start(|folder, port| {
            let config = write(folder, "prometheus.yml", &config);
            let mut command = Command::new("prometheus");
            command
                .arg(format!("--config.file={config}"))
                .arg(format!(
                    "--storage.tsdb.path={}",
                    folder.join("data").display()
                ))
                .arg(format!("--web.listen-address=127.0.0.1:{port}"));
            command
        });
        let client = Client::new();
        let ready = format!("{}/-/ready", process.url);
        eventually("Prometheus is ready", async || {
            let answer = client.get(&ready).send().await;
            answer.expect("it answers").status().is_success()
        })
        .await;
        Self { process, client }
    }

    /// Whether it says that its one target, which it takes some seconds to find, is well.
    pub async fn says_that_it_is_up(&self) -> bool {
        let targets = self.get("targets", &[]).await;
        let targets = targets["activeTargets"].as_array().expect("a list");
        matches!(&targets[..], [target] if target["health"] == "up")
    }

    /// What an expression gives now: a figure for each series.
    pub async fn query(&self, expression: &str) -> Vec<f64> {
        let data = self.get("query", &[("query", expression)]).await;
        let series = data["result"].as_array().expect("a list").iter();
        let figure = |one: &Value| one["value"][1].as_str()?.parse().ok();
        series.map(|one| figure(one).expect("a figure")).collect()
    }

    async fn get(&self, what: &str, parameters: &[(&str, &str)]) -> Value {
        let query = form_urlencoded::Serializer::new(String::new())
            .extend_pairs(parameters)
            .finish();
        let url = format!("{}/api/v1/{what}?{query}", self.process.url);
        let answer = self.client.get(url).send().await.expect("it answers");
        let answer: Value = answer.json().await.expect("JSON");
        assert_eq!(answer["status"], "success", "{parameters:?}: {answer}");
        answer["data"].clone()
    }
}

/// Runs promtool, with this on its standard input.
pub fn promtool(folder: &Path, args: &[&str], stdin: &str) -> Output {
    let mut command = Command::new("promtool");
    command.args(args).current_dir(folder);
    run(command, stdin)
}
