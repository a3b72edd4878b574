//! What may stand in `Authorization`, byte by byte, and what each variant is answered.

use std::fmt::Write as _;

use crate::support::{Account, Program, Upstream};

fn get(program: &Program, target: &str, headers: &[&[u8]]) -> String {
    let mut request = format!("GET {target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n");
    request.push_str("X-Request-ID: fixed\r\n");
    let mut request = request.into_bytes();
    for header in headers {
        request.extend_from_slice(header);
        request.extend_from_slice(b"\r\n");
    }
    request.extend_from_slice(b"\r\n");
    let answer = program.raw(&request);
    let lines = answer.lines().filter(|line| !line.starts_with("date: "));
    lines.fold(String::new(), |text, line| text + line + "\n")
}

#[tokio::test(flavor = "multi_thread")]
async fn each_way_to_present_a_key_has_its_answer() {
    let upstream = Upstream::start().await;
    let program = Program::with_upstream(&upstream.url());
    let account = Account::create(&program).await;
    let (_, key) = account.key(&["read"]).await;

    let good = format!("Authorization: Bearer {key}");
    let good = good.as_bytes();
    let x_api_key = format!("X-Api-Key: {key}");
    for headers in [
        &[good] as &[&[u8]],
        &[format!("authorization: bearer {key}").as_bytes()],
        &[format!("AUTHORIZATION:BEARER   {key}").as_bytes()],
        &[format!("Authorization: Bearer {key}  ").as_bytes()],
        &[x_api_key.as_bytes()],
        &[format!("api-key: {key}").as_bytes()],
        &[format!("X-Goog-Api-Key: {key}").as_bytes()],
        &[good, x_api_key.as_bytes()],
        &[good, b"X-Api-Key: "],
        &[good, b"X-Api-Key: sk-ant-somebody-elses"],
    ] {
        let answer = get(&program, "/v1/models", headers);
        let shown: Vec<_> = headers.iter().map(|it| it.escape_ascii()).collect();
        assert!(answer.starts_with("HTTP/1.1 200 OK"), "{shown:?} {answer}");
    }

    let missing = get(&program, "/v1/models", &[]);
    assert_eq!(missing, get(&program, "/v1/models", &[b"Authorization: "]));
    let longer = format!("Authorization: Bearer {}", "a".repeat(8 * 1024));
    let never_issued = b"Authorization: Bearer ask_000000000000000000000000002Th9kM";
    let refused: [&[&[u8]]; 6] = [
        &[never_issued],
        &[b"Authorization: bearer"],
        &[b"Authorization: Bearer "],
        &[longer.as_bytes()],
        &[b"Authorization: Bearer ask_\x80\xff"],
        &[b"Authorization: Bearer ask_a1b2C3d4E5f6G7h8J9k0L1m2N30T4WGT"],
    ];
    let mut answers: Vec<String> = refused
        .iter()
        .map(|headers| get(&program, "/v1/models", headers))
        .collect();
    answers.dedup();
    assert_eq!(answers.len(), 1, "{answers:#?}");

    let mut shown = String::new();
    writeln!(shown, "No key at all:\n\n{missing}").expect("memory");
    writeln!(shown, "Every key that is none:\n\n{}", answers[0]).expect("memory");
    let another = b"X-Api-Key: ask_000000000000000000000000002Th9kM";
    let list = format!("Authorization: Bearer {key}, Bearer {key}");
    let copied = format!("X-Note: {key}");
    let basic = b"Authorization: Basic dXNlcjpwYXNzd29yZA==";
    let in_the_query = format!("/v1/models?api_key={key}");
    let misused: [(&str, &str, &[&[u8]]); 7] = [
        ("Another scheme", "/v1/models", &[basic]),
        ("Words around it", "/v1/models", &[list.as_bytes()]),
        ("A header twice", "/v1/models", &[good, good]),
        ("Two keys", "/v1/models", &[good, another]),
        (
            "In another header",
            "/v1/models",
            &[good, copied.as_bytes()],
        ),
        ("In the address", &in_the_query, &[]),
        ("In the address as well", &in_the_query, &[good]),
    ];
    for (what, target, headers) in misused {
        let answer = get(&program, target, headers);
        writeln!(shown, "{what}:\n\n{answer}").expect("memory");
    }
    insta::assert_snapshot!(shown);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_is_off_expired_or_of_a_suspended_account_is_told_so() {
    let upstream = Upstream::start().await;
    let program = Program::with_upstream(&upstream.url());
    let account = Account::create(&program).await;
    let mut shown = String::new();
    let mut show = |what: &str, key: &str, target: &str| {
        let header = format!("Authorization: Bearer {key}");
        let answer = get(&program, target, &[header.as_bytes()]);
        writeln!(shown, "{what}:\n\n{answer}").expect("memory");
    };
    let (id, off) = account.key(&["read"]).await;
    account
        .patch(&id, &serde_json::json!({"is_active": false}))
        .await;
    show("Switched off", &off, "/v1/models");
    let (id, expired) = account.key(&["read"]).await;
    expire(&program, &id);
    show("Expired", &expired, "/v1/models");
    let (_, key) = account.key(&["chat"]).await;
    show("Without the scope", &key, "/v1/models");
    show("By a path that has two readings", &key, "/v1//models");
    let output = program.cli(&["account", "suspend", crate::support::EMAIL], "");
    assert!(output.status.success(), "{output:?}");
    show("Of a suspended account", &key, "/v1/models");
    insta::assert_snapshot!(shown);
}

/// Sets a key's end into the past, which nobody but time can do.
fn expire(program: &Program, id: &str) {
    let database = rusqlite::Connection::open(program.data().join("keygate.db"));
    let hex = id.replace('-', "");
    let sql = format!("UPDATE api_keys SET expires_at = 1 WHERE id = x'{hex}'");
    let changed = database.expect("it opens").execute(&sql, []);
    assert_eq!(changed.expect("it is written"), 1);
}
