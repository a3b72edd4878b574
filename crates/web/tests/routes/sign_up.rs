//! The page to which set-up links and invitations lead.

use crate::support::{PASSWORD, TestApp};

fn form(email: &str, password: &str, token: &str) -> String {
    let encode = |text: &str| text.replace(' ', "+").replace('@', "%40");
    format!(
        "token={token}&email={}&password={}",
        encode(email),
        encode(password)
    )
}

#[tokio::test]
async fn the_link_leads_to_a_form_that_makes_the_account() {
    let app = TestApp::new();
    let link = app.control.create_setup_link().await.expect("answers");
    let token = link.expect("there is no account yet");
    let page = app
        .get(&format!("/signup?token={}", token.expose()))
        .send()
        .await;
    assert!(page.body.contains(token.expose()));
    insta::assert_snapshot!(page.to_string().replace(token.expose(), "TOKEN"));
    let submit = async |password: &str| {
        let body = form("ada@example.com", password, token.expose());
        let call = app
            .post("/signup")
            .header("origin", "http://127.0.0.1:8080");
        let call = call.header("content-type", "application/x-www-form-urlencoded");
        call.body(body).send().await
    };
    let refused = submit("short").await;
    assert_eq!(refused.status, 400);
    insta::assert_snapshot!(refused.body.replace(token.expose(), "TOKEN"));
    let welcome = submit(PASSWORD).await;
    assert_eq!(welcome.status, 201);
    insta::assert_snapshot!(welcome.body);
    app.sign_in("ada@example.com").await;
}

#[tokio::test]
async fn what_is_typed_is_shown_as_text() {
    let app = TestApp::new();
    let page = app.get("/signup?token=%22%3E%3Cscript%3E").send().await;
    assert!(!page.body.contains("<script>"), "{}", page.body);
    let call = app
        .post("/signup")
        .header("content-type", "application/x-www-form-urlencoded");
    let page = call
        .body("email=%3Cscript%3E&password=x&token=x")
        .send()
        .await;
    assert_eq!(page.status, 403);
    assert!(!page.body.contains("<script>"), "{}", page.body);
}

#[tokio::test]
async fn another_page_cannot_send_the_form() {
    let app = TestApp::new();
    let call = app.post("/signup").header("sec-fetch-site", "cross-site");
    let call = call.header("content-type", "application/x-www-form-urlencoded");
    assert_eq!(
        call.body(form("a@b.example", PASSWORD, "x"))
            .send()
            .await
            .status,
        403
    );
}

#[tokio::test]
async fn what_is_no_form_is_refused() {
    let app = TestApp::new();
    let twice = app.get("/signup?token=a&token=b").send().await;
    assert!(twice.body.contains("<form"), "{twice}");
    let call = app
        .post("/signup")
        .header("content-type", "application/x-www-form-urlencoded");
    assert_eq!(call.body("x".repeat(20_000)).send().await.status, 413);
    for (content_type, body) in [
        ("text/plain", "x"),
        ("application/x-www-form-urlencoded", "%ff"),
    ] {
        let call = app.post("/signup").header("content-type", content_type);
        let answer = call.body(body).send().await;
        assert!(answer.status.is_client_error(), "{answer}");
    }
}
