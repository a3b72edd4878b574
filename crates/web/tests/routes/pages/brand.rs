//! What the service is called, on all pages.

use std::sync::Arc;

use keygate_core::Role;
use keygate_web::{Brand, Contact, Logo, Site};

use crate::support::{Options, TestApp};

const LOGO: &str = "<svg xmlns=\"http://www.w3.org/2000/svg\"><script>alert(1)</script></svg>";

fn branded() -> TestApp {
    let defaults = Options::default();
    TestApp::with(Options {
        site: Site {
            brand: Arc::new(Brand {
                name: "Acme <AI>".into(),
                logo: Logo::new(LOGO.into()),
                contact: Contact::parse("help@example.com"),
            }),
            ..defaults.site
        },
        ..defaults
    })
}

#[tokio::test]
async fn every_page_has_the_services_name_and_logo() {
    let app = branded();
    let ada = app.account_as("ada@example.com", Role::Admin).await;
    for path in [
        "/signin",
        "/signup?token=x",
        "/reset-password?token=x",
        "/status",
        "/docs",
        "/nowhere",
        "/keys",
        "/keys/new",
        "/account",
        "/admin/accounts",
        "/admin/links",
        "/admin/audit",
        "/admin/incidents",
    ] {
        let page = app.get(path).header("accept", "text/html").cookie(&ada);
        let page = page.send().await.body;
        assert!(
            page.contains("· Acme &#60;AI&#62;</title>"),
            "{path}: {page}"
        );
        let brand = page.split_once("class=\"brand\"").expect(path).1;
        let brand = brand.split_once("</a>").expect(path).0;
        assert!(brand.contains("/assets/logo?v="), "{path}: {brand}");
        assert!(brand.ends_with("Acme &#60;AI&#62;"), "{path}: {brand}");
    }
    let feed = app.get("/status/feed.atom").send().await.body;
    assert!(
        feed.contains("<title>Acme &#60;AI&#62; status</title>"),
        "{feed}"
    );
}

#[tokio::test]
async fn pages_for_those_without_an_account_say_whom_to_ask() {
    let app = branded();
    for path in [
        "/signin",
        "/status",
        "/signup?token=x",
        "/reset-password?token=x",
    ] {
        let page = app.get(path).send().await.body;
        let link = "<a href=\"mailto:help@example.com\">help@example.com</a>";
        assert!(page.contains(link), "{path}: {page}");
    }
    let page = TestApp::new().get("/signin").send().await.body;
    assert!(page.contains("ask the operator of this service."), "{page}");
}

/// Opened by itself it is a page of this origin.
#[tokio::test]
async fn a_logo_runs_no_scripts_and_may_be_kept() {
    let app = branded();
    let page = app.get("/signin").send().await.body;
    let mut parts = page.split('"');
    let url = parts.find(|part| part.starts_with("/assets/logo?"));
    let logo = app.get(url.expect("its address")).send().await;
    assert_eq!(logo.body, LOGO);
    let header = |name: &str| logo.headers[name].to_str().expect("ASCII").to_owned();
    assert_eq!(header("content-type"), "image/svg+xml");
    assert_eq!(
        header("cache-control"),
        "public, max-age=31536000, immutable"
    );
    let policy = header("content-security-policy");
    assert!(
        policy.contains("default-src 'none'") && policy.contains("sandbox"),
        "{policy}"
    );
    assert_eq!(TestApp::new().get("/assets/logo").send().await.status, 404);
}
