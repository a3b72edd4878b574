use crate::support::{Options, TestApp};

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
            "=\"http",
            "=\"//",
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
    assert!(refused.body.contains("Another website sent this request"));
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

#[tokio::test]
async fn no_answer_is_taken_for_something_else() {
    let (app, cookie) = TestApp::signed_in().await;
    for path in [
        "/api/keys",
        "/api/nothing",
        "/openapi.json",
        "/status",
        "/assets/time.js",
        "/status/feed.atom",
    ] {
        let answer = app.get(path).cookie(&cookie).send().await;
        assert_eq!(
            answer.headers["x-content-type-options"], "nosniff",
            "{path}"
        );
    }
}

#[tokio::test]
async fn notices_are_shown_only_where_they_are_true() {
    let (app, cookie) = TestApp::signed_in().await;
    for (path, word, notice) in [
        ("/keys", "revoked", "The key is revoked."),
        ("/account", "password", "The password is changed."),
        (
            "/account",
            "ended-others",
            "You are signed out everywhere else.",
        ),
    ] {
        let page = async |cookies: String| {
            let call = app.get(&format!("{path}?done={word}")).cookie(&cookies);
            call.send().await.body
        };
        assert!(!page(cookie.clone()).await.contains(notice), "{path}");
        let other = format!("{cookie}; keygate_notice=other");
        assert!(!page(other).await.contains(notice), "{path}");
        let led = format!("{cookie}; keygate_notice={word}");
        assert!(page(led).await.contains(notice), "{path}");
    }
    let over = app.get("/signin?because=over").send().await;
    assert!(!over.body.contains("Your session has ended"), "{over}");
    let ended = app.get("/keys").cookie("keygate_session=over").send().await;
    let to = ended.headers["location"].to_str().expect("ASCII");
    let over = app.get(to).cookie(&ended.cookie()).send().await;
    assert!(over.body.contains("Your session has ended"), "{over}");
}

#[tokio::test]
async fn a_form_is_taken_from_browsers_that_hide_its_origin() {
    let (app, cookie) = TestApp::signed_in().await;
    let post = async |headers: &[(&str, &str)]| {
        let mut call = app.post("/signout").cookie(&cookie);
        for (name, value) in headers {
            call = call.header(name, value);
        }
        call.form("").send().await.status.as_u16()
    };
    for (headers, status) in [
        (
            &[("origin", "null"), ("sec-fetch-site", "same-origin")][..],
            303,
        ),
        (&[("origin", "null")], 403),
        (&[("origin", "null"), ("sec-fetch-site", "none")], 403),
        (&[("origin", "null"), ("sec-fetch-site", "same-site")], 403),
        (
            &[
                ("origin", "https://evil.example"),
                ("sec-fetch-site", "same-origin"),
            ],
            403,
        ),
        (&[("sec-fetch-site", "same-origin")], 303),
        (&[], 303),
    ] {
        assert_eq!(post(headers).await, status, "{headers:?}");
    }
}

#[tokio::test]
async fn a_name_that_was_pointed_here_is_refused_on_this_machine() {
    let app = TestApp::new();
    let get = async |app: &TestApp, from: &str, host: &str| {
        let call = app.get_of(host, "/signin").from(from);
        call.send().await.status.as_u16()
    };
    for (host, status) in [
        ("127.0.0.1:8080", 200),
        ("[::1]:8080", 200),
        ("localhost:8080", 200),
        ("keygate.localhost", 200),
        ("keygate", 200),
        ("evil.example:8080", 403),
        ("EVIL.example.", 403),
    ] {
        assert_eq!(get(&app, "127.0.0.1", host).await, status, "{host}");
        // Through a proxy that is trusted, or from another machine.
        assert_eq!(get(&app, "192.0.2.1", host).await, 200, "{host}");
    }
    let app = TestApp::with(Options::https());
    for (host, status) in [
        ("keys.example.com", 200),
        ("Keys.Example.COM:443", 200),
        ("evil.example", 403),
    ] {
        assert_eq!(get(&app, "::1", host).await, status, "{host}");
    }
}
