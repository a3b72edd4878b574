use crate::support::{Answer, PASSWORD, TestApp, encoded};

async fn change(app: &TestApp, cookie: &str, fields: &[(&str, &str)]) -> Answer {
    let call = app.post("/account").cookie(cookie).form(&encoded(fields));
    call.send().await
}

#[tokio::test]
async fn the_password_is_changed_by_whoever_knows_the_present_one() {
    let (app, cookie) = TestApp::signed_in().await;
    let new = "a wholly different set of words";
    let with = |current| {
        [
            ("do", "password"),
            ("current_password", current),
            ("password", new),
        ]
    };
    let wrong = change(&app, &cookie, &with("wrong horse battery staple")).await;
    assert_eq!(wrong.status, 400);
    assert_eq!(
        wrong.error("current_password"),
        "Is not the account's password."
    );
    let done = change(&app, &cookie, &with(PASSWORD)).await;
    assert_eq!(done.headers["location"], "/account?done=password");
    assert_eq!(app.get("/account").cookie(&cookie).send().await.status, 303);
    let page = app.get("/account").cookie(&done.cookie()).send().await;
    assert_eq!(page.status, 200);
}

#[tokio::test]
async fn other_sessions_are_ended_one_by_one_or_all() {
    let (app, cookie) = TestApp::signed_in().await;
    let (one, two) = (
        app.sign_in("ada@example.com").await,
        app.sign_in("ada@example.com").await,
    );
    let page = app.get("/account").cookie(&cookie).send().await;
    let session = page.value("session");
    let ended = change(&app, &cookie, &[("do", "end"), ("session", &session)]).await;
    assert_eq!(ended.headers["location"], "/account?done=ended", "{ended}");
    let live = async |cookie: &str| app.get("/account").cookie(cookie).send().await.status == 200;
    assert!(live(&one).await ^ live(&two).await);
    let unknown = change(&app, &cookie, &[("do", "end"), ("session", &session)]).await;
    assert_eq!(unknown.status, 404);
    change(&app, &cookie, &[("do", "end-others")]).await;
    assert!(!live(&one).await && !live(&two).await && live(&cookie).await);
}
