use crate::support::{Answer, Options, PASSWORD, TestApp, encoded};

async fn sign_in(app: &TestApp, password: &str, next: &str) -> Answer {
    let fields = [
        ("email", "ada@example.com"),
        ("password", password),
        ("next", next),
    ];
    app.post("/signin").form(&encoded(&fields)).send().await
}

#[tokio::test]
async fn who_was_signed_in_under_the_name_before_stays_so_and_leaves_it() {
    let app = TestApp::with(Options {
        installation: "0a1b2c3d",
        ..Options::default()
    });
    let cookie = app.account("ada@example.com").await;
    let (name, token) = cookie.split_once('=').expect("a pair");
    assert_eq!(name, "keygate_session_0a1b2c3d");
    let before = format!("keygate_session={token}");
    assert_eq!(
        app.get("/api/keys").cookie(&before).send().await.status,
        200
    );
    // Of two there is none, so whoever is given a new one no longer has the old one.
    let form = encoded(&[("email", "ada@example.com"), ("password", PASSWORD)]);
    let signed_in = app.post("/signin").cookie(&before).form(&form).send().await;
    let cookies = signed_in.cookies();
    assert!(
        cookies[0].starts_with("keygate_session_0a1b2c3d="),
        "{cookies:?}"
    );
    assert!(
        cookies.contains(&"keygate_session=".to_owned()),
        "{cookies:?}"
    );
}

#[tokio::test]
async fn signing_in_leads_to_the_keys_or_where_one_wanted_to_go() {
    let (app, _) = TestApp::signed_in().await;
    for (next, expected) in [
        ("", "/keys"),
        ("/account", "/account"),
        ("/keys/new?name=a", "/keys/new?name=a"),
        ("//evil.example", "/keys"),
        ("https://evil.example/", "/keys"),
        ("/\\evil.example", "/keys"),
        ("/\t/evil.example", "/keys"),
    ] {
        let answer = sign_in(&app, PASSWORD, next).await;
        assert_eq!(answer.status, 303, "{answer}");
        assert_eq!(answer.headers["location"], expected);
        let page = app.get("/keys").cookie(&answer.cookie()).send().await;
        assert_eq!(page.status, 200);
    }
}

#[tokio::test]
async fn a_wrong_password_keeps_the_address_but_not_the_password() {
    let (app, _) = TestApp::signed_in().await;
    let answer = sign_in(&app, "wrong horse battery staple", "/account").await;
    assert_eq!(answer.status, 401);
    assert!(answer.body.contains("E-mail address or password is wrong."));
    assert_eq!(answer.value("email"), "ada@example.com");
    assert_eq!(answer.value("next"), "/account");
    assert!(!answer.body.contains("wrong horse"));
}

#[tokio::test]
async fn a_page_asks_whoever_has_no_session_to_sign_in_and_come_back() {
    let app = TestApp::new();
    let asked = app.get("/keys?status=all").send().await;
    assert_eq!(asked.status, 303);
    assert_eq!(
        asked.headers["location"],
        "/signin?next=%2Fkeys%3Fstatus%3Dall"
    );
    let form = app.get("/signin?next=%2Fkeys%3Fstatus%3Dall").send().await;
    assert_eq!(form.value("next"), "/keys?status=all");
}

#[tokio::test]
async fn what_was_typed_outlives_the_session() {
    let (app, cookie) = TestApp::signed_in().await;
    app.delete("/api/session").cookie(&cookie).send().await;
    let name = "Ünï & <Co>\u{1f511}";
    let typed = [
        ("name", name),
        ("scopes", "chat"),
        ("scopes", "write"),
        ("expires", "30"),
        ("password", "secret words"),
    ];
    let asked = app.post("/keys/new").cookie(&cookie).form(&encoded(&typed));
    let asked = asked.send().await;
    assert_eq!(asked.status, 401);
    assert!(asked.body.contains("what you typed is kept"));
    assert!(!asked.body.contains("secret"));
    let answer = sign_in(&app, PASSWORD, &asked.value("next")).await;
    let next = answer.headers["location"].to_str().expect("ASCII");
    let form = app.get(next).cookie(&answer.cookie()).send().await;
    assert_eq!(form.value("name"), name);
    assert_eq!(form.checked(), ["chat", "write"]);
    assert!(form.body.contains(r#"value="30" selected"#), "{form}");
    assert!(!app.audited().await.contains(&"key.issue".to_owned()));
}

#[tokio::test]
async fn what_was_said_of_an_incident_is_kept_too_or_the_page_says_that_it_is_not() {
    let (app, cookie) = TestApp::signed_in().await;
    app.delete("/api/session").cookie(&cookie).send().await;
    let ask = async |message: &str| {
        let typed = [
            ("title", "Slow"),
            ("message", message),
            ("components", "storage"),
        ];
        let call = app.post("/admin/incidents/new").cookie(&cookie);
        call.form(&encoded(&typed)).send().await
    };
    let asked = ask("A disk\nis full.").await;
    assert!(asked.body.contains("what you typed is kept"), "{asked}");
    assert_eq!(
        asked.value("next"),
        "/admin/incidents/new?title=Slow&message=A+disk%0Ais+full.&components=storage"
    );
    for long in ["\u{1f511}".repeat(1_000), "x".repeat(17_000)] {
        let asked = ask(&long).await;
        assert!(asked.body.contains("too long to be kept"), "{asked}");
        assert_eq!(asked.value("next"), "/admin/incidents/new");
    }
}

#[tokio::test]
async fn nobody_is_led_to_a_notice_by_somebody_elses_link() {
    let (app, _) = TestApp::signed_in().await;
    let answer = sign_in(&app, PASSWORD, "/keys?done=revoked&status=all").await;
    assert_eq!(answer.headers["location"], "/keys?status=all");
}

#[tokio::test]
async fn signing_out_ends_the_session() {
    let (app, cookie) = TestApp::signed_in().await;
    let left = app.post("/signout").cookie(&cookie).form("").send().await;
    assert_eq!(left.headers["location"], "/signin?because=signed-out");
    assert!(left.cookies().contains(&"keygate_session=".to_owned()));
    let ended = app.get("/api/session").cookie(&cookie).send().await;
    assert_eq!(ended.summary(), r#"401 "session_expired" null"#);
    let again = app.post("/signout").cookie(&cookie).form("").send().await;
    assert_eq!(again.status, 303);
}

#[tokio::test]
async fn too_many_attempts_say_when_to_come_back() {
    let (app, _) = TestApp::signed_in().await;
    for _ in 0..10 {
        sign_in(&app, "wrong horse battery staple", "").await;
    }
    let refused = sign_in(&app, PASSWORD, "").await;
    assert_eq!(refused.status, 429);
    assert_eq!(refused.headers["retry-after"], "10");
    app.clock.advance_millis(-3_600_000);
    let refused = sign_in(&app, PASSWORD, "").await;
    assert_eq!(
        refused.headers["retry-after"], "10",
        "the clock was set back"
    );
}

#[tokio::test]
async fn a_browser_that_signed_in_before_is_not_shut_out_by_others_beside_it() {
    let (app, _) = TestApp::signed_in().await;
    let known = sign_in(&app, PASSWORD, "").await.cookies().remove(1);
    assert!(known.starts_with("keygate_browser="), "{known}");
    let attempt = async |cookie: &str, password| {
        let fields = [("email", "ada@example.com"), ("password", password)];
        let form = app.post("/signin").cookie(cookie).form(&encoded(&fields));
        form.send().await
    };
    for _ in 0..10 {
        attempt("", "wrong horse battery staple").await;
    }
    assert_eq!(attempt("", PASSWORD).await.status, 429);
    let planted = format!("keygate_browser={}", "a".repeat(43));
    assert_eq!(attempt(&planted, PASSWORD).await.status, 429);
    let signed_in = attempt(&known, PASSWORD).await;
    assert_eq!(signed_in.status, 303, "{signed_in}");
    assert_eq!(signed_in.cookies()[1], known, "it stays the same");
    // It has no more attempts than anybody else.
    for _ in 0..10 {
        assert_eq!(
            attempt(&known, "wrong horse battery staple").await.status,
            401
        );
    }
    assert_eq!(attempt(&known, PASSWORD).await.status, 429);
    // It opens nothing, and helps with no other account.
    assert_eq!(app.get("/keys").cookie(&known).send().await.status, 303);
}

#[tokio::test]
async fn before_there_is_an_account_the_page_says_how_to_make_it() {
    let app = TestApp::new();
    let hint = "There is no account yet.";
    assert!(app.get("/signin").send().await.body.contains(hint));
    app.account("ada@example.com").await;
    assert!(!app.get("/signin").send().await.body.contains(hint));
}
