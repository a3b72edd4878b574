//! From the first start to the first call with a new key.

use std::{path::Path, process::Command};

use axum::{
    Json, Router,
    routing::{get, post},
};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::{
    browser::Options,
    person::{BOTH_WAYS, Person, setup_link},
    support::{Account, EMAIL, Program},
};

/// What the model of the upstream makes of a question.
async fn chat(Json(asked): Json<Value>) -> Json<Value> {
    let said = format!(
        "{} has read: {}",
        asked["model"], asked["messages"][0]["content"]
    );
    Json(json!({
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 0,
        "model": "tiny",
        "choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": said}}],
    }))
}

/// An upstream that has one model.
async fn upstream() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("an address");
    let models = json!({
        "object": "list",
        "data": [{"id": "tiny", "object": "model", "created": 0, "owned_by": "nobody"}],
    });
    let router = Router::new()
        .route("/v1/models", get(async || Json(models)))
        .route("/v1/chat/completions", post(chat));
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

/// What the lines of a call do in each language, with the model that there is.
async fn output_of_lines(ada: &Person, call: &str) -> [String; 3] {
    let python = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/test-tools/venv");
    let lines = async |language: &str| {
        let lines = ada.text_of(&format!("#{language}-{call}")).await;
        lines.replace("MODEL", "tiny")
    };
    let (curl, javascript) = (lines("curl").await, lines("javascript").await);
    [
        output(Path::new("sh"), &["-c", &curl]),
        output(&python.join("bin/python"), &["-c", &lines("python").await]),
        output(
            Path::new("node"),
            &["--input-type=module", "-e", &javascript],
        ),
    ]
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

    let said = output_of_lines(&ada, "models").await;
    assert!(said[0].contains(r#""id":"tiny""#), "{said:?}");
    assert_eq!(said[1], "tiny\n");
    assert!(said[2].contains("id: 'tiny'"), "{said:?}");
    for said in output_of_lines(&ada, "chat").await {
        let words = said.replace('\\', "");
        assert!(words.contains(r#""tiny" has read: "Hello""#), "{said}");
    }

    browser.click("Done, I have copied it").await;
    browser.see("Laptop").await;
    browser.see("Created name: Laptop").await;
    browser.click("API keys").await;
    browser.see("1 of 10 active keys used").await;
    ada.nothing_was_amiss().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_new_key_is_tried_on_its_page() {
    let program = Program::with_upstream(&upstream().await);
    let ada = Person::at(&program, Options::default()).await;
    let browser = &ada.browser;
    ada.sign_up(&setup_link(&program), EMAIL).await;
    ada.create_key("Laptop").await;
    browser.dont_see("Say hello").await;
    browser.click("Try it").await;
    browser.see("200 OK, ").await;
    browser.see(r#""id": "tiny""#).await;
    assert_eq!(browser.value("Model").await, "tiny");
    browser.click("Say hello").await;
    browser.see(r#""tiny" has read: "Hello""#).await;
    assert_eq!(browser.axe().await, Vec::<String>::new());
    ada.nothing_was_amiss().await;
    let account = Account::sign_in(&program.url).await;
    let id = browser.url().await;
    let id = id.rsplit('/').next().expect("an id");
    account.patch(id, &json!({"is_active": false})).await;
    browser.click("Try it").await;
    browser.see("401 Unauthorized, ").await;
    browser.see("The API key is inactive.").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_calls_are_shown_in_one_language_also_without_scripts() {
    for options in BOTH_WAYS {
        let program = Program::with_upstream(&upstream().await);
        let ada = Person::at(&program, options).await;
        let browser = &ada.browser;
        ada.sign_up(&setup_link(&program), EMAIL).await;
        ada.create_key("Laptop").await;
        browser.see("/v1/chat/completions").await;
        browser.dont_see("from openai import").await;
        browser.check("Python", true).await;
        browser.see("client.chat.completions.create").await;
        browser.dont_see("/v1/chat/completions").await;
        browser.press("Right").await;
        browser.see("await fetch").await;
        browser.see("export OPENAI_BASE_URL=").await;
        browser.dont_see("ANTHROPIC_BASE_URL").await;
        browser
            .click("Environment of Anthropic's clients and Claude Code")
            .await;
        browser.see("export ANTHROPIC_BASE_URL=").await;
        if !options.javascript {
            browser.dont_see("Try it").await;
        }
        ada.nothing_was_amiss().await;
    }
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
    browser.click("Copy List the models").await;
    browser.see("Copied").await;
    browser.click("Done, I have copied it").await;
    browser.see("copied").await;
    assert!(!browser.asked_to_stay().await);
}
