//! Signing in while others try to keep people from it.

use futures_util::future::join_all;
use reqwest::Client;
use serde_json::json;

use crate::support::{Program, Spawn};

#[tokio::test(flavor = "multi_thread")]
async fn a_strangers_connections_keep_nobody_from_signing_in() {
    let program = Program::start(Spawn {
        config: Some("[server]\ntrusted_proxies = [\"127.0.0.1\"]\n".into()),
        ..Spawn::default()
    });
    let client = Client::new();
    let attempt = async |from: String, email: String| {
        let body = json!({"email": email, "password": "wrong horse battery staple"});
        let request = client.post(format!("{}/api/session", program.url));
        let answer = request.header("x-forwarded-for", from).json(&body).send();
        let answer = answer.await.expect("it answers");
        let retry_after = answer.headers().contains_key("retry-after");
        (answer.status().as_u16(), retry_after)
    };
    // One site's, all at once: some are hashed, some wait, and the rest is told to come again.
    let strangers = (0..100).map(|number| {
        let from = format!("2001:db8:1:{number:x}::1");
        attempt(from, format!("nobody{number}@example.com"))
    });
    let people =
        (0..8).map(|number| attempt(format!("198.51.{number}.7"), "ada@example.com".into()));
    let (strangers, people) =
        futures_util::future::join(join_all(strangers), join_all(people)).await;
    for answer in people {
        assert_eq!(answer, (401, false), "judged, though others crowd");
    }
    let mut refused = 0;
    for (status, retry_after) in strangers {
        assert!(matches!((status, retry_after), (401, false) | (503, true)));
        refused += u32::from(status == 503);
    }
    assert!(refused > 0, "so many do not wait");
}
