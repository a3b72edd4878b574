//! What admins do, with scripts and without.

use crate::{
    browser::Options,
    person::{BOTH_WAYS, Person, Scene, setup_link},
    support::{Caller, EMAIL, PASSWORD, Program, Spawn},
};

const BOB: &str = "bob@example.com";

pub async fn an_admin_looks_after_accounts(options: Options) {
    let Scene { program, ada, .. } = &Scene::open(options).await;
    let admin = &ada.browser;
    admin.click("Accounts").await;
    admin.click("Invite somebody").await;
    admin.see("It works once").await;
    let invitation = ada.text_of("#link").await;
    let bob = Person::at(program, options).await;
    bob.sign_up(&invitation, BOB).await;
    let secret = bob.create_key("Bob's").await;
    let mut caller = Caller::connect(&program.url).await;
    assert_eq!(caller.call(&secret).await.expect("answers"), 200);

    admin.goto("/admin/accounts").await;
    admin.see("1 of 1").await;
    admin.click(&format!("Suspend {BOB}")).await;
    admin.see("The account is suspended").await;
    assert_eq!(caller.call(&secret).await.expect("answers"), 403);
    bob.browser.goto("/keys").await;
    bob.browser.see("Your session has ended.").await;
    bob.fill_in(BOB, PASSWORD).await;
    bob.browser.see("The account is suspended.").await;
    admin.click(&format!("Resume {BOB}")).await;
    admin.see("The account is resumed.").await;
    assert_eq!(caller.call(&secret).await.expect("answers"), 200);

    admin.click(&format!("Reset password of {BOB}")).await;
    let reset = ada.text_of("#link").await;
    bob.browser.goto(&reset).await;
    let new = "a wholly different set of words";
    bob.browser.fill("New password", new).await;
    bob.browser.click("Set password and sign in").await;
    bob.browser.see("The password is changed.").await;

    admin.goto("/admin/accounts").await;
    admin.click("Invite somebody").await;
    let invitation = ada.text_of("#link").await;
    admin.goto("/admin/accounts").await;
    admin.click("One-time links").await;
    let withdraw = format!("Withdraw: Invitation, created by {EMAIL}");
    admin.click(&withdraw).await;
    admin.see("The link is withdrawn").await;
    admin.see("There are no active links.").await;
    let eve = Person::at(program, options).await;
    eve.browser.goto(&invitation).await;
    eve.browser.see("The link is not valid").await;
    eve.browser.dont_see("Password").await;

    admin.goto("/admin/accounts").await;
    admin.fill("Search by e-mail address", "BOB").await;
    admin.click("Search").await;
    admin.dont_see("Reset password of ada").await;
    admin.click(BOB).await;
    admin.see("account.suspend").await;
    admin.see("name: Bob's").await;
    admin.fill("Action", "account.resume").await;
    admin.click("Filter").await;
    admin.dont_see("name: Bob's").await;
    admin.click("Clear").await;
    admin.see("invitation.create").await;
    ada.nothing_was_amiss().await;
    bob.nothing_was_amiss().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_admin_looks_after_accounts_with_scripts() {
    an_admin_looks_after_accounts(BOTH_WAYS[0]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_admin_looks_after_accounts_without_scripts() {
    an_admin_looks_after_accounts(BOTH_WAYS[1]).await;
}

/// The menu needs no script: a phone's browser opens it by itself.
async fn on_a_phone_the_pages_are_in_a_menu(options: Options) {
    let program = Program::start(Spawn::default());
    let admin = Person::at(&program, options).await;
    admin
        .sign_up(&setup_link(&program), "admin@example.com")
        .await;
    let browser = &admin.browser;
    browser.dont_see("Menu").await;
    browser.set_phone(true).await;
    browser.dont_see("Incidents").await;
    browser.click("Menu").await;
    browser.see("admin@example.com").await;
    assert_eq!(browser.axe().await, Vec::<String>::new());
    browser.click("Incidents").await;
    browser.see("No incidents").await;
    browser.dont_see("Sign out").await;
    browser.click("Menu").await;
    browser.click("Sign out").await;
    browser.see("Sign in").await;
    admin.nothing_was_amiss().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn on_a_phone_the_pages_are_in_a_menu_with_scripts() {
    on_a_phone_the_pages_are_in_a_menu(BOTH_WAYS[0]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn on_a_phone_the_pages_are_in_a_menu_without_scripts() {
    on_a_phone_the_pages_are_in_a_menu(BOTH_WAYS[1]).await;
}
