//! Deny by default: what answers without a session is written down here.

use keygate_control::Signup;
use keygate_core::Role;
use keygate_web::{Access, Route, routes};

use crate::support::{Answer, Call, Options, TestApp};

const PUBLIC: [&str; 21] = [
    "GET /healthz",
    "GET /readyz",
    "GET /readyz/checks",
    "GET /openapi.json",
    "POST /api/accounts",
    "POST /api/session",
    "POST /api/account/password-reset",
    "GET /api/status",
    "GET /",
    "GET /assets/{file}",
    "GET /assets/logo",
    "GET /signup",
    "POST /signup",
    "GET /signin",
    "POST /signin",
    "POST /signout",
    "GET /reset-password",
    "POST /reset-password",
    "GET /docs",
    "GET /status",
    "GET /status/feed.atom",
];

fn path(route: &Route) -> String {
    let id = "0197593d-1c00-7000-8000-000000000000";
    let path = route.path.replace("{id}", id).replace("{update_id}", id);
    path.replace("{file}", "time.js")
}

/// The call as a script or a browser would make it.
fn call<'a>(app: &'a TestApp, route: &Route) -> Call<'a> {
    let call = app.call(route.method.as_str(), &path(route));
    match route.method.as_str() {
        "GET" | "DELETE" => call,
        _ if route.path.starts_with("/api/") => call.json("{}"),
        _ => call.form(""),
    }
}

/// Whether somebody was asked to sign in, instead of being answered.
fn is_denied(answer: &Answer) -> bool {
    let location = answer.headers.get("location");
    let location = location.and_then(|value| value.to_str().ok());
    answer.summary() == r#"401 "session_required" null"#
        || location.is_some_and(|to| to.starts_with("/signin?next="))
        || (answer.status == 401 && answer.body.contains("Your session has ended"))
}

#[tokio::test]
async fn what_answers_without_a_session_is_this_list() {
    let app = TestApp::new();
    let mut open = Vec::new();
    for route in routes() {
        let answer = call(&app, &route).send().await;
        assert_ne!(answer.status, 405, "{} {}", route.method, route.path);
        let is_private = route.access != Access::Public;
        assert_eq!(is_denied(&answer), is_private, "{} {answer}", route.path);
        if !is_private {
            open.push(format!("{} {}", route.method, route.path));
        }
    }
    assert_eq!(open, PUBLIC);
}

#[tokio::test]
async fn what_members_cannot_do_is_said_to_be_for_admins() {
    for route in routes() {
        let (app, cookie) = TestApp::signed_in().await;
        let answer = call(&app, &route).cookie(&cookie).send().await;
        let is_for_admins = matches!(route.access, Access::Admin | Access::AdminPage);
        let is_refused = answer.body.contains("Only admins may do this.");
        assert_eq!(is_refused, is_for_admins, "{} {answer}", route.path);
        assert_eq!(
            route.path.contains("/admin/"),
            is_for_admins,
            "{}",
            route.path
        );
    }
}

#[tokio::test]
async fn nothing_is_to_be_kept_but_assets_and_the_status() {
    for route in routes() {
        let (app, cookie) = TestApp::signed_in().await;
        let answer = call(&app, &route).cookie(&cookie).send().await;
        let cache = answer.headers["cache-control"].to_str().expect("ASCII");
        let expected = match route.path {
            "/assets/{file}" => "no-cache",
            "/status/feed.atom" => "private, max-age=15",
            "/status" | "/api/status" => "public, max-age=15",
            _ => "no-store",
        };
        assert_eq!(cache, expected, "{} {}", route.method, route.path);
    }
}

/// What another account has, and ids of nothing: a key, an account, a session, a link, an incident.
async fn ids_of(app: &TestApp, cookie: &str) -> Vec<String> {
    let key = app.key(cookie, r#"{"name":"foreign secret"}"#).await;
    let sessions = app.get("/api/account/sessions").cookie(cookie).send().await;
    let account = app.get("/api/session").cookie(cookie).send().await;
    let links = app.get("/api/admin/links").cookie(cookie).send().await;
    let ids = [
        &key["id"],
        &sessions.json()[0]["id"],
        &account.json()["id"],
        &links.json()["data"][0]["id"],
    ];
    let text = |id: &serde_json::Value| id.as_str().expect("an id").to_owned();
    ids.map(text).to_vec()
}

#[tokio::test]
async fn what_another_account_has_is_answered_like_nothing_at_all() {
    const NOTHING: &str = "0197593d-1c00-7000-8000-000000000000";
    const BODIES: [&str; 4] = [
        "{}",
        r#"{"name":"mine now"}"#,
        r#"{"is_active":false}"#,
        r#"{"scopes":["read"]}"#,
    ];
    let app = TestApp::with(Options {
        signup: Signup::Invite,
        ..Options::default()
    });
    let ada = app.account_as("ada@example.com", Role::Admin).await;
    let made = app.post("/api/admin/invitations").cookie(&ada).send().await;
    assert_eq!(made.status, 201, "{made}");
    let ids = ids_of(&app, &ada).await;
    let mallory = app.account("mallory@example.com").await;
    let before = app.audited().await;
    let mut calls = 0;
    for route in routes().iter().filter(|route| route.path.contains("{id}")) {
        for method in ["GET", "POST", "PUT", "PATCH", "DELETE"] {
            for body in BODIES {
                let answer = async |id: &str| {
                    let path = route.path.replace("{id}", id).replace("{update_id}", id);
                    let call = app.call(method, &path).cookie(&mallory);
                    let call = match method {
                        "GET" => call,
                        _ if path.starts_with("/api/") => call.json(body),
                        _ => call.form("do=revoke&confirm=yes&name=mine+now"),
                    };
                    let answer = call.send().await;
                    (answer.status, answer.body.replace(id, "ID"))
                };
                let nothing = answer(NOTHING).await;
                for id in &ids {
                    let foreign = answer(id).await;
                    assert_eq!(foreign, nothing, "{method} {} {body}", route.path);
                    calls += 1;
                }
            }
        }
    }
    assert!(calls > 500, "{calls}");
    assert_eq!(app.audited().await, before, "nothing was changed");
    assert_eq!(
        app.get("/api/session").cookie(&ada).send().await.status,
        200
    );
}

#[test]
fn every_route_stands_in_the_documentation() {
    let api = include_str!("../../../../docs/api.md");
    let dashboard = include_str!("../../../../docs/dashboard.md");
    for route in routes() {
        let call = format!("`{} {}`", route.method, route.path);
        assert!(api.contains(&call) || dashboard.contains(&call), "{call}");
    }
}
