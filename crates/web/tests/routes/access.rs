//! Deny by default: what answers without a session is written down here.

use keygate_web::{Access, routes};

use crate::support::TestApp;

const PUBLIC: [&str; 8] = [
    "GET /healthz",
    "GET /readyz",
    "GET /assets/keygate.css",
    "GET /signup",
    "POST /signup",
    "POST /api/accounts",
    "POST /api/session",
    "POST /api/account/password-reset",
];

#[tokio::test]
async fn what_answers_without_a_session_is_this_list() {
    let app = TestApp::new();
    let mut open = Vec::new();
    for route in routes() {
        let path = route
            .path
            .replace("{id}", "0197593d-1c00-7000-8000-000000000000");
        let call = app.call(route.method.as_str(), &path);
        let answer = match route.method.as_str() {
            "GET" | "DELETE" => call.send().await,
            _ => call.json("{}").send().await,
        };
        assert_ne!(answer.status, 405, "{} {}", route.method, route.path);
        let denied = answer.summary() == r#"401 "session_required" null"#;
        assert_eq!(
            denied,
            route.access == Access::Session,
            "{} {path}",
            route.method
        );
        if !denied {
            open.push(format!("{} {}", route.method, route.path));
        }
    }
    assert_eq!(open, PUBLIC);
}

#[tokio::test]
async fn nothing_is_to_be_kept_but_the_stylesheet() {
    for route in routes() {
        let (app, cookie) = TestApp::signed_in().await;
        let path = route
            .path
            .replace("{id}", "0197593d-1c00-7000-8000-000000000000");
        let call = app.call(route.method.as_str(), &path).cookie(&cookie);
        let answer = call.json("{}").send().await;
        assert_ne!(answer.status, 401, "{} {path}", route.method);
        let cache = answer.headers["cache-control"].to_str().expect("ASCII");
        let expected = if path.starts_with("/assets/") {
            "public, max-age=3600"
        } else {
            "no-store"
        };
        assert_eq!(cache, expected, "{} {path}", route.method);
    }
}

#[test]
fn every_route_stands_in_the_documentation() {
    let documentation = include_str!("../../../../docs/api.md");
    for route in routes() {
        let call = format!("`{} {}`", route.method, route.path);
        assert!(documentation.contains(&call), "{call}");
    }
}
