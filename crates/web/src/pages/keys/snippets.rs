use keygate_core::{Scope, Scopes};

/// Lines to be copied.
pub(crate) struct Snippet {
    pub(crate) id: String,
    pub(crate) title: &'static str,
    pub(crate) text: String,
}

/// The first calls, in one language.
pub(crate) struct Language {
    pub(crate) id: &'static str,
    pub(crate) title: &'static str,
    pub(crate) calls: Vec<Snippet>,
}

/// A call in each of [`LANGUAGES`].
struct Call {
    id: &'static str,
    title: &'static str,
    texts: [String; 3],
}

const LANGUAGES: [(&str, &str); 3] = [
    ("curl", "curl"),
    ("python", "Python"),
    ("javascript", "JavaScript"),
];

/// First calls with the key that its scopes let through; none where there are no such calls.
pub(crate) fn languages(scopes: Scopes, key: &str, origin: &str) -> Vec<Language> {
    let base = base_url(origin);
    let of_scopes = [
        (Scope::Read, models as fn(&str, &str) -> Call),
        (Scope::Chat, chat),
    ];
    let calls: Vec<Call> = of_scopes
        .into_iter()
        .filter(|(scope, _)| scopes.permits(*scope))
        .map(|(_, call)| call(&base, key))
        .collect();
    if calls.is_empty() {
        return Vec::new();
    }
    let languages = LANGUAGES.into_iter().enumerate();
    let languages = languages.map(|(index, (id, title))| Language {
        id,
        title,
        calls: calls.iter().map(|call| call.snippet(id, index)).collect(),
    });
    languages.collect()
}

impl Call {
    fn snippet(&self, language: &str, index: usize) -> Snippet {
        Snippet {
            id: format!("{language}-{}", self.id),
            title: self.title,
            text: self.texts[index].clone(),
        }
    }
}

fn models(base: &str, key: &str) -> Call {
    Call {
        id: "models",
        title: "List the models",
        texts: [
            format!("curl {base}/models \\\n  -H \"Authorization: Bearer {key}\""),
            python(
                base,
                key,
                "for model in client.models.list():\n    print(model.id)",
            ),
            format!(
                "const response = await fetch(\"{base}/models\", {{\n  headers: {{ Authorization: \"Bearer {key}\" }},\n}});\nconsole.log(await response.json());"
            ),
        ],
    }
}

fn chat(base: &str, key: &str) -> Call {
    Call {
        id: "chat",
        title: "Chat with a model",
        texts: [
            format!(
                "curl {base}/chat/completions \\\n  -H \"Authorization: Bearer {key}\" \\\n  -H \"Content-Type: application/json\" \\\n  -d '{{\"model\": \"MODEL\", \"messages\": [{{\"role\": \"user\", \"content\": \"Hello\"}}]}}'"
            ),
            python(
                base,
                key,
                "answer = client.chat.completions.create(\n    model=\"MODEL\",\n    messages=[{\"role\": \"user\", \"content\": \"Hello\"}],\n)\nprint(answer.choices[0].message.content)",
            ),
            format!(
                "const response = await fetch(\"{base}/chat/completions\", {{\n  method: \"POST\",\n  headers: {{\n    Authorization: \"Bearer {key}\",\n    \"Content-Type\": \"application/json\",\n  }},\n  body: JSON.stringify({{\n    model: \"MODEL\",\n    messages: [{{ role: \"user\", content: \"Hello\" }}],\n  }}),\n}});\nconst answer = await response.json();\nconsole.log(answer.choices[0].message.content);"
            ),
        ],
    }
}

fn python(base: &str, key: &str, call: &str) -> String {
    format!(
        "from openai import OpenAI\n\nclient = OpenAI(\n    base_url=\"{base}\",\n    api_key=\"{key}\",\n)\n{call}"
    )
}

/// Where the data plane is.
pub(crate) fn base_url(origin: &str) -> String {
    format!("{origin}/v1")
}
