//! `keygate demo`: everything in one process, in a folder that is thrown away.

mod echo;
mod first_call;

use std::{path::PathBuf, sync::Arc};

use keygate_control::Actor;
use keygate_core::{KeyDetails, OsRandom, Role, Token, key::KeyName};
use tempfile::TempDir;

use crate::{
    config::{Flags, Given, Place, Settings},
    failure::Failure,
    server::Running,
};

const EMAIL: &str = "demo@example.com";

/// The demo while it runs.
pub(crate) struct Demo {
    /// What there is, and what to try.
    pub(crate) introduction: String,
    running: Running,
    _echo: echo::Echo,
    folder: TempDir,
}

impl Demo {
    /// Where its data is, until it is stopped.
    pub(crate) fn folder(&self) -> PathBuf {
        self.folder.path().to_owned()
    }

    pub(crate) async fn stop(self) {
        self.running.stop().await;
    }
}

/// Starts a server with an echo upstream, makes an account and a key, and makes a call with it.
pub(crate) async fn start(listen: Option<Given>) -> Result<Demo, Failure> {
    let cannot = |error: std::io::Error| Failure::new(format!("The demo cannot start ({error})."));
    let folder = TempDir::with_prefix("keygate-demo-").map_err(cannot)?;
    let echo = echo::Echo::start().await.map_err(cannot)?;
    let own = [
        Given::once("metrics.listen", Place::Flag, "off"),
        Given::once(
            "upstream.url",
            Place::Flag,
            format!("http://{}", echo.address),
        ),
    ];
    let settings = Settings::load(&Flags {
        data: Some(folder.path().to_owned()),
        config: None,
        given: listen.into_iter().chain(own).collect(),
    })?;
    let running = Running::start(settings).await?;
    let password = Token::generate(&OsRandom);
    let control = Arc::clone(&running.control);
    let account = control
        .create_account(EMAIL, password.expose(), Role::Admin)
        .await?;
    let details = KeyDetails::named(KeyName::parse("Demo").expect("a valid name"));
    let issued = control
        .issue_key(Actor::Operator, account.id, details)
        .await?;
    let key = issued.secret.expose();
    let models = first_call::list_models(running.addresses.http, key).await?;
    let introduction = introduction(&running.origin, password.expose(), key, &models);
    Ok(Demo {
        introduction,
        running,
        _echo: echo,
        folder,
    })
}

fn introduction(origin: &str, password: &str, key: &str, models: &str) -> String {
    format!(
        r#"keygate listens on {origin}
Behind it is an echo in the shape of OpenAI's API. It is no model: it repeats what you say.

  account   {EMAIL}
  password  {password}
  key       {key}

The first call with the key, GET /v1/models, gave
  {models}

Try it with curl:

curl {origin}/v1/chat/completions \
  -H "Authorization: Bearer {key}" \
  -H "Content-Type: application/json" \
  -d '{{"model":"echo","messages":[{{"role":"user","content":"Hello"}}]}}'

or with OpenAI's Python package (python3 -m venv venv && venv/bin/pip install openai):

from openai import OpenAI
client = OpenAI(base_url="{origin}/v1", api_key="{key}")
for chunk in client.chat.completions.create(model="echo", stream=True, messages=[{{"role": "user", "content": "Hello"}}]):
    print(chunk.choices[0].delta.content or "\n", end="")

Sign in at {origin} in a browser, or here, and create another key:

curl -c cookies.txt {origin}/api/session -H "Content-Type: application/json" \
  -d '{{"email":"{EMAIL}","password":"{password}"}}'
curl -b cookies.txt {origin}/api/keys -H "Content-Type: application/json" \
  -d '{{"name":"Another key"}}'

Ctrl-C ends the demo and throws its data away."#
    )
}
