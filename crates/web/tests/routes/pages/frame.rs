use crate::support::TestApp;

#[tokio::test]
async fn pages_are_private_and_load_nothing_from_elsewhere() {
    let (app, cookie) = TestApp::signed_in().await;
    for path in ["/signin", "/keys", "/keys/new", "/account"] {
        let page = app.get(path).cookie(&cookie).send().await;
        assert_eq!(page.status, 200, "{path}");
        let headers: Vec<String> = [
            "cache-control",
            "content-security-policy",
            "referrer-policy",
            "x-content-type-options",
            "x-frame-options",
        ]
        .iter()
        .map(|name| format!("{name}: {}", page.headers[*name].to_str().expect("ASCII")))
        .collect();
        insta::allow_duplicates! {
            insta::assert_snapshot!(headers.join("\n"), @r"
            cache-control: no-store
            content-security-policy: default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'
            referrer-policy: strict-origin
            x-content-type-options: nosniff
            x-frame-options: DENY
            ");
        }
        for forbidden in [
            "<style",
            " style=",
            " onclick=",
            "<script>",
            "http://",
            "https://",
        ] {
            assert!(!page.body.contains(forbidden), "{path}: {forbidden}");
        }
    }
}

#[tokio::test]
async fn the_start_leads_to_the_keys_or_to_signing_in() {
    let (app, cookie) = TestApp::signed_in().await;
    let start = app.get("/").send().await;
    assert_eq!(start.headers["location"], "/signin");
    let start = app.get("/").cookie(&cookie).send().await;
    assert_eq!(start.headers["location"], "/keys");
}

#[tokio::test]
async fn pages_are_compressed_but_for_those_with_a_secret() {
    let (app, cookie) = TestApp::signed_in().await;
    let list = app.get("/keys").cookie(&cookie);
    let list = list.header("accept-encoding", "gzip").send().await;
    assert_eq!(list.headers["content-encoding"], "gzip");
    let form = app.get("/keys/new").cookie(&cookie).send().await;
    let body = format!("id={}&name=a&scopes=chat&expires=never", form.value("id"));
    let created = app.post("/keys/new").cookie(&cookie).form(&body);
    let created = created.header("accept-encoding", "gzip").send().await;
    assert_eq!(created.status, 201);
    assert!(!created.headers.contains_key("content-encoding"));
}

#[tokio::test]
async fn a_browser_is_told_in_a_page_and_a_script_in_json() {
    let app = TestApp::new();
    let page = app
        .get("/nowhere")
        .header("accept", "text/html,*/*")
        .send()
        .await;
    assert_eq!(page.status, 404);
    assert!(page.body.contains("<h1>Not found</h1>"), "{page}");
    let json = app.get("/nowhere").header("accept", "*/*").send().await;
    assert_eq!(json.summary(), r#"404 "not_found" null"#);
    let call = app.post("/signin").header("accept", "text/html");
    let refused = call.header("sec-fetch-site", "cross-site").send().await;
    assert_eq!(refused.status, 403);
    assert!(refused.body.contains("Another web page began this request"));
    let method = app
        .get("/signout")
        .header("accept", "text/html")
        .send()
        .await;
    assert_eq!(method.status, 405);
    assert!(
        method.body.contains("<h1>That did not work</h1>"),
        "{method}"
    );
    let api = app
        .get("/api/nothing")
        .header("accept", "text/html")
        .send()
        .await;
    assert_eq!(api.summary(), r#"404 "not_found" null"#);
}

#[tokio::test]
async fn a_store_that_fails_is_said_so() {
    let (app, cookie) = TestApp::signed_in().await;
    app.close_store().await;
    let page = app.get("/keys").cookie(&cookie).send().await;
    assert_eq!(page.status, 503);
    assert!(page.body.contains("<h1>Not now</h1>"), "{page}");
}
