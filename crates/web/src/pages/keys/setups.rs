use super::snippets::{Snippet, base_url, environment};

/// What stands for the secret on pages that cannot show it.
pub(super) const PLACEHOLDER: &str = "$KEY";

/// How clients are told where to go, and with which key. `docs/clients.md` has the same.
pub(super) fn setups(key: &str, origin: &str) -> Vec<Snippet> {
    let base = base_url(origin);
    let setup = |id, title, text| Snippet { id, title, text };
    vec![
        environment(key, origin),
        setup(
            "anthropic",
            "Anthropic's clients and Claude Code",
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
