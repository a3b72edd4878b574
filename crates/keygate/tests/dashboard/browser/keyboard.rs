use http::Method;
use thirtyfour::{
    ElementId, Key, RequestData, SessionId, TypingData, common::command::FormatRequestData,
};

use super::Browser;

impl Browser {
    /// Presses a key like `Enter` or `Shift+Tab`, or types a text, wherever the focus is.
    pub async fn press(&self, keys: &str) {
        let (modifiers, rest) = chord(keys);
        let mut actions = self.session.action_chain();
        for modifier in &modifiers {
            actions = actions.key_down(modifier.clone());
        }
        actions = actions.send_keys(named(rest).map_or_else(|| rest.into(), TypingData::from));
        for modifier in modifiers {
            actions = actions.key_up(modifier);
        }
        actions.perform().await.expect("keys are pressed");
        self.settle().await;
    }

    /// What assistive technology calls that which has the focus; `the page`, if nothing has.
    pub async fn focused(&self) -> String {
        let focused = self.until("find the focus", async || self.ask("focused", &[]).await);
        let focused = focused.await;
        if focused.is_null() {
            return "the page".to_owned();
        }
        let element = self.element(focused);
        let label = self.session.cmd(ComputedLabel(element.element_id())).await;
        let label: String = label.expect("a label").value().expect("text");
        if label.trim().is_empty() {
            let tag = element.tag_name().await.expect("a tag");
            return format!("a <{tag}> without a name");
        }
        label.split_whitespace().collect::<Vec<_>>().join(" ")
    }

    /// Presses Tab until this has the focus.
    pub async fn tab_to(&self, name: &str) {
        let mut passed = vec![self.focused().await];
        while passed.last().is_none_or(|last| last != name) {
            if passed.len() > 80 {
                let why = format!("Tab went through {}", passed.join(", "));
                self.fail(&format!("reach “{name}”"), &why).await;
            }
            self.press("Tab").await;
            passed.push(self.focused().await);
        }
    }
}

/// Asks for an element's accessible name.
#[derive(Debug)]
struct ComputedLabel(ElementId);

impl FormatRequestData for ComputedLabel {
    fn format_request(&self, session: &SessionId) -> RequestData {
        let path = format!("session/{session}/element/{}/computedlabel", self.0);
        RequestData::new(Method::GET, path)
    }
}

/// The modifiers that keys begin with, and the rest.
fn chord(keys: &str) -> (Vec<Key>, &str) {
    let mut modifiers = Vec::new();
    let mut rest = keys;
    while let Some((first, others)) = rest.split_once('+') {
        match first {
            "Shift" => modifiers.push(Key::Shift),
            "Control" => modifiers.push(Key::Control),
            "Alt" => modifiers.push(Key::Alt),
            _ => break,
        }
        rest = others;
    }
    (modifiers, rest)
}

fn named(key: &str) -> Option<Key> {
    Some(match key {
        "Tab" => Key::Tab,
        "Enter" => Key::Enter,
        "Space" => Key::Space,
        "Escape" => Key::Escape,
        "Backspace" => Key::Backspace,
        "Delete" => Key::Delete,
        "Home" => Key::Home,
        "End" => Key::End,
        "PageUp" => Key::PageUp,
        "PageDown" => Key::PageDown,
        "Up" => Key::Up,
        "Down" => Key::Down,
        "Left" => Key::Left,
        "Right" => Key::Right,
        _ => return None,
    })
}
