use reqwest::Client;

use super::{Account, Program, Upstream};

/// A program before an upstream, and somebody with a key to it.
pub struct World {
    pub upstream: Upstream,
    pub program: Program,
    pub client: Client,
    pub key: String,
}

impl World {
    pub async fn with_scopes(scopes: &[&str]) -> Self {
        let upstream = Upstream::start().await;
        let program = Program::with_upstream(&upstream.url());
        let account = Account::create(&program).await;
        let (_, key) = account.key(scopes).await;
        Self {
            upstream,
            program,
            client: Client::new(),
            key,
        }
    }
}
