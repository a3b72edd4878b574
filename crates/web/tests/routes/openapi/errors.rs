//! Every error that the document lists happens, and no other does.

use keygate_control::{Actor, Signup};
use serde_json::{Value, json};

use super::{
    operation::{Operation, document, operations},
    schema::{assert_conforms, resolve},
    world::{ADMIN, UNKNOWN_ID, World, example_body},
};
use crate::support::{Answer, TestApp};

/// Errors that need a meeting of calls which a test cannot arrange: four passwords being checked at the
/// moment of a fifth, and a password that changes while another call changes it.
const BY_CHANCE: [(&str, &str); 5] = [
    ("createAccount", "overloaded"),
    ("signIn", "overloaded"),
    ("changePassword", "overloaded"),
    ("changePassword", "invalid_credentials"),
    ("resetPassword", "overloaded"),
];

/// Errors of what stands before all handlers. A refusal changes nothing, so that one world will do.
const REFUSALS: [&str; 13] = [
    "session_required",
    "session_expired",
    "admin_required",
    "origin_not_allowed",
    "cross_origin_request",
    "unsupported_media_type",
    "request_timeout",
    "body_too_large",
    "missing_parameter",
    "invalid_parameter",
    "unknown_parameter",
    "key_not_found",
    "not_found",
];

#[tokio::test]
async fn what_a_call_is_refused_with_is_in_the_document() {
    for operation in operations() {
        let listed = operation.errors();
        let world = World::of(&operation).await;
        let is_listed = |code: &str| listed.iter().any(|(_, listed)| listed == code);
        for code in REFUSALS.into_iter().filter(|code| is_listed(code)) {
            let answer = refuse(&world, &operation, code).await;
            assert_is(&answer, code, &operation);
        }
        for code in REFUSALS.into_iter().filter(|code| !is_listed(code)) {
            let answer = refuse(&world, &operation, code).await;
            if answer.status != operation.success().0 {
                let found = (answer.status.as_u16(), code_of(&answer));
                assert!(listed.contains(&found), "{operation}, {code}: {answer}");
            }
        }
    }
}

#[tokio::test]
async fn every_other_error_of_the_document_happens() {
    for operation in operations() {
        for (_, code) in operation.errors() {
            let is_by_chance = BY_CHANCE.contains(&(operation.name(), &code));
            if !REFUSALS.contains(&&*code) && !is_by_chance {
                let answer = provoke(&operation, &code).await;
                assert_is(&answer, &code, &operation);
            }
        }
    }
}

#[tokio::test]
async fn the_error_that_is_shown_is_what_is_answered() {
    let document = document();
    let example = &document["components"]["schemas"]["Error"]["examples"][0];
    let (app, cookie) = TestApp::signed_in().await;
    let call = app.post("/api/keys").cookie(&cookie);
    let answer = call.json(r#"{"name":" "}"#).send().await;
    assert_eq!(answer.status, 400);
    assert_eq!(answer.body, example.to_string());
}

/// The answer is the error with this code, as the document describes it.
fn assert_is(answer: &Answer, code: &str, operation: &Operation) {
    let found = (answer.status.as_u16(), code_of(answer));
    assert_eq!(found.1, code, "{operation}: {answer}");
    assert!(operation.errors().contains(&found), "{operation}: {answer}");
    let document = document();
    let response = &operation.value["responses"][answer.status.as_str()];
    let schema = &response["content"]["application/json"]["schema"];
    let place = format!("{operation} {code}");
    assert_eq!(
        resolve(&document, schema),
        &document["components"]["schemas"]["Error"],
        "{place}"
    );
    assert_conforms(&document, schema, &answer.json(), &place);
    let waits = ["rate_limit_exceeded", "overloaded"].contains(&code);
    let says_so = response["headers"].get("Retry-After").is_some();
    if waits && operation.path.starts_with("/api/") {
        assert!(
            says_so && answer.headers.contains_key("retry-after"),
            "{place}"
        );
    }
}

fn code_of(answer: &Answer) -> String {
    let body: Value = serde_json::from_str(&answer.body).unwrap_or_default();
    body["error"]["code"]
        .as_str()
        .unwrap_or_default()
        .to_owned()
}

/// Makes a call that is to be refused with this code, if the call can be.
async fn refuse(world: &World, operation: &Operation, code: &str) -> Answer {
    let path = world.path(operation).await;
    let call = |path: &str| world.call(operation, path);
    let app = &world.app;
    let surprise = format!("{path}?surprise=1");
    match code {
        "session_required" => app.call(&operation.method, &path).send().await,
        "session_expired" => {
            let call = app.call(&operation.method, &path);
            call.cookie("keygate_session=over").send().await
        }
        "admin_required" => {
            let call = app.call(&operation.method, &path);
            call.cookie(&world.owner.cookie).send().await
        }
        "origin_not_allowed" => {
            call(&path)
                .header("origin", "https://evil.example")
                .send()
                .await
        }
        "cross_origin_request" => {
            call(&path)
                .header("sec-fetch-site", "same-site")
                .send()
                .await
        }
        "unsupported_media_type" => {
            let call = call(&path).header("content-type", "text/plain");
            call.body("name=a").send().await
        }
        "request_timeout" => {
            let call = call(&path).header("content-type", "application/json");
            call.stalled("{").send().await
        }
        "body_too_large" => call(&path).json(&" ".repeat(128 * 1024 + 1)).send().await,
        "missing_parameter" => call(&path).json("{}").send().await,
        "invalid_parameter" => match (operation.fields().first(), operation.query_names().next()) {
            (Some(field), _) => {
                let body = json!({field: 1});
                call(&path).json(&body.to_string()).send().await
            }
            (None, None) if operation.method != "GET" => {
                call(&path).json(r#"{"a":1,"a":2}"#).send().await
            }
            (None, Some(name)) => call(&format!("{path}?{name}=a&{name}=b")).send().await,
            (None, None) => call(&surprise).send().await,
        },
        "unknown_parameter" if operation.method != "GET" => {
            call(&path).json(r#"{"surprise":1}"#).send().await
        }
        "unknown_parameter" => call(&surprise).send().await,
        "key_not_found" | "not_found" => {
            let path = operation.path.replace("{id}", UNKNOWN_ID);
            let path = world.fill_update_id(&path);
            let body = example_body(operation);
            match body {
                Value::Null => call(&path).send().await,
                body => call(&path).json(&body.to_string()).send().await,
            }
        }
        _ => panic!("{code} needs a world of its own"),
    }
}

/// Makes a world in which a call is answered with this code, and makes the call.
async fn provoke(operation: &Operation, code: &str) -> Answer {
    let signup = match (operation.name(), code) {
        ("createInvitation", "signup_closed") => Signup::Closed,
        _ => Signup::Invite,
    };
    let mut world = World::with_signup(operation, signup).await;
    match (operation.name(), code) {
        ("suspendAccount", "invalid_request") => {
            let own = world.account_id(ADMIN).await;
            let path = operation.path.replace("{id}", &own);
            world.call(operation, &path).send().await
        }
        (_, "invalid_request") => {
            let path = world.path(operation).await;
            world.call(operation, &path).json("[]").send().await
        }
        ("isReady" | "isReadyForChecks", "overloaded") => {
            world.app.state.begin_draining();
            world.send(operation, "").await
        }
        (_, "internal_error" | "storage_unavailable") => {
            let path = world.path(operation).await;
            let body = world.body(operation).await;
            if code == "internal_error" {
                world.app.take_sessions_away();
            } else {
                world.app.close_store().await;
            }
            let call = world.call(operation, &path);
            match body {
                Value::Null => call.send().await,
                body => call.json(&body.to_string()).send().await,
            }
        }
        ("signIn" | "createAccount" | "resetPassword", "rate_limit_exceeded") => {
            wrong_until_refused(&world, operation).await
        }
        (_, "rate_limit_exceeded") => {
            use_up_changes(&world).await;
            world.send(operation, "").await
        }
        (_, "invalid_credentials") => with_wrong(&world, operation, "password").await,
        (_, "account_suspended") => {
            let owner = world.app.control.get_account(&world.owner.email).await;
            let owner = owner.expect("it is there").id;
            let suspended = world.app.control.suspend_account(Actor::Operator, owner);
            suspended.await.expect("suspended");
            world.send(operation, "").await
        }
        ("createAccount", "signup_closed") => with_wrong(&world, operation, "invitation").await,
        (_, "signup_closed") => world.send(operation, "").await,
        ("createInvitation", "email_taken") => {
            let body = example_body(operation);
            world
                .app
                .account(body["email"].as_str().expect("text"))
                .await;
            world.send(operation, "").await
        }
        (_, "email_taken") => {
            world.make_owner().await;
            world.send(operation, "").await
        }
        ("createKey", "key_limit_reached") => {
            fill(&world, 9).await;
            world.send(operation, "").await
        }
        ("updateKey", "key_limit_reached") => {
            switch(&world, operation, false).await;
            fill(&world, 10).await;
            switch(&world, operation, true).await
        }
        ("updateKey", "key_expired") => {
            switch(&world, operation, false).await;
            let after_the_example = 5 * 366 * 24 * 3_600_000;
            world.app.clock.advance_millis(after_the_example);
            world.sign_in_again().await;
            switch(&world, operation, true).await
        }
        _ => panic!("{operation} and {code} are new here"),
    }
}

/// Counts as many changes of the owner's as an account may make in a row.
async fn use_up_changes(world: &World) {
    let (_, token) = world.owner.cookie.split_once('=').expect("a cookie");
    let control = &world.app.control;
    let owner = control.authenticate(Some(token)).await.expect("signed in");
    while control.count_change(&owner).is_ok() {}
}

async fn fill(world: &World, places: u32) {
    for _ in 0..places {
        world.make_key().await;
    }
}

async fn switch(world: &World, operation: &Operation, on: bool) -> Answer {
    let path = world.path(operation).await;
    let body = json!({"is_active": on}).to_string();
    world.call(operation, &path).json(&body).send().await
}

/// Sends the example with one field spoilt.
async fn with_wrong(world: &World, operation: &Operation, field: &str) -> Answer {
    let mut body = world.body(operation).await;
    body[field] = "wrong horse battery staple".into();
    let path = world.path(operation).await;
    let call = world.call(operation, &path);
    call.json(&body.to_string()).send().await
}

/// Tries until it is once too often.
async fn wrong_until_refused(world: &World, operation: &Operation) -> Answer {
    let field = operation.fields().remove(0);
    for _ in 0..31 {
        let answer = with_wrong(world, operation, &field).await;
        if answer.status == 429 {
            return answer;
        }
    }
    panic!("{operation} has no limit");
}
