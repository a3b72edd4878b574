use serde_json::Value;

use super::{
    pretty::pretty,
    schema::{Field, Prose, fields, parameters, resolve, text},
};

/// The document, arranged for readers.
pub(super) struct Reference {
    pub(super) version: String,
    pub(super) groups: Vec<Group>,
    /// What an error looks like.
    pub(super) error: String,
}

/// The calls of a tag.
pub(super) struct Group {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) description: Prose,
    pub(super) calls: Vec<Call>,
}

pub(super) struct Call {
    pub(super) id: String,
    pub(super) method: String,
    pub(super) path: String,
    pub(super) summary: String,
    pub(super) description: Prose,
    pub(super) is_extension: bool,
    pub(super) needs_session: bool,
    pub(super) is_for_admins: bool,
    pub(super) parameters: Vec<Field>,
    /// The example of the body.
    pub(super) body: Option<String>,
    pub(super) fields: Vec<Field>,
    pub(super) answer: Answer,
    pub(super) errors: Vec<Error>,
    curl: Curl,
}

/// What a call answers that works.
pub(super) struct Answer {
    pub(super) status: String,
    pub(super) description: Prose,
    pub(super) example: Option<String>,
    pub(super) fields: Vec<Field>,
}

pub(super) struct Error {
    pub(super) status: String,
    pub(super) code: String,
    pub(super) when: Prose,
}

/// A line for curl, around the address.
struct Curl {
    options: String,
    path: String,
    body: String,
}

/// The methods of a path, in the order in which they are shown.
const METHODS: [&str; 4] = ["get", "post", "patch", "delete"];

impl Reference {
    pub(super) fn of(document: &Value) -> Self {
        let mut calls: Vec<(&Value, Call)> = paths(document)
            .flat_map(|(path, item)| {
                METHODS.into_iter().filter_map(move |method| {
                    let operation = item.get(method)?;
                    let call = Call::of(document, method, path, operation);
                    Some((&operation["tags"][0], call))
                })
            })
            .collect();
        let groups = document["tags"].as_array().into_iter().flatten();
        let groups = groups.map(|tag| {
            let of_tag = calls.extract_if(.., |(name, _)| *name == &tag["name"]);
            let calls = of_tag.map(|(_, call)| call).collect();
            Group::of(tag, calls)
        });
        Self {
            groups: groups.collect(),
            version: text(&document["info"]["version"]),
            error: pretty(&document["components"]["schemas"]["Error"]["examples"][0]),
        }
    }

    /// The line for curl that signs in.
    pub(super) fn sign_in(&self, origin: &str) -> String {
        let mut calls = self.groups.iter().flat_map(|group| &group.calls);
        let sign_in = calls.find(|call| call.id == "signIn");
        sign_in.expect("it is there").curl(origin)
    }
}

fn paths(document: &Value) -> impl Iterator<Item = (&String, &Value)> {
    document["paths"].as_object().into_iter().flatten()
}

impl Group {
    fn of(tag: &Value, calls: Vec<Call>) -> Self {
        let name = text(&tag["name"]);
        Self {
            id: name.to_lowercase(),
            name,
            description: Prose::of(&tag["description"]),
            calls,
        }
    }
}

impl Call {
    fn of(document: &Value, method: &str, path: &str, operation: &Value) -> Self {
        let body = operation.get("requestBody").map(json);
        let success = responses(operation).find(|(status, _)| status.starts_with('2'));
        let (status, success) = success.expect("every call can work");
        let security = operation.get("security");
        Self {
            id: text(&operation["operationId"]),
            method: method.to_uppercase(),
            path: path.to_owned(),
            summary: text(&operation["summary"]),
            description: Prose::of(&operation["description"]),
            is_extension: operation["x-keygate-extension"] == true,
            needs_session: security.is_some(),
            is_for_admins: security.is_some_and(|security| security[0]["session"][0] == "admin"),
            parameters: parameters(&operation["parameters"]),
            body: body.map(|body| pretty(&body["example"])),
            fields: body.map_or_else(Vec::new, |body| fields(document, &body["schema"])),
            answer: Answer::of(document, status, success),
            errors: errors(operation),
            curl: Curl::of(method, path, operation, success),
        }
    }

    /// The example as a line for curl.
    pub(super) fn curl(&self, origin: &str) -> String {
        let Curl {
            options,
            path,
            body,
        } = &self.curl;
        format!("curl{options}{origin}{path}{body}")
    }
}

fn responses(operation: &Value) -> impl Iterator<Item = (&String, &Value)> {
    operation["responses"].as_object().into_iter().flatten()
}

impl Answer {
    fn of(document: &Value, status: &str, response: &Value) -> Self {
        let body = json(response);
        let schema = resolve(document, &body["schema"]);
        let item = schema.get("items").unwrap_or(schema);
        Self {
            status: status.to_owned(),
            description: Prose::of(&response["description"]),
            example: body.get("example").map(pretty),
            fields: fields(document, item),
        }
    }
}

fn errors(operation: &Value) -> Vec<Error> {
    responses(operation)
        .filter(|(status, _)| !status.starts_with('2'))
        .flat_map(|(status, response)| {
            let lines = text(&response["description"]);
            let errors = lines.lines().filter_map(|line| error(status, line));
            errors.collect::<Vec<_>>()
        })
        .collect()
}

/// ``- `code`: when``
fn error(status: &str, line: &str) -> Option<Error> {
    let (code, when) = line.strip_prefix("- `")?.split_once("`: ")?;
    Some(Error {
        status: status.to_owned(),
        code: code.to_owned(),
        when: Prose::from(when),
    })
}

impl Curl {
    fn of(method: &str, path: &str, operation: &Value, success: &Value) -> Self {
        let body = operation.get("requestBody").map(json);
        let has_implied_method = method == "get" || (method == "post" && body.is_some());
        let mut options = String::new();
        if operation.get("security").is_some() {
            options.push_str(" -b cookies.txt");
        }
        if success["headers"].get("Set-Cookie").is_some() {
            options.push_str(" -c cookies.txt");
        }
        if !has_implied_method {
            options.push_str(&format!(" -X {}", method.to_uppercase()));
        }
        // Addresses with an id are long.
        options.push_str(if path.contains('{') { " \\\n  " } else { " " });
        Self {
            options,
            path: with_examples(path, operation),
            body: body.map_or_else(String::new, |body| {
                let json = pretty(&body["example"]);
                format!(" \\\n  -H \"Content-Type: application/json\" \\\n  -d '{json}'")
            }),
        }
    }
}

fn with_examples(path: &str, operation: &Value) -> String {
    let parameters = operation["parameters"].as_array().into_iter().flatten();
    let parameters = parameters.filter(|parameter| parameter["in"] == "path");
    parameters.fold(path.to_owned(), |path, parameter| {
        let place = format!("{{{}}}", text(&parameter["name"]));
        path.replace(&place, &text(&parameter["example"]))
    })
}

/// The JSON of a body or an answer.
fn json(body: &Value) -> &Value {
    &body["content"]["application/json"]
}
