use keygate_core::{Scope, Scopes};

/// Lines to be copied, in one language.
pub(crate) struct Snippet {
    pub(crate) id: &'static str,
    pub(crate) title: &'static str,
    pub(crate) text: String,
}

/// A first call with the key, of a kind that its scopes let through.
pub(super) fn snippets(scopes: Scopes, key: &str, origin: &str) -> Vec<Snippet> {
    let base = base_url(origin);
    let (curl, python, javascript) = if scopes.permits(Scope::Read) {
        (
            format!("curl {base}/models \\\n  -H \"Authorization: Bearer {key}\""),
            "for model in client.models.list():\n    print(model.id)".to_owned(),
            format!(
                "const response = await fetch(\"{base}/models\", {{\n  headers: {{ Authorization: \"Bearer {key}\" }},\n}});\nconsole.log(await response.json());"
            ),
        )
    } else {
        chat(&base, key)
    };
    vec![
        environment(key, origin),
        Snippet {
            id: "curl",
            title: "curl",
            text: curl,
        },
        Snippet {
            id: "python",
            title: "Python",
            text: format!(
                "from openai import OpenAI\n\nclient = OpenAI(\n    base_url=\"{base}\",\n    api_key=\"{key}\",\n)\n{python}"
            ),
        },
        Snippet {
            id: "javascript",
            title: "JavaScript",
            text: javascript,
        },
    ]
}

/// For keys that cannot list models: a question to one, whose name the reader knows.
fn chat(base: &str, key: &str) -> (String, String, String) {
    let curl = format!(
        "curl {base}/chat/completions \\\n  -H \"Authorization: Bearer {key}\" \\\n  --json '{{\"model\":\"MODEL\",\"messages\":[{{\"role\":\"user\",\"content\":\"Hello\"}}]}}'"
    );
    let python = "answer = client.chat.completions.create(\n    model=\"MODEL\", messages=[{\"role\": \"user\", \"content\": \"Hello\"}]\n)\nprint(answer.choices[0].message.content)";
    let javascript = format!(
        "const response = await fetch(\"{base}/chat/completions\", {{\n  method: \"POST\",\n  headers: {{\n    Authorization: \"Bearer {key}\",\n    \"Content-Type\": \"application/json\",\n  }},\n  body: JSON.stringify({{\n    model: \"MODEL\",\n    messages: [{{ role: \"user\", content: \"Hello\" }}],\n  }}),\n}});\nconsole.log(await response.json());"
    );
    (curl, python.to_owned(), javascript)
}

/// What the clients of `OpenAI`'s API read by themselves.
pub(super) fn environment(key: &str, origin: &str) -> Snippet {
    let base = base_url(origin);
    Snippet {
        id: "environment",
        title: "Environment of OpenAI's clients",
        text: format!("export OPENAI_BASE_URL={base}\nexport OPENAI_API_KEY={key}"),
    }
}

/// Where the data plane is.
pub(super) fn base_url(origin: &str) -> String {
    format!("{origin}/v1")
}
