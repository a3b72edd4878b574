use futures_util::future::join_all;
use http::Method;
use serde_json::json;

use crate::cluster::Cluster;

/// One place is free under the limit. However many creates arrive together, on however many nodes, one
/// of them gets it.
#[tokio::test(flavor = "multi_thread")]
async fn an_eleventh_key_never_exists() {
    let cluster = Cluster::start(3).await;
    for _ in 0..9 {
        cluster.account.key(&["read"]).await;
    }
    let accounts: Vec<_> = (0..3).map(|node| cluster.account_at(node)).collect();
    for round in 0..100 {
        let calls = (0..200).map(|number| {
            let call = accounts[number % 3].call(Method::POST, "/api/keys");
            call.json(&json!({"name": "the tenth"})).send()
        });
        let mut created = Vec::new();
        for answer in join_all(calls).await {
            let answer = answer.expect("it answers");
            match answer.status().as_u16() {
                201 => {
                    let key: serde_json::Value = answer.json().await.expect("JSON");
                    created.push(key["id"].as_str().expect("an id").to_owned());
                }
                409 => {}
                other => panic!("round {round}: {other} {:?}", answer.text().await),
            }
        }
        assert_eq!(created.len(), 1, "round {round}");
        assert_eq!(accounts[round % 3].delete(&created[0]).await.status(), 200);
    }
}
