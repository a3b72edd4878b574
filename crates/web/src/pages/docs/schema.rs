use serde_json::Value;

/// A parameter, or a field of a body or an answer.
pub(super) struct Field {
    pub(super) name: String,
    /// Where a parameter stands: `path` or `query`.
    pub(super) place: String,
    pub(super) kind: String,
    pub(super) is_required: bool,
    pub(super) is_extension: bool,
    pub(super) rule: Prose,
}

/// Text in which some words are code.
pub(super) struct Prose(pub(super) Vec<Span>);

pub(super) struct Span {
    pub(super) text: String,
    pub(super) is_code: bool,
}

impl From<&str> for Prose {
    /// Takes Markdown without anything but backticks.
    fn from(markdown: &str) -> Self {
        let parts = markdown.split('`').enumerate();
        let spans = parts.filter(|(_, part)| !part.is_empty());
        let spans = spans.map(|(index, part)| Span {
            text: part.to_owned(),
            is_code: index % 2 == 1,
        });
        Self(spans.collect())
    }
}

impl Prose {
    pub(super) fn of(value: &Value) -> Self {
        Self::from(value.as_str().unwrap_or_default())
    }
}

pub(super) fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

/// The schema that a reference stands for.
pub(super) fn resolve<'a>(document: &'a Value, schema: &'a Value) -> &'a Value {
    let reference = schema["$ref"].as_str();
    let place = reference.and_then(|reference| reference.strip_prefix('#'));
    let found = place.and_then(|place| document.pointer(place));
    found.unwrap_or(schema)
}

/// The fields of an object.
pub(super) fn fields(document: &Value, schema: &Value) -> Vec<Field> {
    let schema = resolve(document, schema);
    let required = schema["required"].as_array();
    let is_required =
        |name: &str| required.is_some_and(|names| names.iter().any(|one| one == name));
    let properties = schema["properties"].as_object().into_iter().flatten();
    properties
        .map(|(name, property)| Field {
            name: name.clone(),
            place: String::new(),
            kind: kind(property),
            is_required: is_required(name),
            is_extension: false,
            rule: rule(property, &property["description"]),
        })
        .collect()
}

/// The parameters of a call.
pub(super) fn parameters(parameters: &Value) -> Vec<Field> {
    let parameters = parameters.as_array().into_iter().flatten();
    parameters
        .map(|parameter| Field {
            name: text(&parameter["name"]),
            place: text(&parameter["in"]),
            kind: kind(&parameter["schema"]),
            is_required: parameter["required"] == true,
            is_extension: parameter["x-keygate-extension"] == true,
            rule: rule(&parameter["schema"], &parameter["description"]),
        })
        .collect()
}

/// The type in words: `string (uuid)`, `array of string`, `integer or null`.
fn kind(schema: &Value) -> String {
    let types = match &schema["type"] {
        Value::Array(types) => types.iter().map(text).collect(),
        one => vec![text(one)],
    };
    let format = schema["format"].as_str().filter(|name| *name != "int64");
    let format = format.map_or_else(String::new, |name| format!(" ({name})"));
    let named = types.iter().map(|name| match name.as_str() {
        "array" => format!("array of {}", kind(&schema["items"])),
        "null" => "null".to_owned(),
        name => format!("{name}{format}"),
    });
    named.collect::<Vec<_>>().join(" or ")
}

/// What a value must be like: what is said about it, and what its schema asks for.
fn rule(schema: &Value, description: &Value) -> Prose {
    let mut rules = vec![text(description)];
    let names = schema["enum"].as_array();
    let item_names = schema["items"]["enum"].as_array();
    rules.extend(names.map(|names| format!("One of {}.", list(names))));
    rules.extend(item_names.map(|names| format!("Each one of {}.", list(names))));
    match (&schema["minLength"], &schema["maxLength"]) {
        (Value::Number(least), Value::Number(most)) => {
            rules.push(format!("{least} to {most} characters."));
        }
        _ if schema.get("minItems").is_some() => rules.push("At least one.".into()),
        _ => {}
    }
    match &schema["default"] {
        Value::Null => {}
        Value::Array(values) => rules.push(format!("Default: {}.", list(values))),
        value => rules.push(format!("Default: {}.", list(std::slice::from_ref(value)))),
    }
    rules.retain(|rule| !rule.is_empty());
    Prose::from(rules.join(" ").as_str())
}

fn list(values: &[Value]) -> String {
    let names = values.iter().map(|value| format!("`{}`", text(value)));
    names.collect::<Vec<_>>().join(", ")
}
