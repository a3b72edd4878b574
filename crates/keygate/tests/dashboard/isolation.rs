//! Two accounts, each of which sees nothing of the other.

use crate::{
    browser::Options,
    person::{Person, setup_link},
    support::{Program, Upstream},
};

const GRACE: &str = "grace@example.net";

#[tokio::test(flavor = "multi_thread")]
async fn two_accounts_see_nothing_of_each_other() {
    let upstream = Upstream::start().await;
    let program = Program::with_upstream(&upstream.url());
    let grace = Person::at(&program, Options::default()).await;
    grace.sign_up(&setup_link(&program), GRACE).await;
    grace.create_key("Grace's own").await;
    grace.browser.click("Done, I have copied it").await;
    grace.browser.see("History").await;
    let page = grace.browser.url().await;
    grace.browser.goto("/admin/accounts").await;
    grace.browser.click("Invite somebody").await;
    let link = grace.text_of("#link").await;

    let bob = Person::at(&program, Options::default()).await;
    bob.sign_up(&link, "bob@example.com").await;
    bob.browser.see("Your first key").await;
    bob.browser.goto(&page).await;
    bob.browser.see("Not found").await;
    for path in ["/admin/accounts", "/admin/audit"] {
        bob.browser.goto(path).await;
        bob.browser.see("Only admins may do this.").await;
    }
    for path in [
        "/keys?status=all",
        &page,
        "/admin/audit",
        "/account",
        "/docs",
    ] {
        bob.browser.goto(path).await;
        let html = bob
            .browser
            .script("return document.documentElement.outerHTML");
        let html = html.await.to_string();
        assert!(
            !html.contains("Grace") && !html.contains(GRACE),
            "{path}: {html}"
        );
    }
    bob.create_key("Bob's own").await;
    grace.browser.goto("/keys?status=all").await;
    grace.browser.see("Grace's own").await;
    assert!(!grace.browser.text().await.contains("Bob"));
    bob.nothing_was_amiss().await;
}
