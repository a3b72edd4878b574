//! gRPC, before a server of gRPC's own package: the package of `PyPI` is both.

use serde_json::{Value, json};

use crate::{
    script,
    support::{Account, Program, Spawn, free_port},
};

#[tokio::test(flavor = "multi_thread")]
async fn grpc_passes_whole_and_its_clients_are_told_what_is_wrong() {
    let upstream = format!("127.0.0.1:{}", free_port());
    let program = Program::start(Spawn {
        config: Some(format!(
            "[gateway]\nlisten = \"127.0.0.1:0\"\n[[upstream]]\npath = \"/\"\nurl = \"h2c://{upstream}\"\n"
        )),
        ..Spawn::default()
    });
    let account = Account::create(&program).await;
    let (id, key) = account.key(&["write"]).await;
    let (_, read) = account.key(&["read"]).await;
    let asked = json!({
        "upstream": upstream,
        "keygate": program.gateway_address(),
        "key": key,
        "refused": ["ask_unknown", read],
    });
    let output = script("grpc_python.py", &asked, "").output();
    let output = output.expect("it runs");
    let complaint = String::from_utf8_lossy(&output.stderr);
    let said: Value = serde_json::from_slice(&output.stdout).expect(&complaint);
    let unauthenticated =
        "The API key is not valid. Check that it is complete and was not deleted.";
    let expected = json!({
        "unary": "Hello, Ada",
        "stream": ["0", "1", "2"],
        "talk": ["ONE", "TWO", "THREE"],
        "failing": ["FAILED_PRECONDITION", "not today: é", "yes", "because"],
        "cancelled": true,
        "credential_seen": false,
        "key_seen": id,
        "refusals": [
            ["UNAUTHENTICATED", unauthenticated],
            ["PERMISSION_DENIED", "This needs an API key with the scope \"write\"."],
        ],
        "away": ["UNAVAILABLE", "The service behind this gateway cannot be reached. Nothing was sent to it."],
    });
    assert_eq!(said, expected, "{complaint}");
}
