//! The reference says what is so: its calls are the routes, its examples work, its errors happen.

mod errors;
mod examples;
mod operation;
mod schema;
mod world;

use keygate_web::{Access, routes};
use serde_json::{Value, json};

use crate::support::TestApp;
use operation::{document, operations};

#[tokio::test]
async fn the_document_is_the_one_in_the_documentation() {
    let answer = TestApp::new().get("/openapi.json").send().await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.headers["content-type"], "application/json");
    assert!(
        answer.body == include_str!("../../../../docs/openapi.json"),
        "write it anew: cargo xtask docs openapi"
    );
}

#[test]
fn every_call_is_in_the_document_and_nothing_else_is() {
    let mut expected: Vec<(String, Value)> = routes()
        .into_iter()
        .filter(|route| {
            let probes = ["/healthz", "/readyz", "/readyz/checks"];
            route.path.starts_with("/api/") || probes.contains(&route.path)
        })
        .map(|route| {
            let security = match route.access {
                Access::Public => Value::Null,
                Access::Session => json!([{"session": []}]),
                Access::Admin => json!([{"session": ["admin"]}]),
                Access::Page | Access::AdminPage => panic!("{} is no page", route.path),
            };
            (format!("{} {}", route.method, route.path), security)
        })
        .collect();
    let mut described: Vec<(String, Value)> = operations()
        .into_iter()
        .map(|operation| (operation.to_string(), operation.value["security"].clone()))
        .collect();
    expected.sort_by(|one, other| one.0.cmp(&other.0));
    described.sort_by(|one, other| one.0.cmp(&other.0));
    assert_eq!(described, expected);
}

#[test]
fn every_call_has_a_name_of_its_own_a_summary_and_a_tag_that_there_is() {
    let document = document();
    let tags: Vec<&Value> = document["tags"]
        .as_array()
        .expect("tags")
        .iter()
        .map(|tag| &tag["name"])
        .collect();
    let mut names: Vec<String> = operations()
        .iter()
        .map(|operation| {
            assert!(tags.contains(&&operation.value["tags"][0]), "{operation}");
            assert!(operation.value["summary"].is_string(), "{operation}");
            operation.name().to_owned()
        })
        .collect();
    let count = names.len();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), count);
}

#[test]
fn what_the_original_does_not_have_is_marked_as_an_extension() {
    let mut original = Vec::new();
    for operation in operations() {
        let mark = "x-keygate-extension";
        if operation.value[mark] != true {
            original.push(operation.to_string());
        }
        for parameter in operation.parameters() {
            if parameter[mark] != true {
                original.push(format!("{operation} {}", parameter["name"]));
            }
        }
    }
    let expected = [
        "GET /api/keys",
        "POST /api/keys",
        "PATCH /api/keys/{id}",
        "PATCH /api/keys/{id} \"id\"",
        "DELETE /api/keys/{id}",
        "DELETE /api/keys/{id} \"id\"",
    ];
    assert_eq!(original, expected);
}
