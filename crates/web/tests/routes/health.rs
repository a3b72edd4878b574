use keygate_storage::Concern;
use keygate_storage_sqlite::testing::raise_concern;

use crate::support::TestApp;

#[tokio::test]
async fn a_running_program_is_alive_and_ready() {
    let app = TestApp::new();
    insta::assert_snapshot!(app.get("/healthz").send().await);
    insta::assert_snapshot!(app.get("/readyz").send().await);
    assert_eq!(app.get("/readyz/checks").send().await.status, 200);
}

#[tokio::test]
async fn concerns_are_shown_to_who_asks_whether_it_is_ready() {
    let app = TestApp::new();
    let concern = Concern::warning("clock_skew", "2 s apart. Have it set by NTP.");
    raise_concern(&app.store, concern);
    insta::assert_snapshot!(app.get("/readyz").send().await);
}

#[tokio::test]
async fn without_its_store_it_is_alive_but_not_ready() {
    let app = TestApp::new();
    app.close_store().await;
    assert_eq!(app.get("/healthz").send().await.status, 200);
    insta::assert_snapshot!(app.get("/readyz").send().await);
    assert_eq!(app.get("/readyz/checks").send().await.status, 503);
}

#[tokio::test]
async fn while_it_shuts_down_it_is_alive_but_not_ready() {
    let app = TestApp::new();
    app.state.begin_draining();
    assert_eq!(app.get("/healthz").send().await.status, 200);
    insta::assert_snapshot!(app.get("/readyz").send().await);
    assert_eq!(app.get("/readyz/checks").send().await.status, 503);
}
