use std::fmt;

use serde_json::Value;

/// The document, as it is served.
pub fn document() -> Value {
    serde_json::from_str(keygate_web::openapi_json()).expect("JSON")
}

/// A call that the document describes.
pub struct Operation {
    pub method: String,
    pub path: String,
    pub value: Value,
}

/// Every call that the document describes.
pub fn operations() -> Vec<Operation> {
    let document = document();
    let paths = document["paths"].as_object().expect("paths");
    let mut operations = Vec::new();
    for (path, item) in paths {
        for method in ["get", "post", "patch", "delete"] {
            if let Some(value) = item.get(method) {
                operations.push(Operation {
                    method: method.to_uppercase(),
                    path: path.clone(),
                    value: value.clone(),
                });
            }
        }
        let known = |method: &String| ["get", "post", "patch", "delete"].contains(&&**method);
        assert!(item.as_object().expect("calls").keys().all(known), "{path}");
    }
    operations
}

impl Operation {
    pub fn name(&self) -> &str {
        self.value["operationId"].as_str().expect("a name")
    }

    /// The word after `/api/`.
    pub fn area(&self) -> &str {
        self.path.split('/').nth(2).unwrap_or_default()
    }

    pub fn parameters(&self) -> &[Value] {
        self.value["parameters"]
            .as_array()
            .map_or(&[], Vec::as_slice)
    }

    /// The parameters behind the question mark.
    pub fn query(&self) -> impl Iterator<Item = &Value> {
        let parameters = self.parameters().iter();
        parameters.filter(|parameter| parameter["in"] == "query")
    }

    pub fn query_names(&self) -> impl Iterator<Item = &str> {
        self.query()
            .map(|parameter| parameter["name"].as_str().expect("a name"))
    }

    /// The body's media type, where the call takes one.
    pub fn body(&self) -> Option<&Value> {
        self.value.get("requestBody").map(json)
    }

    /// The names of the body's fields.
    pub fn fields(&self) -> Vec<String> {
        let Some(body) = self.body() else {
            return Vec::new();
        };
        let document = document();
        let schema = super::schema::resolve(&document, &body["schema"]);
        let properties = schema["properties"].as_object().expect("properties");
        properties.keys().cloned().collect()
    }

    /// The one answer that is no error, with its status.
    pub fn success(&self) -> (u16, &Value) {
        let successes: Vec<_> = self
            .responses()
            .filter(|(status, _)| *status < 400)
            .collect();
        let [success] = successes[..] else {
            panic!("{self} has {} successes", successes.len());
        };
        success
    }

    /// The errors that the call is said to answer with: status and code.
    pub fn errors(&self) -> Vec<(u16, String)> {
        let errors = self.responses().filter(|(status, _)| *status >= 400);
        errors
            .flat_map(|(status, response)| {
                let lines = response["description"].as_str().expect("text").lines();
                lines.map(move |line| (status, code(line).to_owned()))
            })
            .collect()
    }

    fn responses(&self) -> impl Iterator<Item = (u16, &Value)> {
        let responses = self.value["responses"].as_object().expect("responses");
        responses
            .iter()
            .map(|(status, response)| (status.parse().expect("a status"), response))
    }

    /// Whether a session is needed.
    pub fn is_private(&self) -> bool {
        self.value.get("security").is_some()
    }

    pub fn is_for_admins(&self) -> bool {
        self.value["security"][0]["session"][0] == "admin"
    }
}

/// ``- `code`: when``
fn code(line: &str) -> &str {
    let code = line
        .strip_prefix("- `")
        .and_then(|line| line.split_once("`: "));
    code.expect("a code and when it is answered").0
}

/// The JSON of a body or an answer.
pub fn json(body: &Value) -> &Value {
    &body["content"]["application/json"]
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.method, self.path)
    }
}
