//! What holds for every call of the management API.

use keygate_core::Role;
use keygate_web::routes;

use crate::support::{Options, TestApp};

/// Every route that changes something, of the API and of the pages.
fn writes() -> Vec<(String, String)> {
    let writes = routes().into_iter().filter(|route| route.method != "GET");
    let writes = writes.map(|route| {
        let path = route
            .path
            .replace("{id}", "0197593d-1c00-7000-8000-000000000000");
        (route.method.to_string(), path)
    });
    writes.collect()
}

#[tokio::test]
async fn writes_that_another_page_began_are_refused() {
    let (app, cookie) = TestApp::signed_in().await;
    let before = app.audited().await;
    let writes = writes();
    assert!(writes.len() >= 8);
    for (method, path) in &writes {
        for origin in [
            "https://evil.example",
            "null",
            "http://sub.127.0.0.1:8080",
            "http://127.0.0.1:8081",
            "https://127.0.0.1:8080",
            "http://127.0.0.1",
            "",
        ] {
            let call = app
                .call(method, path)
                .cookie(&cookie)
                .header("origin", origin);
            let answer = call.json(r#"{"name":"a"}"#).send().await;
            assert_eq!(
                answer.summary(),
                r#"403 "origin_not_allowed" null"#,
                "{origin}"
            );
        }
        for site in ["cross-site", "same-site", "weird"] {
            let call = app
                .call(method, path)
                .cookie(&cookie)
                .header("sec-fetch-site", site);
            let answer = call.json(r#"{"name":"a"}"#).send().await;
            assert_eq!(
                answer.summary(),
                r#"403 "cross_origin_request" null"#,
                "{site}"
            );
        }
    }
    assert_eq!(app.audited().await, before);
    let answer = app
        .post("/api/keys")
        .header("origin", "null")
        .json("{}")
        .send()
        .await;
    insta::assert_snapshot!(answer);
    let answer = app
        .post("/api/keys")
        .header("sec-fetch-site", "same-site")
        .json("{}")
        .send()
        .await;
    insta::assert_snapshot!(answer);
}

#[tokio::test]
async fn writes_of_our_own_pages_and_of_scripts_pass() {
    let (app, cookie) = TestApp::signed_in().await;
    for headers in [
        &[] as &[(&str, &str)],
        &[("origin", "http://127.0.0.1:8080")],
        &[
            ("origin", "http://127.0.0.1:8080"),
            ("sec-fetch-site", "same-origin"),
        ],
        &[("sec-fetch-site", "none")],
    ] {
        let mut call = app.post("/api/keys").cookie(&cookie);
        for (name, value) in headers {
            call = call.header(name, value);
        }
        let answer = call.json(r#"{"name":"a"}"#).send().await;
        assert_eq!(answer.status, 201, "{headers:?} {answer}");
    }
}

#[tokio::test]
async fn a_configured_address_is_the_only_one() {
    let app = TestApp::with(Options::https());
    let cookie = app.account("ada@example.com").await;
    for (origin, status) in [
        ("https://keys.example.com", 201),
        ("http://127.0.0.1:8080", 403),
        ("http://keys.example.com", 403),
        ("https://keys.example.com:8443", 403),
    ] {
        let call = app
            .post("/api/keys")
            .cookie(&cookie)
            .header("origin", origin);
        let answer = call.json(r#"{"name":"a"}"#).send().await;
        assert_eq!(answer.status, status, "{origin}");
    }
}

#[tokio::test]
async fn a_body_must_be_json() {
    let (app, cookie) = TestApp::signed_in().await;
    for content_type in [
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "application/json; charset=utf-16",
    ] {
        let call = app.post("/api/keys").cookie(&cookie);
        let call = call.header("content-type", content_type);
        let answer = call.body(r#"{"name":"a"}"#).send().await;
        assert_eq!(
            answer.summary(),
            r#"415 "unsupported_media_type" null"#,
            "{content_type}"
        );
    }
    let untyped = app
        .post("/api/keys")
        .cookie(&cookie)
        .body(r#"{"name":"a"}"#);
    insta::assert_snapshot!(untyped.send().await);
    let call = app
        .post("/api/keys")
        .cookie(&cookie)
        .header("content-encoding", "gzip");
    assert_eq!(call.json("\x1f\u{8b}").send().await.status, 415);
    let twice = app
        .post("/api/keys")
        .cookie(&cookie)
        .header("content-type", "text/plain");
    assert_eq!(twice.json(r#"{"name":"a"}"#).send().await.status, 415);
}

#[tokio::test]
async fn a_body_must_be_one_object_in_utf8() {
    let (app, cookie) = TestApp::signed_in().await;
    let deep = format!(r#"{{"name":{}"a"{}}}"#, "[".repeat(129), "]".repeat(129));
    let utf16: Vec<u8> = r#"{"name":"a"}"#.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let bodies: [&[u8]; 14] = [
        b"",
        b" ",
        b"null",
        b"[]",
        b"\"name\"",
        b"1",
        b"{",
        b"{\"name\":\"a\"}{}",
        b"{\"name\":\"a\",}",
        b"{'name':'a'}",
        b"\xef\xbb\xbf{\"name\":\"a\"}",
        b"{\"name\":\"\xff\xfe\"}",
        &utf16,
        deep.as_bytes(),
    ];
    for body in bodies {
        let call = app.post("/api/keys").cookie(&cookie);
        let call = call.header("content-type", "application/json");
        let answer = call.body(body).send().await;
        assert_eq!(
            answer.summary(),
            r#"400 "invalid_request" null"#,
            "{body:?}"
        );
    }
    let empty = app.post("/api/keys").cookie(&cookie);
    insta::assert_snapshot!(empty.send().await);
}

/// HTTP/2 sends bodies without saying how long they are.
#[tokio::test]
async fn a_body_of_unknown_length_must_be_json_too() {
    let (app, cookie) = TestApp::signed_in().await;
    let call = || app.post("/api/keys").cookie(&cookie);
    let untyped = call().stream(r#"{"name":"a"}"#).send().await;
    assert_eq!(untyped.summary(), r#"415 "unsupported_media_type" null"#);
    let typed = call().header("content-type", "application/json");
    let typed = typed.stream(r#"{"name":"a"}"#).send().await;
    assert_eq!(typed.status, 201);
    let long = call().header("content-type", "application/json");
    let long = long.stream(&"x".repeat(128 * 1024 + 1)).send().await;
    assert_eq!(long.summary(), r#"413 "body_too_large" null"#);
}

/// Some clients send one, and none, in pieces whose number they do not say.
#[tokio::test]
async fn a_body_without_anything_in_it_is_none() {
    let (app, cookie) = TestApp::signed_in().await;
    let call = || app.delete("/api/account/sessions").cookie(&cookie);
    for content_type in ["text/plain", "application/json"] {
        let empty = call().header("content-type", content_type);
        assert_eq!(empty.stream("").send().await.status, 204, "{content_type}");
    }
    assert_eq!(call().stream("").send().await.status, 204);
    assert_eq!(call().json("{}").send().await.status, 204);
    let not_empty = call().stream("{}").send().await;
    assert_eq!(not_empty.status, 415);
    let with_fields = app.post("/api/keys").cookie(&cookie).stream("");
    assert_eq!(
        with_fields.send().await.summary(),
        r#"400 "invalid_request" null"#
    );
}

#[tokio::test]
async fn a_field_that_a_call_does_not_have_is_named_and_nothing_is_changed() {
    let (app, cookie) = TestApp::signed_in().await;
    let admin = app.account_as("admin@example.com", Role::Admin).await;
    let before = app.audited().await;
    for (method, path) in writes() {
        if !path.starts_with("/api/") {
            continue;
        }
        let cookie = if path.starts_with("/api/admin/") {
            &admin
        } else {
            &cookie
        };
        let call = app.call(&method, &path).cookie(cookie);
        let answer = call.json(r#"{"surprise":1}"#).send().await;
        let expected = r#"400 "unknown_parameter" "surprise""#;
        assert_eq!(answer.summary(), expected, "{method} {path}");
    }
    assert_eq!(app.audited().await, before);
}

#[tokio::test]
async fn a_body_has_at_most_128_kib() {
    let (app, cookie) = TestApp::signed_in().await;
    let body = r#"{"name":"a"}"#;
    let padded = |size: usize| body.to_owned() + &" ".repeat(size - body.len());
    for (size, status) in [(128 * 1024, 201), (128 * 1024 + 1, 413)] {
        let call = app.post("/api/keys").cookie(&cookie);
        let answer = call.json(&padded(size)).send().await;
        assert_eq!(answer.status, status, "{size} bytes");
    }
    let many = format!(
        r#"{{"name":"a","scopes":[{}]}}"#,
        vec![r#""chat""#; 20_000].join(",")
    );
    let call = app.post("/api/keys").cookie(&cookie);
    insta::assert_snapshot!(call.json(&many).send().await);
}

#[tokio::test]
async fn a_path_that_does_not_exist_is_not_found() {
    let (app, cookie) = TestApp::signed_in().await;
    for path in [
        "/api",
        "/api/",
        "/api/nothing",
        "/api/keys/",
        "/api/keys/a/b",
        "/.env",
    ] {
        let answer = app.get(path).cookie(&cookie).send().await;
        assert_eq!(answer.status, 404, "{path} {answer}");
    }
    insta::assert_snapshot!(app.get("/api/nothing").send().await);
}

#[tokio::test]
async fn a_method_that_a_path_does_not_take_is_not_allowed() {
    let (app, cookie) = TestApp::signed_in().await;
    for (method, path, allowed) in [
        ("PUT", "/api/keys", "GET,HEAD,POST"),
        ("DELETE", "/api/keys", "GET,HEAD,POST"),
        ("POST", "/api/keys/x", "DELETE,GET,HEAD,PATCH"),
        ("PATCH", "/api/session", "DELETE,GET,HEAD,POST"),
        ("POST", "/healthz", "GET,HEAD"),
    ] {
        let answer = app.call(method, path).cookie(&cookie).send().await;
        assert_eq!(answer.summary(), r#"405 "method_not_allowed" null"#);
        let header = answer.headers["allow"].to_str().expect("ASCII");
        let mut methods: Vec<_> = header.split(',').collect();
        methods.sort_unstable();
        assert_eq!(methods.join(","), allowed, "{method} {path}");
    }
    insta::assert_snapshot!(app.call("PUT", "/api/keys").send().await.body);
}
