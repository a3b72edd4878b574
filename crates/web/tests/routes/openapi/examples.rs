use super::{
    operation::{Operation, document, json, operations},
    schema::{assert_conforms, assert_same_shape, resolve},
    world::{World, example_body},
};
use crate::support::Answer;

#[tokio::test]
async fn every_example_works_and_its_answer_looks_like_the_one_shown() {
    for operation in operations() {
        let world = World::of(&operation).await;
        let answer = world.send(&operation, "").await;
        assert_is_the_success(&operation, &answer);
        let (_, success) = operation.success();
        if let Some(example) = json(success).get("example") {
            assert_same_shape(example, &answer.json(), &operation.to_string());
        }
    }
}

#[tokio::test]
async fn every_parameter_works_with_its_example() {
    for operation in operations() {
        for parameter in operation.query() {
            let (name, example) = (&parameter["name"], &parameter["example"]);
            let example = example
                .as_str()
                .map_or_else(|| example.to_string(), str::to_owned);
            let query = form(&[(name.as_str().expect("a name"), &example)]);
            let world = World::of(&operation).await;
            assert_is_the_success(&operation, &world.send(&operation, &query).await);
        }
    }
}

fn form(fields: &[(&str, &str)]) -> String {
    let mut query = form_urlencoded::Serializer::new(String::from("?"));
    query.extend_pairs(fields).finish()
}

/// Status, headers and schema are those of the document.
fn assert_is_the_success(operation: &Operation, answer: &Answer) {
    let (status, success) = operation.success();
    assert_eq!(answer.status, status, "{operation}: {answer}");
    for name in success["headers"]
        .as_object()
        .into_iter()
        .flat_map(|headers| headers.keys())
    {
        assert!(
            answer.headers.contains_key(name.as_str()),
            "{operation}: {name}"
        );
    }
    let schema = &json(success)["schema"];
    if schema.is_null() {
        assert_eq!(answer.body, "", "{operation}");
    } else {
        assert_conforms(&document(), schema, &answer.json(), &operation.to_string());
    }
}

#[test]
fn every_example_is_as_its_schema_says() {
    let document = document();
    for operation in operations() {
        let place = operation.to_string();
        if let Some(body) = operation.body() {
            assert_conforms(
                &document,
                &body["schema"],
                &example_body(&operation),
                &place,
            );
        }
        let (_, success) = operation.success();
        let success = json(success);
        if !success.is_null() {
            assert_conforms(&document, &success["schema"], &success["example"], &place);
        }
        for parameter in operation.parameters() {
            let place = format!("{place} {}", parameter["name"]);
            assert_conforms(
                &document,
                &parameter["schema"],
                &parameter["example"],
                &place,
            );
        }
    }
}

/// What a body or a query may hold is said by the refusal of anything else.
#[tokio::test]
async fn the_fields_and_parameters_of_the_document_are_those_that_are_taken() {
    for operation in operations() {
        let world = World::of(&operation).await;
        let path = world.path(&operation).await;
        if operation.body().is_some() {
            let call = world.call(&operation, &path);
            let answer = call.json(r#"{"surprise":1}"#).send().await;
            assert_eq!(known(&answer), operation.fields(), "{operation}");
        }
        let query: Vec<_> = operation.query_names().collect();
        if !query.is_empty() {
            let call = world.call(&operation, &format!("{path}?surprise=1"));
            assert_eq!(known(&call.send().await), query, "{operation}");
        }
    }
}

/// The names in `There is no "surprise" here; there is "name", "scopes".`
fn known(answer: &Answer) -> Vec<String> {
    assert_eq!(answer.summary(), r#"400 "unknown_parameter" "surprise""#);
    let body = answer.json();
    let message = body["error"]["message"].as_str().expect("text");
    let (_, names) = message.split_once("there is ").expect("the known ones");
    let names = names.trim_end_matches('.').split(", ");
    names
        .map(|name| name.trim_matches('"').to_owned())
        .collect()
}

#[test]
fn no_body_takes_anything_else() {
    let document = document();
    for operation in operations() {
        if let Some(body) = operation.body() {
            let schema = resolve(&document, &body["schema"]);
            assert_eq!(schema["additionalProperties"], false, "{operation}");
        }
    }
}
