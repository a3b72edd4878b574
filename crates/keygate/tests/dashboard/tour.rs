//! Every page, light and dark, wide and narrow: what axe says of it, whether it fits, and a picture.

use std::path::{Path, PathBuf};

use http::Method;
use serde_json::{Value, json};

use crate::{
    browser::{Browser, Engine, Options},
    person::{Person, Scene, setup_link},
    support::{Account, EMAIL, PASSWORD, Program, Upstream, eventually},
};

/// A name of 255 characters.
fn long() -> String {
    "Long ".repeat(51).trim().to_owned() + "."
}

/// Where the pictures go.
fn folder() -> PathBuf {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/screenshots");
    std::fs::create_dir_all(&folder).expect("a folder");
    folder
}

/// The texts that the page shows, but for times, which change, and for the menu, which a phone shows when it is opened.
const SHOWN: &str = r#"
return [...document.querySelectorAll("body *")]
  .filter((one) => one.childElementCount === 0 && one.textContent.trim() !== "")
  .filter((one) => !one.closest("time, script, option, #menu, .opener") && one.checkVisibility())
  .map((one) => one.textContent.trim());
"#;

/// Looks at the page that is open, in both colours and both widths where the browser has them. It shows the same in both.
pub async fn look(browser: &Browser, name: &str) {
    if browser.engine == Engine::Firefox {
        look_once(browser, &format!("{name}-firefox")).await;
        return fits(browser, name).await;
    }
    let mut shown = Vec::new();
    for (phone, size) in [(false, "desktop"), (true, "phone")] {
        browser.set_phone(phone).await;
        for (dark, scheme) in [(false, "light"), (true, "dark")] {
            browser.set_dark(dark).await;
            look_once(browser, &format!("{name}-{size}-{scheme}")).await;
        }
        shown.push(browser.script(SHOWN).await);
        fits(browser, &format!("{name}, {size}")).await;
    }
    assert_eq!(shown[0], shown[1], "{name} shows less in a narrow window");
    browser.set_phone(false).await;
    browser.set_dark(false).await;
}

async fn look_once(browser: &Browser, name: &str) {
    let violations = browser.axe().await;
    assert!(violations.is_empty(), "{name}: {violations:#?}");
    browser
        .screenshot(folder().join(format!("{name}.png")))
        .await;
}

async fn fits(browser: &Browser, name: &str) {
    let overflow = "return document.documentElement.scrollWidth - innerWidth";
    let overflow = browser.script(overflow).await;
    assert!(
        overflow.as_i64() <= Some(0),
        "{name} is too wide: {overflow}"
    );
}

pub async fn visit(browser: &Browser, path: &str, name: &str) {
    browser.goto(path).await;
    look(browser, name).await;
}

/// Creates a key: its id and its secret.
async fn create(
    account: &Account,
    name: &str,
    scopes: &[&str],
    end: Option<&str>,
) -> (String, String) {
    let body = json!({"name": name, "scopes": scopes, "expires_at": end});
    let call = account.call(Method::POST, "/api/keys").json(&body);
    let answer = call.send().await.expect("answers");
    assert_eq!(answer.status(), 201);
    let key: Value = answer.json().await.expect("JSON");
    let text = |field: &str| key[field].as_str().expect("text").to_owned();
    (text("id"), text("key"))
}

/// Keys as people have them; the id of the one that was used.
async fn fill(account: &Account) -> String {
    let (old, _) = create(account, "Old prototype", &["chat"], None).await;
    account.patch(&old, &json!({"is_active": false})).await;
    let end = Some("2099-06-30T23:59:59Z");
    create(account, "Nightly evaluation", &["chat", "read"], end).await;
    create(account, "Continuous integration", &["read", "write"], end).await;
    create(account, "Ada's laptop", &["chat"], None).await;
    let (id, secret) = create(account, "Production", &["chat", "read"], None).await;
    let name = json!({"name": "Production server"});
    account.patch(&id, &name).await;
    let used = account.client.get(format!("{}/v1/models", account.url));
    let used = used.bearer_auth(secret).send().await.expect("answers");
    assert_eq!(used.status(), 200);
    eventually("the use is noted", async || {
        let call = account.call(Method::GET, &format!("/api/keys/{id}"));
        let answer = call.send().await.expect("answers");
        let key: Value = answer.json().await.expect("JSON");
        !key["last_used_at"].is_null()
    })
    .await;
    id
}

/// Keys that a page must bear, too.
async fn fill_oddly(account: &Account) {
    create(account, &long(), &["read"], None).await;
    create(account, &"x".repeat(255), &["read"], None).await;
    let end = Some("9999-12-31T23:59:59Z");
    create(account, "مفتاح الخادم", &["chat", "read"], end).await;
    create(account, "<script>alert(1)</script>", &["write"], None).await;
}

pub async fn before_signing_in(options: Options) {
    let upstream = Upstream::start().await;
    let program = Program::with_upstream(&upstream.url());
    let ada = Person::at(&program, options).await;
    let browser = &ada.browser;
    visit(browser, &setup_link(&program), "sign-up").await;
    browser.fill("E-mail address", EMAIL).await;
    browser.fill("Password", "password1234").await;
    browser.click("Create account").await;
    browser.see("easy to guess").await;
    look(browser, "sign-up-refused").await;
    Account::create(&program).await;
    visit(browser, "/signin?because=over", "sign-in").await;
    ada.fill_in(EMAIL, "wrong horse battery staple").await;
    browser.see("is wrong").await;
    look(browser, "sign-in-refused").await;
    let link = program.cli(&["account", "reset-link", EMAIL], "");
    let link = String::from_utf8(link.stdout).expect("UTF-8");
    visit(browser, link.trim(), "reset-password").await;
    visit(browser, "/reset-password?token=x", "reset-password-invalid").await;
    visit(browser, "/nowhere", "not-found").await;
    visit(browser, "/docs", "docs-signed-out").await;
    ada.nothing_was_amiss().await;
}

pub async fn of_an_account(options: Options) {
    let Scene { program, ada, .. } = &Scene::open(options).await;
    let browser = &ada.browser;
    look(browser, "keys-empty").await;
    let account = Account::sign_in(&program.url).await;
    let id = fill(&account).await;
    visit(browser, "/keys", "keys").await;
    visit(browser, "/keys?status=all&sort=name&search=o", "keys-all").await;
    visit(browser, "/keys?search=nothing", "keys-none").await;
    visit(browser, &format!("/keys/{id}"), "key").await;
    fill_oddly(&account).await;
    visit(browser, "/keys", "keys-odd").await;
    browser.goto("/keys?search=long").await;
    browser.click(&long()).await;
    look(browser, "key-long-name").await;
    visit(browser, "/keys/new", "new-key").await;
    browser.check("chat", false).await;
    browser.check("read", false).await;
    browser.fill("Name", " ").await;
    browser.fill("Expires", "On a date").await;
    browser.click("Create key").await;
    browser.see("Select at least one.").await;
    look(browser, "new-key-refused").await;
    browser.fill("Name", "Laptop").await;
    browser.check("chat", true).await;
    browser.check("read", true).await;
    browser.fill("Expires", "In 90 days").await;
    browser.click("Create key").await;
    browser.see("Your new key").await;
    look(browser, "new-key-created").await;
    browser.click("Copy key").await;
    visit(browser, "/account", "account").await;
    visit(browser, "/docs", "docs").await;
    ada.nothing_was_amiss().await;
}

pub async fn of_admins(options: Options) {
    let Scene { program, ada, .. } = &Scene::open(options).await;
    let browser = &ada.browser;
    let account = Account::sign_in(&program.url).await;
    fill(&account).await;
    fill_oddly(&account).await;
    for email in [
        "bob@example.com",
        "charlotte.von.und.zu.hohenstein@verwaltung.example",
    ] {
        let made = program.cli(&["account", "create", email, "--password-stdin"], PASSWORD);
        assert!(made.status.success(), "{made:?}");
    }
    let suspended = program.cli(&["account", "suspend", "bob@example.com"], "");
    assert!(suspended.status.success(), "{suspended:?}");
    visit(browser, "/admin/accounts", "accounts").await;
    visit(browser, "/admin/accounts?search=nobody", "accounts-none").await;
    browser.goto("/admin/accounts").await;
    browser.click("Invite somebody").await;
    browser.see("It works once").await;
    look(browser, "invitation").await;
    let link = program.cli(&["account", "reset-link", "bob@example.com"], "");
    assert!(link.status.success(), "{link:?}");
    visit(browser, "/admin/links", "links").await;
    visit(browser, "/admin/audit", "audit").await;
    visit(browser, "/admin/audit?action=session.delete", "audit-none").await;
    ada.nothing_was_amiss().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_before_signing_in_are_fit_to_be_seen() {
    before_signing_in(Options::default()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_of_an_account_are_fit_to_be_seen() {
    of_an_account(Options::default()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_of_admins_are_fit_to_be_seen() {
    of_admins(Options::default()).await;
}
