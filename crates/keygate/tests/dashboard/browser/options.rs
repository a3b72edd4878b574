use std::path::Path;

use serde_json::{Value, json};
use thirtyfour::Capabilities;

const FLAGS: [&str; 11] = [
    "--headless",
    "--no-sandbox",
    "--no-first-run",
    "--no-proxy-server",
    "--disable-gpu",
    "--disable-quic",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-dev-shm-usage",
    "--disable-sync",
    "--window-size=1280,900",
];

/// Which browser it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Engine {
    Chromium,
    /// Led through its driver alone: what its network and its console say is not known, its window has one size,
    /// and it loads everything anew.
    Firefox,
}

/// Whose browser it is.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    pub engine: Engine,
    pub javascript: bool,
    /// Prefers dark colours.
    pub dark: bool,
    /// 390 by 844 and touched, rather than 1280 by 900 with a mouse.
    pub phone: bool,
    /// Like `de-DE`.
    pub language: Option<&'static str>,
    /// Like `Asia/Tokyo`.
    pub timezone: Option<&'static str>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            engine: Engine::Chromium,
            javascript: true,
            dark: false,
            phone: false,
            language: None,
            timezone: None,
        }
    }
}

impl Options {
    /// What the driver is asked for, with a profile in this folder.
    pub fn capabilities(&self, folder: &Path) -> Capabilities {
        let capabilities = match self.engine {
            Engine::Chromium => self.of_chromium(folder),
            Engine::Firefox => json!({
                "browserName": "firefox",
                "moz:firefoxOptions": {
                    "args": ["-headless", "--width=1280", "--height=900"],
                    "prefs": {
                        "javascript.enabled": self.javascript,
                        "browser.cache.disk.enable": false,
                        "browser.cache.memory.enable": false,
                    },
                },
            }),
        };
        serde_json::from_value(capabilities).expect("an object")
    }

    fn of_chromium(&self, folder: &Path) -> Value {
        let mut flags: Vec<String> = FLAGS.map(str::to_owned).to_vec();
        flags.push(format!(
            "--user-data-dir={}",
            folder.join("profile").display()
        ));
        json!({
            "browserName": "chrome",
            "goog:loggingPrefs": { "browser": "ALL", "performance": "ALL" },
            "goog:chromeOptions": { "args": flags, "prefs": self.preferences(folder) },
        })
    }

    fn preferences(&self, folder: &Path) -> Value {
        let mut preferences = json!({
            // Otherwise it begins with a page that loads eighty files of its own.
            "session.restore_on_startup": 4,
            "session.startup_urls": ["about:blank"],
            "credentials_enable_service": false,
            "profile.password_manager_enabled": false,
            "profile.password_manager_leak_detection": false,
            "download.default_directory": folder.join("downloads"),
        });
        if !self.javascript {
            preferences["profile.managed_default_content_settings.javascript"] = json!(2);
        }
        if let Some(language) = self.language {
            preferences["intl.accept_languages"] = json!(language);
        }
        preferences
    }
}
