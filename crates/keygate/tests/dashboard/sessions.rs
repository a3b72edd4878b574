//! Signing in and out, and what becomes of what was typed.

use crate::{
    browser::{Engine, Options},
    person::{BOTH_WAYS, Person, Scene},
    support::{EMAIL, PASSWORD},
};

const NEW: &str = "a wholly different set of words";

#[tokio::test(flavor = "multi_thread")]
async fn a_session_that_ends_in_the_middle_of_a_form_loses_no_typed_text() {
    for options in BOTH_WAYS {
        let Scene { program, ada, .. } = &Scene::open(options).await;
        let browser = &ada.browser;
        browser.goto("/keys/new").await;
        browser.fill("Name", "Ünï & <Co> 🔑").await;
        browser.check("write", true).await;
        browser.fill("Expires", "In 30 days").await;
        // The last admin's account cannot be suspended.
        let other = ["account", "create", "grace@example.com", "--admin"];
        let other = [&other[..], &["--password-stdin"]].concat();
        for command in [
            &other[..],
            &["account", "suspend", EMAIL],
            &["account", "resume", EMAIL],
        ] {
            let output = program.cli(command, PASSWORD);
            assert!(output.status.success(), "{output:?}");
        }
        browser.click("Create key").await;
        browser.see("what you typed is kept").await;
        ada.fill_in(EMAIL, PASSWORD).await;
        browser.see("Create a key").await;
        assert_eq!(browser.value("Name").await, "Ünï & <Co> 🔑");
        assert_eq!(browser.value("write").await, "true");
        assert_eq!(browser.value("Expires").await, "In 30 days");
        browser.click("Create key").await;
        browser.see("Your new key").await;
        ada.nothing_was_amiss().await;
    }
}

pub async fn somebody_signs_in_and_ends_other_sessions(options: Options) {
    let Scene { program, ada, .. } = &Scene::open(options).await;
    let browser = &ada.browser;
    browser.click("Sign out").await;
    browser.see("You are signed out.").await;
    browser.back().await;
    browser.reload().await;
    ada.fill_in(EMAIL, "wrong horse battery staple").await;
    browser.see("E-mail address or password is wrong.").await;
    assert_eq!(browser.value("E-mail address").await, EMAIL);
    browser.fill("Password", PASSWORD).await;
    browser.click("Sign in").await;
    browser.see("API keys").await;

    let elsewhere = Person::at(program, options).await;
    elsewhere.sign_in(EMAIL, PASSWORD).await;
    browser.goto("/account").await;
    browser.see("127.0.0.1").await;
    let other = match options.engine {
        Engine::Chromium => "Sign out Chrome on Linux, 127.0.0.1",
        Engine::Firefox => "Sign out Firefox on Linux, 127.0.0.1",
    };
    browser.click(other).await;
    browser.see("That browser or script is signed out.").await;
    elsewhere.browser.goto("/keys").await;
    elsewhere.browser.see("Your session has ended.").await;
    elsewhere.fill_in(EMAIL, PASSWORD).await;
    elsewhere.browser.see("API keys").await;
    browser.goto("/account").await;
    browser.click("Sign out everywhere else").await;
    browser.see("You are signed out everywhere else.").await;

    browser
        .fill("Current password", "wrong horse battery staple")
        .await;
    browser.fill("New password", NEW).await;
    browser.click("Change password").await;
    browser.see("Is not the account's password.").await;
    browser.fill("Current password", PASSWORD).await;
    browser.fill("New password", NEW).await;
    browser.click("Change password").await;
    browser.see("The password is changed.").await;
    elsewhere.sign_in(EMAIL, NEW).await;
    ada.nothing_was_amiss().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn somebody_signs_in_changes_the_password_and_ends_other_sessions() {
    for options in BOTH_WAYS {
        somebody_signs_in_and_ends_other_sessions(options).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_operators_link_gives_a_new_password() {
    let Scene { program, ada, .. } = &Scene::open(Options::default()).await;
    let made = program.cli(&["account", "reset-link", EMAIL], "");
    assert!(made.status.success(), "{made:?}");
    let link = String::from_utf8(made.stdout).expect("UTF-8");
    ada.browser.goto(link.trim()).await;
    ada.browser.fill("New password", NEW).await;
    ada.browser.click("Set password and sign in").await;
    ada.browser.see("The password is changed.").await;
    ada.browser.goto(link.trim()).await;
    ada.browser.see("The link is not valid").await;
    ada.sign_in(EMAIL, NEW).await;
    ada.nothing_was_amiss().await;
}
