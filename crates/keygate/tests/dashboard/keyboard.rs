//! Without a mouse.

use crate::{
    browser::Options,
    person::{Person, setup_link},
    support::{EMAIL, PASSWORD, Program, Upstream},
};

#[tokio::test(flavor = "multi_thread")]
async fn a_key_is_created_and_revoked_by_the_keyboard_alone() {
    let upstream = Upstream::start().await;
    let program = Program::with_upstream(&upstream.url());
    let ada = Person::at(&program, Options::default()).await;
    let browser = &ada.browser;
    browser.goto(&setup_link(&program)).await;
    browser.tab_to("E-mail address").await;
    browser.press(EMAIL).await;
    browser.tab_to("Password").await;
    browser.press(PASSWORD).await;
    browser.press("Enter").await;
    browser.see("Your first key").await;

    browser.tab_to("Skip to content").await;
    browser.press("Enter").await;
    browser.tab_to("Create your first key").await;
    browser.press("Enter").await;
    browser.see("What it may do").await;
    assert_eq!(browser.focused().await, "Name");
    browser.press("Laptop").await;
    browser.tab_to("write").await;
    browser.press("Space").await;
    browser.tab_to("Expires").await;
    browser.press("Never").await;
    browser.tab_to("Create key").await;
    browser.press("Enter").await;
    browser.see("Your new key").await;
    browser.tab_to("Copy key").await;
    browser.press("Enter").await;
    browser.see("Copied").await;
    browser.tab_to("Done, I have copied it").await;
    browser.press("Enter").await;

    browser.see("scopes: chat, read, write never expires").await;
    browser.see("It was not used").await;
    browser.tab_to("Revoke key").await;
    browser.press("Enter").await;
    browser.see("The key is revoked.").await;
    assert!(!browser.asked_to_stay().await);
    ada.nothing_was_amiss().await;
}
