use serde_json::Value;
use thirtyfour::Key;

use super::{Browser, reason};

impl Browser {
    /// Puts this into the field with this label, in the place of what it held. A list takes the
    /// text of one of its options; a date is like `2026-12-24`.
    pub async fn fill(&self, label: &str, value: &str) {
        let what = format!("fill “{label}” with “{value}”");
        self.until(&what, async || {
            let mut step = self.ask("fill", &[label, value]).await?;
            let done = match (step["type"].take(), step["choose"].take()) {
                (Value::Null, Value::Null) => Ok(()),
                (Value::Null, option) => self.element(option).click().await,
                // What was there is selected, and goes with the first key.
                (field, _) if value.is_empty() => {
                    self.element(field).send_keys(Key::Backspace).await
                }
                (field, _) => self.element(field).send_keys(value).await,
            };
            done.map_err(|error| reason(&error))
        })
        .await;
        self.settle().await;
    }

    /// Checks the box with this label, or unchecks it.
    pub async fn check(&self, label: &str, wanted: bool) {
        let what = format!("set “{label}” to {wanted}");
        let state = wanted.to_string();
        self.until(&what, async || {
            match self.ask("check", &[label, &state]).await? {
                Value::Null => return Ok(()),
                target => self.element(target).click().await,
            }
            .map_err(|error| reason(&error))?;
            Err("a click did not change it".to_owned())
        })
        .await;
        self.settle().await;
    }

    /// What is in the field with this label: a list's chosen text, a box's `true` or `false`.
    pub async fn value(&self, label: &str) -> String {
        let what = format!("read the field “{label}”");
        let value = self.until(&what, async || self.ask("value_of", &[label]).await);
        value.await.as_str().unwrap_or_default().to_owned()
    }
}
