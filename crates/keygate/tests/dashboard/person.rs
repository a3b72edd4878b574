use serde_json::Value;

use crate::{
    browser::{Browser, Engine, Options},
    support::{EMAIL, PASSWORD, Program, Upstream},
};

/// Somebody at a browser, and what they do again and again.
pub struct Person {
    pub browser: Browser,
}

/// A program in front of an upstream, and Ada, who has made its first account.
pub struct Scene {
    pub program: Program,
    pub ada: Person,
    _upstream: Upstream,
}

impl Scene {
    pub async fn open(options: Options) -> Self {
        let upstream = Upstream::start().await;
        let program = Program::with_upstream(&upstream.url());
        let ada = Person::at(&program, options).await;
        ada.sign_up(&setup_link(&program), EMAIL).await;
        Self {
            program,
            ada,
            _upstream: upstream,
        }
    }
}

/// The address of the page for the first account.
pub fn setup_link(program: &Program) -> String {
    let mut words = program.greeting.split_whitespace();
    let link = words.find(|word| word.contains("/signup?token="));
    link.expect("a link").to_owned()
}

impl Person {
    pub async fn at(program: &Program, options: Options) -> Self {
        Self {
            browser: Browser::open(&program.url, options).await,
        }
    }

    /// Makes an account with a link.
    pub async fn sign_up(&self, link: &str, email: &str) {
        self.browser.goto(link).await;
        self.browser.fill("E-mail address", email).await;
        self.browser.fill("Password", PASSWORD).await;
        self.browser.click("Create account").await;
        self.browser.see("Welcome. Your account is ready.").await;
    }

    pub async fn sign_in(&self, email: &str, password: &str) {
        self.browser.goto("/signin").await;
        self.fill_in(email, password).await;
        self.browser.see("API keys").await;
    }

    /// Fills the form to sign in and sends it.
    pub async fn fill_in(&self, email: &str, password: &str) {
        self.browser.fill("E-mail address", email).await;
        self.browser.fill("Password", password).await;
        self.browser.click("Sign in").await;
    }

    /// Creates a key with what the form offers by itself; its secret.
    pub async fn create_key(&self, name: &str) -> String {
        self.browser.goto("/keys/new").await;
        self.browser.fill("Name", name).await;
        self.browser.click("Create key").await;
        self.browser.see("Your new key").await;
        self.secret().await
    }

    /// The secret on the page.
    pub async fn secret(&self) -> String {
        self.text_of("#secret").await
    }

    /// The text of the one element that a selector finds.
    pub async fn text_of(&self, selector: &str) -> String {
        let script = format!("return document.querySelector('{selector}').textContent");
        match self.browser.script(&script).await {
            Value::String(text) => text,
            other => panic!("{selector} is {other}"),
        }
    }

    /// Nothing was asked of anybody else, and the browser has nothing to complain about.
    pub async fn nothing_was_amiss(&self) {
        for request in self.browser.network().await {
            let is_own = request.url.starts_with(&self.browser.origin);
            assert!(is_own, "{request:?}");
        }
        let complaints = self.browser.complaints().await;
        assert!(complaints.is_empty(), "{complaints:#?}");
    }
}

/// In Firefox, with scripts.
pub const FIREFOX: Options = Options {
    engine: Engine::Firefox,
    ..BOTH_WAYS[0]
};

/// With scripts, and without.
pub const BOTH_WAYS: [Options; 2] = [
    Options {
        engine: Engine::Chromium,
        javascript: true,
        dark: false,
        phone: false,
        language: None,
        timezone: None,
    },
    Options {
        engine: Engine::Chromium,
        javascript: false,
        dark: false,
        phone: false,
        language: None,
        timezone: None,
    },
];
