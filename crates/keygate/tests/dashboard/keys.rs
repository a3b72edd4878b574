//! What an account does with its keys, with scripts and without.

use crate::{
    browser::Options,
    person::{BOTH_WAYS, Scene},
    support::{Caller, eventually},
};

pub async fn keys_are_created_changed_and_revoked(options: Options) {
    let Scene { program, ada, .. } = &Scene::open(options).await;
    let browser = &ada.browser;

    browser.goto("/keys/new").await;
    browser.fill("Name", "  ").await;
    browser.check("chat", false).await;
    browser.check("read", false).await;
    browser.fill("Expires", "On a date").await;
    browser.click("Create key").await;
    browser.see("Must not be empty.").await;
    browser.see("Select at least one.").await;
    browser.see("Needs a date.").await;
    browser.fill("Name", "Production").await;
    browser.check("read", true).await;
    browser.fill("Last day", "2020-01-31").await;
    browser.click("Create key").await;
    browser.see("Must be in the future.").await;
    assert_eq!(browser.value("Expires").await, "On a date");
    browser.fill("Last day", "2099-01-31").await;
    browser.click("Create key").await;
    browser.see("Your new key").await;
    let secret = ada.secret().await;
    let mut caller = Caller::connect(&program.url).await;
    assert_eq!(caller.call(&secret).await.expect("answers"), 200);

    browser.goto("/keys").await;
    browser.click("Production").await;
    browser.see("31 Jan 2099").await;
    browser.fill("Name", "Staging").await;
    browser.check("read", false).await;
    browser.check("write", true).await;
    browser.click("Save changes").await;
    browser.see("The changes are saved.").await;
    assert_eq!(caller.call(&secret).await.expect("answers"), 403);
    browser.check("admin", true).await;
    browser.click("Save changes").await;
    browser.see("scopes: write, admin").await;
    assert_eq!(caller.call(&secret).await.expect("answers"), 200);
    browser.click("Deactivate").await;
    browser.see("The key is deactivated.").await;
    assert_eq!(caller.call(&secret).await.expect("answers"), 401);
    browser.click("API keys").await;
    browser.see("No active keys.").await;
    browser.click("Inactive 1").await;
    browser.click("Staging").await;
    browser.click("Activate").await;
    browser.see("The key is activated.").await;
    assert_eq!(caller.call(&secret).await.expect("answers"), 200);

    eventually("its use is known", async || {
        browser.reload().await;
        browser.text().await.contains("Type the key's name")
    })
    .await;
    if !options.javascript {
        browser
            .fill("Type the key's name to confirm", "Production")
            .await;
        browser.click("Revoke key").await;
        browser
            .see("Is not the key's name, so nothing was revoked.")
            .await;
    }
    browser
        .fill("Type the key's name to confirm", "Staging")
        .await;
    browser.click("Revoke key").await;
    browser.see("The key is revoked.").await;
    browser.see("Your first key").await;
    assert_eq!(caller.call(&secret).await.expect("answers"), 401);
    ada.nothing_was_amiss().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_are_created_changed_and_revoked_with_scripts() {
    keys_are_created_changed_and_revoked(BOTH_WAYS[0]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_are_created_changed_and_revoked_without_scripts() {
    keys_are_created_changed_and_revoked(BOTH_WAYS[1]).await;
}

async fn keys_are_looked_after_in_the_list(options: Options) {
    let Scene { program, ada, .. } = &Scene::open(options).await;
    let browser = &ada.browser;
    ada.create_key("Laptop").await;
    let secret = ada.create_key("Production").await;
    let mut caller = Caller::connect(&program.url).await;

    browser.goto("/keys?sort=name").await;
    browser.click("Actions for Production").await;
    browser.see("Revoke…").await;
    assert_eq!(browser.axe().await, Vec::<String>::new());
    if options.javascript {
        browser.click("Copy ID").await;
        browser.see("Copied").await;
        let id = browser.clipboard().await;
        assert_eq!(id.len(), 36, "{id}");
    }
    browser.click("Deactivate").await;
    browser.see("The key is deactivated.").await;
    browser.see("Active 1").await;
    assert_eq!(caller.call(&secret).await.expect("answers"), 401);
    browser.click("Inactive 1").await;
    browser.set_phone(true).await;
    browser.click("Actions for Production").await;
    browser.click("Activate").await;
    browser.see("The key is activated.").await;
    browser.see("No inactive keys.").await;
    assert_eq!(caller.call(&secret).await.expect("answers"), 200);
    browser.set_phone(false).await;
    browser.click("Active 2").await;

    browser.tab_to("Actions for Laptop").await;
    browser.press("Enter").await;
    browser.see("Revoke…").await;
    browser.press("Escape").await;
    browser.dont_see("Revoke…").await;
    assert_eq!(browser.focused().await, "Actions for Laptop");
    browser.press("Enter").await;
    browser.tab_to("Revoke…").await;
    browser.press("Enter").await;
    browser.see("It was not used").await;
    browser.click("Revoke key").await;
    browser.see("The key is revoked.").await;
    browser.see("1 of 10 active keys used").await;
    ada.nothing_was_amiss().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_are_looked_after_in_the_list_with_scripts() {
    keys_are_looked_after_in_the_list(BOTH_WAYS[0]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_are_looked_after_in_the_list_without_scripts() {
    keys_are_looked_after_in_the_list(BOTH_WAYS[1]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_list_is_searched_and_sorted_and_the_limit_is_said() {
    let Scene { ada, .. } = &Scene::open(BOTH_WAYS[1]).await;
    let browser = &ada.browser;
    for name in ["delta", "Alpha", "charlie", "bravo"] {
        ada.create_key(name).await;
    }
    let names = async || {
        let script = "return [...document.querySelectorAll('tbody th a')].map((a) => a.textContent).join(' ')";
        browser.script(script).await
    };
    browser.goto("/keys").await;
    assert_eq!(names().await, "bravo charlie Alpha delta");
    browser.click("Name").await;
    assert_eq!(names().await, "Alpha bravo charlie delta");
    browser.click("Name").await;
    assert_eq!(names().await, "delta charlie bravo Alpha");
    browser.fill("Search by name or prefix", "ALPH").await;
    browser.click("Search").await;
    assert_eq!(names().await, "Alpha");
    for number in 5..=10 {
        ada.create_key(&format!("key {number}")).await;
    }
    browser.goto("/keys").await;
    browser.see("10 of 10 active keys used").await;
    browser
        .see("Deactivate or revoke a key to create another.")
        .await;
    browser.goto("/keys/new").await;
    browser.fill("Name", "one too many").await;
    browser.click("Create key").await;
    browser.see("The account has 10 active API keys").await;
    assert_eq!(browser.value("Name").await, "one too many");
    ada.nothing_was_amiss().await;
}
