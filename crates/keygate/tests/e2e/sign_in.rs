//! Signing in while others try to keep people from it.

use futures_util::future::join_all;
use http::HeaderValue;
use reqwest::Client;
use serde_json::json;

use crate::support::{Account, Program, Spawn};

/// Browsers send the cookies of a host to all its ports.
#[tokio::test(flavor = "multi_thread")]
async fn keygates_on_one_host_do_not_sign_each_others_users_out() {
    let programs = [Spawn::default(), Spawn::default()].map(Program::start);
    let mut accounts = Vec::new();
    for program in &programs {
        accounts.push(Account::create(program).await);
    }
    let name_of = |account: &Account| {
        let (name, _) = account.cookie.split_once('=').expect("a pair");
        name.to_owned()
    };
    let names = [&accounts[0], &accounts[1]].map(name_of);
    assert_ne!(names[0], names[1], "a browser keeps both");
    let all = format!(
        "theme=gr\u{fc}n; {}; {}",
        accounts[0].cookie, accounts[1].cookie
    );
    let value = HeaderValue::from_bytes(all.as_bytes()).expect("a value");
    for account in &accounts {
        let request = account.client.get(format!("{}/api/session", account.url));
        let answer = request.header("cookie", value.clone()).send().await;
        assert_eq!(answer.expect("it answers").status(), 200);
    }
    // It stays the same one.
    let [mut program, _] = programs;
    assert!(program.terminate().success());
    let program = program.restart();
    let account = Account::sign_in(&program.url).await;
    assert_eq!(name_of(&account), names[0]);
}

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
