use keygate_core::{Scope, Scopes};

use super::snippets::{Snippet, base_url};

/// What stands for the secret on pages that cannot show it.
pub(crate) const PLACEHOLDER: &str = "$KEY";

/// How clients of a key with these scopes are told where to go, and with which key. `docs/clients.md` has the same.
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
            "anthropic",
            "Environment of Anthropic's clients and Claude Code",
            format!("export ANTHROPIC_BASE_URL={origin}\nexport ANTHROPIC_AUTH_TOKEN={key}"),
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
