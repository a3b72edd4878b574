//! So much of JSON Schema as the document uses.

use serde_json::Value;

/// The schema that a reference stands for.
pub fn resolve<'a>(document: &'a Value, schema: &'a Value) -> &'a Value {
    match schema["$ref"].as_str() {
        Some(reference) => {
            let place = reference
                .strip_prefix('#')
                .expect("a place in the document");
            document.pointer(place).expect("it is there")
        }
        None => schema,
    }
}

/// Asserts that a value is as its schema says, and has no field that the schema has not.
pub fn assert_conforms(document: &Value, schema: &Value, value: &Value, place: &str) {
    let schema = resolve(document, schema);
    assert!(
        allows_type(schema, value),
        "{place}: {value} is none of {}",
        schema["type"]
    );
    if let Some(allowed) = schema["enum"].as_array() {
        assert!(
            allowed.contains(value),
            "{place}: {value} is none of {allowed:?}"
        );
    }
    match value {
        Value::Object(fields) => {
            let Some(properties) = schema["properties"].as_object() else {
                return;
            };
            for name in schema["required"].as_array().into_iter().flatten() {
                let name = name.as_str().expect("a name");
                assert!(fields.contains_key(name), "{place}.{name} is required");
            }
            for (name, field) in fields {
                let property = properties.get(name);
                let property = property.unwrap_or_else(|| panic!("{place}.{name} is unknown"));
                assert_conforms(document, property, field, &format!("{place}.{name}"));
            }
        }
        Value::Array(items) => {
            for item in items {
                assert_conforms(document, &schema["items"], item, &format!("{place}[]"));
            }
        }
        Value::String(text) => {
            let length = text.chars().count() as u64;
            let within = |bound: &str, holds: fn(&u64, &u64) -> bool| {
                schema[bound]
                    .as_u64()
                    .is_none_or(|bound| holds(&length, &bound))
            };
            assert!(
                within("minLength", u64::ge) && within("maxLength", u64::le),
                "{place}"
            );
        }
        _ => {}
    }
}

fn allows_type(schema: &Value, value: &Value) -> bool {
    let name = match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(number) if number.is_f64() => "number",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    };
    match &schema["type"] {
        Value::Array(types) => types.iter().any(|one| one == name),
        one => one == name,
    }
}

/// Asserts that an answer looks like its example: the same fields in the same order, the same types.
/// What is null in either may be anything in the other.
pub fn assert_same_shape(example: &Value, answer: &Value, place: &str) {
    match (example, answer) {
        (Value::Null, _) | (_, Value::Null) => {}
        (Value::Object(expected), Value::Object(found)) => {
            let names = |fields: &serde_json::Map<_, _>| fields.keys().cloned().collect::<Vec<_>>();
            assert_eq!(names(expected), names(found), "{place}");
            for (name, value) in expected {
                assert_same_shape(value, &found[name], &format!("{place}.{name}"));
            }
        }
        (Value::Array(expected), Value::Array(found)) => {
            assert_eq!(expected.is_empty(), found.is_empty(), "{place}");
            for (index, item) in found.iter().enumerate() {
                assert_same_shape(&expected[0], item, &format!("{place}[{index}]"));
            }
        }
        _ => assert_eq!(
            std::mem::discriminant(example),
            std::mem::discriminant(answer),
            "{place}: {example} and {answer}"
        ),
    }
}
