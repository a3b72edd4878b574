//! The API reference, and trying its calls.

use crate::{
    browser::Options,
    person::{Person, setup_link},
    support::{EMAIL, Program, Upstream},
};

#[tokio::test(flavor = "multi_thread")]
async fn calls_are_tried_by_whoever_is_signed_in() {
    let upstream = Upstream::start().await;
    let program = Program::with_upstream(&upstream.url());
    let ada = Person::at(&program, Options::default()).await;
    let browser = &ada.browser;
    browser.goto("/docs").await;
    browser.see("API reference").await;
    browser.dont_see("Try it").await;
    ada.sign_up(&setup_link(&program), EMAIL).await;
    browser.goto("/docs").await;
    browser.click("Try it: Create an API key").await;
    browser.fill("Body", r#"{"name":"Tried out"}"#).await;
    browser.click("Send: Create an API key").await;
    browser.see("201 Created").await;
    browser.see(r#""name": "Tried out""#).await;
    browser.click("Try it: List API keys").await;
    browser.fill("status", "active").await;
    browser.click("Send: List API keys").await;
    browser.see("200 OK").await;
    browser.fill("status", "odd").await;
    browser.click("Send: List API keys").await;
    browser.see(r#""param": "status""#).await;
    browser.goto("/keys").await;
    browser.see("Tried out").await;
    for request in browser.network().await {
        assert!(request.url.starts_with(&program.url), "{request:?}");
    }
}
