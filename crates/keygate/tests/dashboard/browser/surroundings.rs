use serde_json::json;
use thirtyfour::Cookie;

use super::{Browser, Engine, Options};

/// What is around the page: the screen, the system's settings, the cookies.
impl Browser {
    pub(super) async fn surround(&self, options: Options) {
        if options.engine == Engine::Firefox {
            return;
        }
        // As if its window was the one in front, which a page must be to read the clipboard.
        let focus = json!({ "enabled": true });
        self.cdp("Emulation.setFocusEmulationEnabled", focus).await;
        self.set_phone(options.phone).await;
        self.set_dark(options.dark).await;
        if let Some(language) = options.language {
            let locale = json!({ "locale": language });
            self.cdp("Emulation.setLocaleOverride", locale).await;
        }
        if let Some(timezone) = options.timezone {
            let timezone = json!({ "timezoneId": timezone });
            self.cdp("Emulation.setTimezoneOverride", timezone).await;
        }
    }

    pub async fn set_dark(&self, dark: bool) {
        let scheme = if dark { "dark" } else { "light" };
        let features = json!([
            { "name": "prefers-color-scheme", "value": scheme },
            // What moves is neither here nor there for a while.
            { "name": "prefers-reduced-motion", "value": "reduce" },
        ]);
        let media = json!({ "features": features });
        self.cdp("Emulation.setEmulatedMedia", media).await;
    }

    /// The width of a small phone is also that of a window of 1280 pixels which is enlarged to 400 %.
    pub async fn set_phone(&self, phone: bool) {
        let (width, height, density) = if phone { (320, 844, 2) } else { (1280, 900, 1) };
        let screen = json!({
            "width": width, "height": height, "deviceScaleFactor": density, "mobile": phone,
        });
        self.cdp("Emulation.setDeviceMetricsOverride", screen).await;
        let touch = json!({ "enabled": phone });
        self.cdp("Emulation.setTouchEmulationEnabled", touch).await;
    }

    /// Loads everything anew from now on.
    pub async fn disable_cache(&self) {
        if self.engine == Engine::Firefox {
            return;
        }
        let cache = json!({ "cacheDisabled": true });
        self.cdp("Network.setCacheDisabled", cache).await;
    }

    pub async fn cookies(&self) -> Vec<Cookie> {
        self.session.get_all_cookies().await.expect("cookies")
    }

    pub async fn delete_cookies(&self) {
        let deleted = self.session.delete_all_cookies().await;
        deleted.expect("the cookies are gone");
    }

    /// The text in the clipboard.
    pub async fn clipboard(&self) -> String {
        let origin = self.text_of("return location.origin").await;
        let permission = json!({ "origin": origin, "permissions": ["clipboardReadWrite"] });
        self.cdp("Browser.grantPermissions", permission).await;
        self.text_of("return navigator.clipboard.readText()").await
    }
}
