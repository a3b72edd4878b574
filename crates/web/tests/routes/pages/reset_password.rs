use keygate_control::Actor;

use crate::support::{Answer, TestApp, encoded};

const NEW: &str = "a wholly different set of words";

async fn reset(app: &TestApp, token: &str, password: &str) -> Answer {
    let fields = [("token", token), ("password", password)];
    let call = app.post("/reset-password").form(&encoded(&fields));
    call.send().await
}

#[tokio::test]
async fn the_link_leads_to_a_form_that_sets_the_password_and_signs_in() {
    let (app, cookie) = TestApp::signed_in().await;
    let ada = app.control.get_account("ada@example.com").await;
    let made = app
        .control
        .create_password_reset(Actor::Operator, ada.expect("there").id);
    let token = made.await.expect("made").token;
    let form = app.get(&format!("/reset-password?token={}", token.expose()));
    let form = form.send().await;
    assert!(
        form.body.contains("<strong>ada@example.com</strong>"),
        "{form}"
    );
    let weak = reset(&app, token.expose(), "password1234").await;
    assert_eq!(weak.status, 400);
    assert_eq!(weak.value("token"), token.expose());
    assert!(!weak.error("password").is_empty());
    let done = reset(&app, token.expose(), NEW).await;
    assert_eq!(done.headers["location"], "/account?done=password", "{done}");
    let ended = app.get("/keys").cookie(&cookie).send().await;
    assert_eq!(ended.status, 303, "the old session is over");
    let page = app.get("/account").cookie(&done.cookie()).send().await;
    assert_eq!(page.status, 200);
    let again = reset(&app, token.expose(), NEW).await;
    assert_eq!(again.status, 400);
    assert!(again.body.contains("The link is not valid"), "{again}");
}
