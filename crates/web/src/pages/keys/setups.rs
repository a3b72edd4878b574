use keygate_core::{Scope, Scopes};

use super::snippets::{Snippet, base_url};

/// What stands for the secret on pages that cannot show it.
pub(crate) const PLACEHOLDER: &str = "$KEY";

/// How clients of a key with these scopes are told where to go, and with which key.
pub(crate) fn setups(scopes: Scopes, key: &str, origin: &str) -> Vec<Snippet> {
    let mut setups = vec![environment(key, origin)];
    if scopes.permits(Scope::Chat) {
        setups.extend(chat_setups(key, origin));
    }
    setups
}

fn setup(id: &str, title: &'static str, text: String) -> Snippet {
    Snippet {
        id: id.to_owned(),
        title,
        text,
    }
}

/// What the clients of `OpenAI`'s API read by themselves.
fn environment(key: &str, origin: &str) -> Snippet {
    let base = base_url(origin);
    setup(
        "environment",
        "Environment of OpenAI's clients",
        format!("export OPENAI_BASE_URL={base}\nexport OPENAI_API_KEY={key}"),
    )
}

/// Of clients that do nothing but ask models.
fn chat_setups(key: &str, origin: &str) -> Vec<Snippet> {
    let base = base_url(origin);
    vec![
        setup(
            "openai-js",
            "OpenAI's JavaScript package",
            format!(
                "import OpenAI from \"openai\";\n\nconst client = new OpenAI({{\n  baseURL: \"{base}\",\n  apiKey: \"{key}\",\n}});"
            ),
        ),
        setup(
            "anthropic",
            "Environment of Anthropic's clients and Claude Code",
            format!("export ANTHROPIC_BASE_URL={origin}\nexport ANTHROPIC_AUTH_TOKEN={key}"),
        ),
        setup(
            "anthropic-python",
            "Anthropic's Python package",
            format!(
                "from anthropic import Anthropic\n\nclient = Anthropic(\n    base_url=\"{origin}\",\n    api_key=\"{key}\",\n)"
            ),
        ),
        setup(
            "codex",
            "Codex, in ~/.codex/config.toml",
            format!(
                "model_provider = \"keygate\"\n\n[model_providers.keygate]\nname = \"keygate\"\nbase_url = \"{base}\"\nenv_key = \"OPENAI_API_KEY\""
            ),
        ),
        setup(
            "langchain",
            "LangChain",
            format!(
                "from langchain_openai import ChatOpenAI\n\nmodel = ChatOpenAI(\n    base_url=\"{base}\",\n    api_key=\"{key}\",\n    model=\"MODEL\",\n)"
            ),
        ),
        setup(
            "litellm",
            "LiteLLM",
            format!(
                "import litellm\n\nlitellm.completion(\n    model=\"openai/MODEL\",\n    api_base=\"{base}\",\n    api_key=\"{key}\",\n    messages=[{{\"role\": \"user\", \"content\": \"Hello\"}}],\n)"
            ),
        ),
        setup(
            "vercel",
            "Vercel's AI SDK",
            format!(
                "import {{ createOpenAICompatible }} from \"@ai-sdk/openai-compatible\";\n\nconst provider = createOpenAICompatible({{\n  name: \"keygate\",\n  baseURL: \"{base}\",\n  apiKey: \"{key}\",\n}});"
            ),
        ),
        setup(
            "continue",
            "Continue, in config.yaml",
            format!(
                "models:\n  - name: MODEL\n    provider: openai\n    model: MODEL\n    apiBase: {base}\n    apiKey: {key}"
            ),
        ),
        setup(
            "others",
            "Cursor, Open WebUI and others",
            format!("Base URL: {base}\nAPI key: {key}"),
        ),
    ]
}

#[cfg(test)]
mod tests {
    use std::{fmt::Write, path::Path};

    use super::*;
    use crate::pages::keys::languages;

    const BEGIN: &str = "<!-- as on the pages: cargo xtask docs clients -->\n";
    const END: &str = "<!-- end of what is on the pages -->\n";

    /// The page of the documentation has the same as those of keys: this compares it, or writes it where that is asked for.
    #[test]
    fn the_page_about_clients_has_the_same_lines() {
        let origin = "http://127.0.0.1:8080";
        let scopes: Scopes = Scope::ALL.into_iter().collect();
        let mut lines = String::new();
        let mut add = |title: &str, text: &str| {
            write!(lines, "**{title}**\n\n```\n{text}\n```\n\n").expect("memory is there");
        };
        for language in languages(scopes, PLACEHOLDER, origin) {
            for call in language.calls {
                add(&format!("{}, {}", call.title, language.title), &call.text);
            }
        }
        for setup in setups(scopes, PLACEHOLDER, origin) {
            add(setup.title, &setup.text);
        }
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/clients.md");
        let page = std::fs::read_to_string(&file).expect("the page is there");
        let (before, rest) = page.split_once(BEGIN).expect("it has a place for them");
        let (stands, after) = rest.split_once(END).expect("the place ends");
        if std::env::var_os("KEYGATE_WRITE_DOCS").is_some() {
            std::fs::write(&file, format!("{before}{BEGIN}{lines}{END}{after}")).expect("written");
        } else {
            assert_eq!(stands, lines, "write it anew: cargo xtask docs clients");
        }
    }
}
