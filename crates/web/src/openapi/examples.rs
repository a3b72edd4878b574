//! What the reference shows as bodies and answers: the examples of their types, beside each call.

use std::collections::BTreeMap;

use keygate_wire::schema::{ID, LATER_ID, TOKEN, USED_AT};
use serde_json::{Value, json};
use utoipa::openapi::{Components, Content, RefOr, Schema, path::Operation, schema::ArrayItems};

/// The examples of the schemas, by their names.
pub(super) type Examples = BTreeMap<String, Value>;

/// Takes the examples out of the schemas.
pub(super) fn take(components: &mut Components) -> Examples {
    let schemas = components.schemas.iter_mut();
    let examples = schemas.filter_map(|(name, schema)| match schema {
        RefOr::T(Schema::Object(object)) => Some((name.clone(), object.example.take()?)),
        _ => None,
    });
    examples.collect()
}

/// Shows them at a call, but where it has its own.
pub(super) fn show(operation: &mut Operation, examples: &Examples) {
    let requests = operation.request_body.iter_mut().filter_map(itself);
    let requests = requests.flat_map(|body| body.content.values_mut());
    let answers = operation.responses.responses.values_mut();
    let answers = answers.filter_map(itself);
    let answers = answers.flat_map(|answer| answer.content.values_mut());
    for content in requests.chain(answers).filter_map(itself) {
        if content.example.is_none() {
            content.example = example_of(content, examples);
        }
    }
}

fn itself<T>(part: &mut RefOr<T>) -> Option<&mut T> {
    match part {
        RefOr::T(part) => Some(part),
        RefOr::Ref(_) => None,
    }
}

fn example_of(content: &Content, examples: &Examples) -> Option<Value> {
    match content.schema.as_ref()? {
        RefOr::T(Schema::Array(array)) => match &array.items {
            ArrayItems::RefOrSchema(item) => Some(json!([example_named(item, examples)?])),
            ArrayItems::False => None,
        },
        schema => example_named(schema, examples),
    }
}

fn example_named(schema: &RefOr<Schema>, examples: &Examples) -> Option<Value> {
    let RefOr::Ref(reference) = schema else {
        return None;
    };
    let (_, name) = reference.ref_location.rsplit_once('/')?;
    examples.get(name).cloned()
}

/// An answer that is not like others of its type.
pub(crate) fn maintenance() -> Value {
    json!({
        "id": ID,
        "kind": "maintenance",
        "state": "scheduled",
        "title": "New disks",
        "components": ["management_api", "storage"],
        "starts_at": "2026-07-01T02:00:00.000Z",
        "ends_at": "2026-07-01T04:00:00.000Z",
        "updates": [{
            "id": LATER_ID,
            "at": USED_AT,
            "state": "scheduled",
            "message": "No key can be created or changed for some minutes.",
        }],
    })
}

/// The same of a link.
pub(crate) fn sign_up_link() -> Value {
    json!({
        "id": ID,
        "link": format!("https://keys.example.com/signup?token={TOKEN}"),
        "expires_at": "2026-06-08T08:00:00.000Z",
    })
}
