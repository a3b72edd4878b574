//! The page to which set-up links and invitations lead.

use keygate_control::Signup;

use crate::support::{Answer, Options, PASSWORD, TestApp, encoded};

/// The name of the field that has the focus at first.
fn focused(page: &Answer) -> &str {
    let (before, _) = page.body.split_once(" autofocus").expect("a field has it");
    let tag = before.rsplit("<input").next().expect("its tag");
    let name = tag
        .split_once("name=\"")
        .and_then(|(_, name)| name.split_once('"'));
    name.expect("a name").0
}

#[tokio::test]
async fn the_focus_is_where_something_is_to_be_typed() {
    let app = TestApp::with(Options {
        signup: Signup::Open,
        ..Options::default()
    });
    app.account("ada@example.com").await;
    assert_eq!(focused(&app.get("/signup").send().await), "email");
    for (email, password, expected) in [
        ("nobody", PASSWORD, "email"),
        ("ada@example.com", PASSWORD, "email"),
        ("bob@example.com", "short", "password"),
    ] {
        let fields = [("email", email), ("password", password)];
        let page = app.post("/signup").form(&encoded(&fields)).send().await;
        assert_eq!(focused(&page), expected, "{page}");
    }
}

#[tokio::test]
async fn the_link_leads_to_a_form_that_makes_the_account_and_signs_in() {
    let app = TestApp::new();
    let link = app.control.create_setup_link().await.expect("answers");
    let token = link.expect("there is no account yet");
    let page = app.get(&format!("/signup?token={}", token.expose()));
    let page = page.send().await;
    assert_eq!(page.value("token"), token.expose());
    assert!(page.body.contains("You will be the admin."), "{page}");
    let submit = async |password: &str| {
        let fields = [
            ("token", token.expose()),
            ("email", "ada@example.com"),
            ("password", password),
        ];
        let call = app
            .post("/signup")
            .header("origin", "http://127.0.0.1:8080");
        call.form(&encoded(&fields)).send().await
    };
    let refused = submit("short").await;
    assert_eq!(refused.status, 400);
    assert_eq!(refused.value("email"), "ada@example.com");
    assert_eq!(refused.error("password"), "Must have 12 to 256 characters.");
    assert_eq!(focused(&refused), "password");
    let made = submit(PASSWORD).await;
    assert_eq!(made.headers["location"], "/keys?done=welcome", "{made}");
    // Sent twice, it helps to go on.
    let again = submit(PASSWORD).await;
    assert_eq!(again.status, 403);
    assert!(again.body.contains("sign in; otherwise ask"), "{again}");
    let sign_in = "href=\"/signin?email=ada%40example.com\"";
    assert!(again.body.contains(sign_in), "{again}");
    assert!(!again.body.contains("<form"), "{again}");
    let page = app.get("/signin?email=ada%40example.com").send().await;
    assert_eq!(page.value("email"), "ada@example.com");
    let session = app.get("/api/session").cookie(&made.cookie()).send().await;
    assert_eq!(session.json()["role"], "admin");
}

#[tokio::test]
async fn what_is_typed_is_shown_as_text() {
    let app = TestApp::new();
    let page = app.get("/signup?token=%22%3E%3Cscript%3E").send().await;
    assert!(!page.body.contains("<script>"), "{}", page.body);
    let fields = [("email", "<script>"), ("password", "x"), ("token", "x")];
    let page = app.post("/signup").form(&encoded(&fields)).send().await;
    assert_eq!(page.status, 403);
    assert!(!page.body.contains("<script>"), "{}", page.body);
}

#[tokio::test]
async fn what_is_typed_under_an_unknown_name_is_kept_and_the_name_to_set_is_said() {
    let app = TestApp::new();
    let fields = [("email", "ada@example.com"), ("token", "from-the-link")];
    let submit = async |path: &str, origin: &str| {
        let call = app.post(path).host("gpubox:8080");
        let call = call.header("origin", origin).header("accept", "text/html");
        call.form(&encoded(&fields)).send().await
    };
    for path in ["/signup", "/signin"] {
        let page = submit(path, "http://gpubox:8080").await;
        assert_eq!(page.status, 403);
        assert_eq!(page.value("email"), "ada@example.com", "{path}");
        assert!(
            page.body.contains("--public-url http://gpubox:8080"),
            "{page}"
        );
    }
    let page = submit("/signup", "http://gpubox:8080").await;
    assert_eq!(page.value("token"), "from-the-link");
    let foreign = submit("/signup", "http://evil.example:8080").await;
    assert_eq!(foreign.status, 403);
    assert!(!foreign.body.contains("ada@example.com"), "{foreign}");
}

#[tokio::test]
async fn what_is_no_form_is_refused() {
    let app = TestApp::new();
    let long = app.post("/signup").form(&"x".repeat(140_000)).send().await;
    assert_eq!(long.status, 413);
    let other = app.post("/signup").header("content-type", "text/plain");
    assert_eq!(other.body("x").send().await.status, 415);
    let odd = app.post("/signup").form("%ff").send().await;
    assert!(odd.status.is_client_error(), "{odd}");
}

#[tokio::test]
async fn whoever_signs_up_is_signed_in_however_often_others_tried() {
    let app = TestApp::new();
    for _ in 0..10 {
        let body = r#"{"email":"ada@example.com","password":"wrong horse battery staple"}"#;
        app.post("/api/session").json(body).send().await;
    }
    let link = app.control.create_setup_link().await.expect("answers");
    let token = link.expect("there is no account yet");
    let fields = [
        ("token", token.expose()),
        ("email", "ada@example.com"),
        ("password", PASSWORD),
    ];
    let made = app.post("/signup").form(&encoded(&fields)).send().await;
    assert_eq!(made.headers["location"], "/keys?done=welcome", "{made}");
    let page = app.get("/keys").cookie(&made.cookie()).send().await;
    assert_eq!(page.status, 200);
}
