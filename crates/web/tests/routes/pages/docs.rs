use keygate_core::Role;

use crate::support::{TestApp, unescaped};

/// What stands in all attributes of this name.
fn attributes<'a>(html: &'a str, name: &str) -> Vec<&'a str> {
    let start = format!(" {name}=\"");
    let parts = html.split(&start).skip(1);
    parts
        .map(|part| part.split_once('"').expect("it is closed").0)
        .collect()
}

#[tokio::test]
async fn every_call_is_on_the_page_and_in_its_contents() {
    let page = TestApp::new().get("/docs").send().await;
    assert_eq!(page.status, 200);
    let ids = attributes(&page.body, "id");
    let links = attributes(&page.body, "href");
    let document: serde_json::Value =
        serde_json::from_str(keygate_web::openapi_json()).expect("JSON");
    let paths = document["paths"].as_object().expect("paths");
    for operation in paths
        .values()
        .flat_map(|item| item.as_object().expect("calls").values())
    {
        let id = operation["operationId"].as_str().expect("a name");
        assert!(ids.contains(&id), "{id}");
        assert!(links.contains(&format!("#{id}").as_str()), "{id}");
    }
    for link in links.iter().filter_map(|link| link.strip_prefix('#')) {
        assert!(ids.contains(&link), "{link}");
    }
}

#[tokio::test]
async fn calls_with_a_key_come_before_the_management_api() {
    let page = TestApp::new().get("/docs").send().await.body;
    let (calls, management) = page.split_once("<h2 id=\"manage\">").expect("both");
    assert!(management.contains("<h3 id=\"listKeys\">"));
    for expected in [
        "id=\"base-url\">http://127.0.0.1:8080/v1<",
        "<code>Authorization: Bearer $KEY</code>",
        "<code>x-api-key: $KEY</code>",
        "curl http://127.0.0.1:8080/v1/chat/completions",
        "export OPENAI_API_KEY=$KEY",
        "export ANTHROPIC_AUTH_TOKEN=$KEY",
        "<code>insufficient_scope</code></th><td>403</td>",
    ] {
        assert!(calls.contains(expected), "{expected}");
    }
    assert!(!calls.contains("cookies.txt"), "{calls}");
}

#[tokio::test]
async fn a_call_is_described_with_all_that_belongs_to_it() {
    let page = TestApp::new().get("/docs").send().await.body;
    let (_, call) = page
        .split_once(r#"<h3 id="updateKey">"#)
        .expect("it is there");
    let (call, _) = call.split_once("</section>").expect("it ends");
    insta::assert_snapshot!(words(call));
}

/// The text: a line for each thing that stands by itself, and for each row of a table.
fn words(html: &str) -> String {
    let mut text = String::new();
    for part in html.split('<') {
        let (tag, words) = part.split_once('>').unwrap_or(("", part));
        text.push_str(match tag.split(' ').next() {
            Some("h4" | "p" | "/p" | "pre" | "summary" | "tr" | "/tr") => "\n",
            Some("td") => " | ",
            Some("th") if !text.ends_with('\n') => " | ",
            _ => "",
        });
        text.push_str(words);
    }
    let lines = text.lines().map(str::trim_end);
    let lines = lines.filter(|line| !line.trim().is_empty());
    unescaped(&lines.collect::<Vec<_>>().join("\n"))
}

#[tokio::test]
async fn the_examples_name_the_address_under_which_they_work() {
    let app = TestApp::new();
    let page = app.get("/docs").send().await;
    assert!(
        page.body
            .contains("curl -b cookies.txt http://127.0.0.1:8080/api/keys<"),
        "{page}"
    );
}

#[tokio::test]
async fn only_who_is_signed_in_can_try_calls() {
    let app = TestApp::new();
    let cookie = app.account_as("admin@example.com", Role::Admin).await;
    let signed_out = app.get("/docs").send().await.body;
    assert!(!signed_out.contains("<form") && !signed_out.contains("try.js"));
    let signed_in = app.get("/docs").cookie(&cookie).send().await.body;
    assert!(signed_in.contains("/assets/try.js?v="));
    let calls = attributes(&signed_in, "data-path");
    assert_eq!(
        calls.len(),
        signed_in.matches("<section class=\"call\"").count()
    );
    // Without the script they cannot be seen.
    assert_eq!(signed_in.matches("<details hidden>").count(), calls.len());
}

#[tokio::test]
async fn everybody_can_find_their_way_on_the_page() {
    let app = TestApp::new();
    let cookie = app.account("ada@example.com").await;
    let page = app.get("/docs").cookie(&cookie).send().await.body;
    let mut ids = attributes(&page, "id");
    let count = ids.len();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), count, "no id is there twice");
    for label in attributes(&page, "for") {
        assert!(ids.contains(&label), "{label}");
    }
    let mut regions = attributes(&page, "aria-label");
    let count = regions.len();
    regions.sort_unstable();
    regions.dedup();
    assert_eq!(regions.len(), count, "no two places have one name");
    let mut last = 0;
    for part in page.split("<h").skip(1) {
        if let Some(level) = part.chars().next().and_then(|digit| digit.to_digit(10)) {
            assert!(level <= last + 1, "h{level} after h{last}");
            last = level;
        }
    }
}

#[tokio::test]
async fn the_page_is_small_over_the_wire() {
    let app = TestApp::new();
    let cookie = app.account("ada@example.com").await;
    let page = app.get("/docs").cookie(&cookie).send().await.body;
    let mut addresses = vec!["/docs"];
    let named = page.split('"').filter(|part| part.starts_with("/assets/"));
    addresses.extend(named);
    addresses.sort_unstable();
    addresses.dedup();
    let mut bytes = 0;
    for address in addresses {
        let call = app.get(address).cookie(&cookie);
        let answer = call.header("accept-encoding", "gzip").send().await;
        assert_eq!(answer.headers["content-encoding"], "gzip", "{address}");
        bytes += answer.size;
    }
    assert!(bytes < 60 * 1024, "{bytes} bytes");
}
