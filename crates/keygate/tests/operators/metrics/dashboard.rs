//! The dashboard, the alerts and the settings in `docs`, with a real Prometheus.

use keygate_storage_postgres::testing::PostgresServer;
use reqwest::{Client, StatusCode};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::{
    figure,
    prometheus::{Prometheus, promtool},
    shown,
};
use crate::support::{Account, EMAIL, Metrics, Page, Program, Spawn, Upstream, eventually, write};

/// keygate over a PostgreSQL, so that there is a change feed, with one key for each outcome.
struct World {
    program: Program,
    account: Account,
    client: Client,
    allowed: String,
    refused: Vec<String>,
    _upstream: Upstream,
    _server: PostgresServer,
}

const NEVER_ISSUED: &str = "ask_a1b2C3d4E5f6G7h8J9k0L1m2N30T4WGS";

impl World {
    async fn start() -> Self {
        let server = PostgresServer::start();
        let url = server.create_database();
        let database = url.rsplit('/').next().expect("a path");
        let database = database.split('?').next().expect("a name").to_owned();
        let upstream = Upstream::start().await;
        let program = Program::start(Spawn {
            upstream: Some(upstream.url()),
            database: Some(url),
            config: Some("[server]\ntrusted_proxies = [\"127.0.0.1\"]\n".to_owned()),
            metrics: Metrics::Anywhere,
            ..Spawn::default()
        });
        let account = Account::create(&program).await;
        let (_, allowed) = account.key(&["read"]).await;
        let (_, without_scope) = account.key(&["chat"]).await;
        let (off, revoked) = account.key(&["read"]).await;
        account.patch(&off, &json!({"is_active": false})).await;
        let (id, expired) = account.key(&["read"]).await;
        let sql = format!("UPDATE api_keys SET expires_at = 1 WHERE id = '{id}'");
        server.sql(&database, &sql);
        let never_issued = NEVER_ISSUED.to_owned();
        Self {
            client: Client::new(),
            program,
            account,
            allowed,
            refused: vec![without_scope, revoked, expired, never_issued],
            _upstream: upstream,
            _server: server,
        }
    }

    /// One call of each kind that leaves the account as it is.
    async fn make_traffic(&self) {
        self.call("/v1/models", Some(&self.allowed)).await;
        for key in &self.refused {
            self.call("/v1/models", Some(key)).await;
        }
        self.call("/v1/models", None).await;
        let question = self.client.get(format!("{}/verify", self.program.url));
        let question = question
            .header("x-original-method", "GET")
            .header("x-original-uri", "/v1/models");
        let question = question.bearer_auth(&self.allowed).send();
        assert_eq!(question.await.expect("an answer").status(), 200);
        let list = self.account.call(reqwest::Method::GET, "/api/keys").send();
        assert_eq!(list.await.expect("an answer").status(), 200);
        assert_eq!(self.sign_in("wrong password").await, 401);
    }

    async fn call(&self, path: &str, key: Option<&str>) -> StatusCode {
        let mut call = self.client.get(format!("{}{path}", self.program.url));
        if let Some(key) = key {
            call = call.bearer_auth(key);
        }
        call.send().await.expect("an answer").status()
    }

    async fn sign_in(&self, password: &str) -> StatusCode {
        let body = json!({"email": EMAIL, "password": password});
        let call = self
            .client
            .post(format!("{}/api/session", self.program.url));
        call.json(&body).send().await.expect("an answer").status()
    }
}

/// What the dashboard asks for, with what Grafana puts in the place of its variables.
fn expressions() -> Vec<String> {
    let dashboard = include_str!("../../../../../docs/grafana-dashboard.json");
    let dashboard: Value = serde_json::from_str(dashboard).expect("JSON");
    let panels = dashboard["panels"].as_array().expect("a list").iter();
    let targets = panels.flat_map(|panel| panel["targets"].as_array().expect("a list"));
    let expressions = targets.map(|target| {
        let expression = target["expr"].as_str().expect("an expression");
        let expression = expression.replace("$__rate_interval", "1m");
        let expression = expression.replace("$instance", ".*");
        assert!(!expression.contains('$'), "{expression}");
        expression
    });
    expressions.collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_panel_of_the_dashboard_shows_something() {
    let world = World::start().await;
    let prometheus = Prometheus::scraping(&world.program).await;
    eventually("the target is up", async || {
        prometheus.says_that_it_is_up().await
    })
    .await;
    world.make_traffic().await;
    let expressions = expressions();
    assert!(expressions.len() >= 18, "{expressions:#?}");
    for expression in &expressions {
        eventually(expression, async || {
            // What is counted is seen to change while it is looked at.
            world.call("/v1/models", Some(&world.allowed)).await;
            let figures = prometheus.query(expression).await;
            figures.iter().any(|figure| figure.is_finite())
        })
        .await;
    }
    let by_memory = "keygate_cache_entries > 0 and keygate_feed_revision > 0";
    eventually(by_memory, async || {
        !prometheus.query(by_memory).await.is_empty()
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn each_outcome_counts_once_under_its_name() {
    let world = World::start().await;
    world.make_traffic().await;
    let suspend = world.program.cli(&["account", "suspend", EMAIL], "");
    assert!(suspend.status.success(), "{suspend:?}");
    assert_eq!(world.call("/v1/models", Some(&world.allowed)).await, 403);
    assert_eq!(world.sign_in(crate::support::PASSWORD).await, 403);
    let shown = shown(&world.program).await;
    for (name, expected) in [
        ("verifications_total{outcome=\"allowed\"}", 2),
        ("verifications_total{outcome=\"missing\"}", 1),
        ("verifications_total{outcome=\"invalid\"}", 1),
        ("verifications_total{outcome=\"revoked\"}", 1),
        ("verifications_total{outcome=\"expired\"}", 1),
        ("verifications_total{outcome=\"insufficient_scope\"}", 1),
        ("verifications_total{outcome=\"account_suspended\"}", 1),
        ("verifications_total{outcome=\"too_many\"}", 0),
        ("verifications_total{outcome=\"storage_unavailable\"}", 0),
        (
            "requests_total{plane=\"gateway\",route=\"/v1\",status=\"200\"}",
            1,
        ),
        (
            "requests_total{plane=\"gateway\",route=\"/v1\",status=\"401\"}",
            4,
        ),
        (
            "requests_total{plane=\"gateway\",route=\"/v1\",status=\"403\"}",
            2,
        ),
        (
            "requests_total{plane=\"forward_auth\",route=\"/verify\",status=\"200\"}",
            1,
        ),
        (
            "requests_total{plane=\"management\",route=\"/api/keys\",status=\"200\"}",
            1,
        ),
        (
            "requests_total{plane=\"management\",route=\"/api/keys/{id}\",status=\"200\"}",
            1,
        ),
        ("sign_in_failures_total{reason=\"wrong_credentials\"}", 1),
        ("sign_in_failures_total{reason=\"account_suspended\"}", 1),
        ("open_streams", 0),
    ] {
        let found = figure(&shown, &format!("keygate_{name}"));
        assert_eq!(found, Some(expected), "{name} in {shown}");
    }
    let checked = promtool(world.program.folder(), &["check", "metrics"], &shown);
    assert!(checked.status.success(), "{checked:?}");
    assert!(
        checked.stdout.is_empty() && checked.stderr.is_empty(),
        "{checked:?}"
    );
}

#[test]
fn promtool_takes_the_alerts_of_the_page() {
    let folder = TempDir::new().expect("a temporary folder");
    let page = Page::read("operating.md");
    let rules = write(folder.path(), "rules.yml", page.blocks("yaml")[1]);
    let checked = promtool(
        folder.path(),
        &["check", "rules", "--lint-fatal", &rules],
        "",
    );
    assert!(checked.status.success(), "{checked:?}");
}
