//! From the first start to the first call with a new key.

use std::{path::Path, process::Command};

use axum::{Json, Router, routing::get};
use serde_json::json;
use tokio::net::TcpListener;

use crate::{
    browser::Options,
    person::{BOTH_WAYS, Person, setup_link},
    support::{EMAIL, Program},
};

/// An upstream that has one model.
async fn upstream() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("an address");
    let models = json!({
        "object": "list",
        "data": [{"id": "tiny", "object": "model", "created": 0, "owned_by": "nobody"}],
    });
    let router = Router::new().route("/v1/models", get(async || Json(models)));
    tokio::spawn(async move { axum::serve(listener, router).await });
    format!("http://{address}")
}

/// What a program prints.
fn output(program: &Path, args: &[&str]) -> String {
    let output = Command::new(program).args(args).output();
    let output = output.unwrap_or_else(|error| panic!("{}: {error}", program.display()));
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{complaint}");
    String::from_utf8(output.stdout).expect("UTF-8")
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_start_leads_to_the_first_call() {
    let program = Program::with_upstream(&upstream().await);
    let ada = Person::at(&program, Options::default()).await;
    let browser = &ada.browser;

    browser.goto("/").await;
    browser.see("There is no account yet.").await;
    browser.goto(&setup_link(&program)).await;
    browser.fill("E-mail address", EMAIL).await;
    browser.fill("Password", "password1234").await;
    browser.click("Create account").await;
    browser.see("easy to guess").await;
    assert_eq!(browser.value("E-mail address").await, EMAIL);
    ada.sign_up(&setup_link(&program), EMAIL).await;
    browser.see("0 of 10 active keys used").await;
    browser.click("Create your first key").await;
    browser.fill("Name", "Laptop").await;
    browser.click("Create key").await;
    browser.see("Copy it now.").await;

    let secret = ada.secret().await;
    browser.click("Copy key").await;
    browser.see("Copied").await;
    assert_eq!(browser.clipboard().await, secret);

    let python = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/test-tools/venv");
    let lines = ada.text_of("#curl").await;
    let said = output(Path::new("sh"), &["-c", &lines]);
    assert!(said.contains(r#""id":"tiny""#), "{said}");
    let lines = ada.text_of("#python").await;
    assert_eq!(
        output(&python.join("bin/python"), &["-c", &lines]),
        "tiny\n"
    );
    let lines = ada.text_of("#javascript").await;
    let said = output(Path::new("node"), &["--input-type=module", "-e", &lines]);
    assert!(said.contains("id: 'tiny'"), "{said}");

    browser.click("Done, I have copied it").await;
    browser.see("Laptop").await;
    browser.see("Created name: Laptop").await;
    browser.click("API keys").await;
    browser.see("1 of 10 active keys used").await;
    ada.nothing_was_amiss().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_secret_is_shown_once() {
    for options in BOTH_WAYS {
        let program = Program::with_upstream(&upstream().await);
        let ada = Person::at(&program, options).await;
        ada.sign_up(&setup_link(&program), EMAIL).await;
        let secret = ada.create_key("Laptop").await;
        assert!(secret.starts_with("ask_"), "{secret}");
        ada.browser.reload().await;
        ada.browser.see("Laptop").await;
        let text = ada
            .browser
            .script("return document.documentElement.outerHTML");
        let text = text.await.to_string();
        assert!(!text.contains(&secret), "{text}");
        ada.browser.goto("/keys?status=all").await;
        ada.browser.see("1 of 10 active keys used").await;
        ada.nothing_was_amiss().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn leaving_asks_whether_the_key_was_copied() {
    let program = Program::with_upstream(&upstream().await);
    let ada = Person::at(&program, Options::default()).await;
    let browser = &ada.browser;
    ada.sign_up(&setup_link(&program), EMAIL).await;
    ada.create_key("not copied").await;
    browser.click("Done, I have copied it").await;
    browser.see("not copied").await;
    assert!(browser.asked_to_stay().await);
    ada.create_key("copied").await;
    browser.click("Copy the curl lines").await;
    browser.see("Copied").await;
    browser.click("Done, I have copied it").await;
    browser.see("copied").await;
    assert!(!browser.asked_to_stay().await);
}
