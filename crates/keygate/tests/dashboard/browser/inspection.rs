use std::path::Path;

use serde_json::json;
use thirtyfour::support::base64_decode;

use super::{Browser, Engine};

const RUN_AXE: &str = r#"
const values = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"];
const node = ({ target, html, failureSummary }) => `  ${target.flat(9).join(" ")}: ${html}\n    ${failureSummary.replace(/\s+/g, " ")}`;
const text = ({ id, impact, help, nodes }) => `${id} (${impact}): ${help}\n${nodes.map(node).join("\n")}`;
const rules = { runOnly: { type: "tag", values }, preload: false };
return axe.run(document, rules).then(({ violations }) => violations.map(text));
"#;

/// Without JavaScript, a page's timers never fire.
const WITHOUT_TIMERS: &str =
    "window.setTimeout = (act, _, ...args) => void Promise.resolve().then(() => act(...args));\n";

impl Browser {
    /// What axe finds wrong with the page for people with disabilities.
    pub async fn axe(&self) -> Vec<String> {
        let timers = if self.javascript { "" } else { WITHOUT_TIMERS };
        let script = format!("{timers}{}\n{RUN_AXE}", axe_source());
        let violations = self.script(&script).await;
        serde_json::from_value(violations).expect("texts")
    }

    /// When the page first showed something, in milliseconds after it was asked for.
    pub async fn first_paint_ms(&self) -> f64 {
        let script = "return performance.getEntriesByName('first-contentful-paint')[0]?.startTime";
        self.until("wait for something to be shown", async || {
            let time = self.script(script).await;
            time.as_f64().ok_or_else(|| "nothing is shown".to_owned())
        })
        .await
    }

    /// Writes a picture of the whole page, as PNG.
    pub async fn screenshot(&self, path: impl AsRef<Path>) {
        let picture = match self.engine {
            Engine::Chromium => self.picture_of_chromium().await,
            Engine::Firefox => self.session.screenshot_as_png().await.expect("a picture"),
        };
        std::fs::write(path, picture).expect("written");
    }

    async fn picture_of_chromium(&self) -> Vec<u8> {
        // A page behind another is not drawn.
        self.cdp("Page.bringToFront", json!({})).await;
        let metrics = self.cdp("Page.getLayoutMetrics", json!({})).await;
        let mut clip = metrics["cssContentSize"].clone();
        clip["scale"] = json!(1);
        let whole = json!({ "captureBeyondViewport": true, "clip": clip });
        let picture = self.cdp("Page.captureScreenshot", whole).await;
        let picture = base64_decode(picture["data"].as_str().expect("a picture"));
        picture.expect("base64")
    }
}

fn axe_source() -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/test-tools/npm");
    let source = std::fs::read_to_string(folder.join("node_modules/axe-core/axe.min.js"));
    source.unwrap_or_else(|error| {
        panic!(
            "axe-core is missing ({error}): run cargo xtask test, or\n  npm install --prefix {} axe-core@^4.14",
            folder.display()
        )
    })
}
