use serde_json::Value;

/// JSON over several lines; what holds nothing but plain values stays on one if it is a list.
pub(super) fn pretty(value: &Value) -> String {
    let mut text = String::new();
    write(value, "", &mut text);
    text
}

fn write(value: &Value, indent: &str, text: &mut String) {
    let inner = format!("{indent}  ");
    match value {
        Value::Object(fields) if !fields.is_empty() => {
            text.push('{');
            for (index, (name, field)) in fields.iter().enumerate() {
                text.push_str(if index == 0 { "\n" } else { ",\n" });
                text.push_str(&format!("{inner}{}: ", Value::from(name.as_str())));
                write(field, &inner, text);
            }
            text.push_str(&format!("\n{indent}}}"));
        }
        Value::Array(items) if items.iter().all(is_plain) => {
            let items: Vec<String> = items.iter().map(Value::to_string).collect();
            text.push_str(&format!("[{}]", items.join(", ")));
        }
        Value::Array(items) => {
            text.push('[');
            for (index, item) in items.iter().enumerate() {
                text.push_str(if index == 0 { "\n" } else { ",\n" });
                text.push_str(&inner);
                write(item, &inner, text);
            }
            text.push_str(&format!("\n{indent}]"));
        }
        plain => text.push_str(&plain.to_string()),
    }
}

fn is_plain(value: &Value) -> bool {
    !value.is_object() && !value.is_array()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn objects_take_a_line_for_each_field_and_plain_lists_one() {
        let value =
            json!([{"name": "a\"b", "scopes": ["chat", "read"], "detail": {"n": 1}, "none": {}}]);
        let expected = [
            "[",
            "  {",
            r#"    "name": "a\"b","#,
            r#"    "scopes": ["chat", "read"],"#,
            r#"    "detail": {"#,
            r#"      "n": 1"#,
            "    },",
            r#"    "none": {}"#,
            "  }",
            "]",
        ];
        assert_eq!(pretty(&value), expected.join("\n"));
        assert_eq!(
            serde_json::from_str::<Value>(&pretty(&value)).expect("JSON"),
            value
        );
    }
}
