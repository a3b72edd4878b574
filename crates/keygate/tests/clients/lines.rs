//! The lines of `docs/clients.md`, which the dashboard shows too, as somebody copies them.

use std::{
    path::Path,
    process::{Command, Output},
};

use crate::{HERE, program, support::Account, tools};

/// The lines under a title, with these in the place of what stands for them.
fn lines(title: &str, url: &str, key: &str) -> String {
    let page = std::fs::read_to_string(Path::new(HERE).join("../../docs/clients.md"));
    let page = page.expect("the page is there");
    let begin = format!("**{title}**\n\n```\n");
    let (_, rest) = page.split_once(&begin).expect(title);
    let (lines, _) = rest.split_once("\n```\n").expect("they end");
    lines
        .replace("http://127.0.0.1:8080", url)
        .replace("$KEY", key)
        .replace("MODEL", "tiny")
}

fn said(output: std::io::Result<Output>, lines: &str) -> String {
    let output = output.expect("it runs");
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{lines}\n{complaint}");
    String::from_utf8(output.stdout).expect("UTF-8")
}

fn sh(lines: &str) -> String {
    said(Command::new("sh").args(["-c", lines]).output(), lines)
}

fn python(lines: &str) -> String {
    let python = tools().join("venv/bin/python");
    said(Command::new(python).args(["-c", lines]).output(), lines)
}

fn node(lines: &str) -> String {
    let mut node = Command::new("node");
    node.args(["--input-type=module", "-e", lines])
        .current_dir(tools().join("npm"));
    said(node.output(), lines)
}

#[tokio::test(flavor = "multi_thread")]
async fn lines_that_are_copied_work() {
    const ANSWER: &str = "Hello there";
    let (program, _api) = program().await;
    let (_, key) = Account::create(&program).await.key(&["chat", "read"]).await;
    let lines = |title: &str| lines(title, &program.url, &key);

    assert!(sh(&lines("List the models, curl")).contains("\"tiny\""));
    assert!(sh(&lines("Chat with a model, curl")).contains(ANSWER));
    assert_eq!(python(&lines("List the models, Python")), "tiny\n");
    assert_eq!(python(&lines("Chat with a model, Python")).trim(), ANSWER);
    assert!(node(&lines("List the models, JavaScript")).contains("'tiny'"));
    assert_eq!(node(&lines("Chat with a model, JavaScript")).trim(), ANSWER);

    let environment = lines("Environment of OpenAI's clients");
    let ask = "\npython3 -c 'import os; print(os.environ[\"OPENAI_BASE_URL\"])'";
    assert_eq!(
        sh(&(environment + ask)).trim(),
        format!("{}/v1", program.url)
    );
    let chat = "model=\"tiny\", max_tokens=8, messages=[{\"role\": \"user\", \"content\": \"Hi\"}]";
    let ask = format!("\nprint(client.messages.create({chat}).content[0].text)");
    let package = lines("Anthropic's Python package");
    assert_eq!(python(&(package + &ask)).trim(), ANSWER);
    let langchain = lines("LangChain") + "\nprint(model.invoke(\"Hi\").content)";
    assert_eq!(python(&langchain).trim(), ANSWER);
    python(&lines("LiteLLM"));
    let ask = "\nconst answer = await client.chat.completions.create({ model: \"tiny\", messages: [{ role: \"user\", content: \"Hi\" }] });\nconsole.log(answer.choices[0].message.content);";
    assert_eq!(
        node(&(lines("OpenAI's JavaScript package") + ask)).trim(),
        ANSWER
    );
    let ask = "\nimport { generateText } from \"ai\";\nconsole.log((await generateText({ model: provider(\"tiny\"), prompt: \"Hi\" })).text);";
    assert_eq!(node(&(lines("Vercel's AI SDK") + ask)).trim(), ANSWER);
}
