//! A container with little memory.

use futures_util::future::join_all;
use serde_json::json;

use crate::support::{Account, MIB, MemoryLimit, PASSWORD, Program, Spawn};

/// Hashing a password takes 19 MiB: as many as come at once would not fit.
#[tokio::test(flavor = "multi_thread")]
async fn thirty_sign_ins_at_once_fit_into_128_mib() {
    let limit = MemoryLimit::new(128 * MIB);
    let mut program = Program::start(Spawn {
        group: Some(limit.group()),
        ..Spawn::default()
    });
    let account = Account::create(&program).await;
    let mut hashed = 0;
    let sign_ins = (0..30).map(|number| {
        let email = format!("account{number}@example.com");
        let request = account.client.post(format!("{}/api/session", account.url));
        request
            .json(&json!({"email": email, "password": PASSWORD}))
            .send()
    });
    for answer in join_all(sign_ins).await {
        let status = answer.expect("it is alive").status().as_u16();
        assert!([401, 429, 503].contains(&status), "{status}");
        hashed += usize::from(status == 401);
    }
    assert!(hashed > 0, "passwords were looked at");
    let ready = reqwest::get(format!("{}/readyz", program.url)).await;
    assert_eq!(ready.expect("it is alive").status(), 200);
    assert!(program.terminate().success());
}
