//! A person at a real browser, Chromium or Firefox, led through its driver.
//!
//! Whatever is looked for is waited for; a failure says what the page showed instead.

// Each test uses its own part of this.
#![allow(dead_code, unused_imports)]

mod driver;
mod forms;
mod inspection;
mod keyboard;
mod log;
mod options;
mod reading;
mod surroundings;

pub use log::Request;
pub use options::{Engine, Options};

use std::{
    sync::Mutex,
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use thirtyfour::{WebDriver, WebElement, error::WebDriverError};

use crate::network::Machine;
use driver::Driver;
use log::Log;

/// How long anything may take to come about.
const PATIENCE: Duration = Duration::from_secs(10);

/// What runs in the page, whatever its policy says about scripts.
const PAGE: &str = include_str!("browser/page.js");

/// A browser of its own, with an empty profile. It is ended when dropped.
pub struct Browser {
    /// What a path is on.
    pub origin: String,
    pub engine: Engine,
    javascript: bool,
    session: WebDriver,
    log: Mutex<Log>,
    _driver: Driver,
}

impl Browser {
    pub async fn open(origin: &str, options: Options) -> Self {
        Self::led_by(Driver::start(options.engine, None), origin, options).await
    }

    /// One on another machine.
    pub async fn open_on(machine: &Machine, origin: &str, options: Options) -> Self {
        let driver = Driver::start(options.engine, Some(machine));
        Self::led_by(driver, origin, options).await
    }

    async fn led_by(mut driver: Driver, origin: &str, options: Options) -> Self {
        let capabilities = options.capabilities(driver.folder());
        let session = WebDriver::new(driver.url(), capabilities).await;
        let session = session.expect("the browser starts");
        driver.leads(&session.session_id().to_string());
        let browser = Self {
            origin: origin.to_owned(),
            engine: options.engine,
            javascript: options.javascript,
            session,
            log: Mutex::default(),
            _driver: driver,
        };
        browser.surround(options).await;
        browser
    }

    /// Opens a path of the origin, or a whole URL.
    pub async fn goto(&self, place: &str) {
        let url = if place.starts_with('/') {
            format!("{}{place}", self.origin)
        } else {
            place.to_owned()
        };
        if let Err(error) = self.session.goto(&url).await {
            self.fail(&format!("open {url}"), &reason(&error)).await;
        }
    }

    pub async fn reload(&self) {
        self.session.refresh().await.expect("it loads again");
        self.settle().await;
    }

    pub async fn back(&self) {
        self.session.back().await.expect("it goes back");
        self.settle().await;
    }

    /// What a script returns.
    pub async fn script(&self, script: &str) -> Value {
        match self.session.execute(script, []).await {
            Ok(answer) => answer.json().clone(),
            Err(error) => self.fail(&format!("run {script}"), &reason(&error)).await,
        }
    }

    async fn text_of(&self, script: &str) -> String {
        let value = self.script(script).await;
        value.as_str().unwrap_or_default().to_owned()
    }

    /// Calls a function of `page.js`: its answer, or why it has none.
    async fn ask(&self, function: &str, args: &[&str]) -> Result<Value, String> {
        let script = format!("{PAGE}\nreturn answered({function}, arguments);");
        let args: Vec<Value> = args.iter().map(|arg| json!(arg)).collect();
        let answer = self.session.execute(script, args).await;
        let mut answer = answer.map_err(|error| reason(&error))?.json().clone();
        match answer["why"].as_str() {
            Some(why) => Err(why.to_owned()),
            None => Ok(answer["answer"].take()),
        }
    }

    /// The element that a function of `page.js` answered.
    fn element(&self, answer: Value) -> WebElement {
        WebElement::from_json(answer, self.session.handle().clone()).expect("an element")
    }

    /// Tries again and again until it is done.
    async fn until<T>(&self, what: &str, mut act: impl AsyncFnMut() -> Result<T, String>) -> T {
        let deadline = Instant::now() + PATIENCE;
        loop {
            match act().await {
                Ok(answer) => return answer,
                Err(why) if Instant::now() > deadline => self.fail(what, &why).await,
                Err(_) => pause().await,
            }
        }
    }

    /// Waits for the page that was asked for, if one was: Chromium's driver answers a click on a button
    /// before the form is sent.
    async fn settle(&self) {
        let deadline = Instant::now() + PATIENCE;
        self.catch_up().await;
        while self.log().navigating && Instant::now() < deadline {
            pause().await;
            self.catch_up().await;
        }
    }

    async fn cdp(&self, method: &str, params: Value) -> Value {
        let answer = self.session.cdp().send_raw(method, params).await;
        answer.unwrap_or_else(|error| panic!("{method}: {}", reason(&error)))
    }

    async fn fail(&self, what: &str, why: &str) -> ! {
        let page = "return `${location.href}, “${document.title}”:\n${document.body?.innerText}`";
        let page = match self.session.execute(page, []).await {
            Ok(page) => page.json().as_str().unwrap_or_default().to_owned(),
            Err(error) => reason(&error),
        };
        let page: String = page.chars().take(1500).collect();
        panic!("could not {what}: {why}\n--- {page}\n---");
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // The driver ends the session with itself.
        let _ = self.session.clone().leak();
    }
}

async fn pause() {
    tokio::time::sleep(Duration::from_millis(20)).await;
}

/// What the driver says went wrong, without where in its code.
fn reason(error: &WebDriverError) -> String {
    let text = error.to_string();
    let text = text.split("Stacktrace:").next().unwrap_or_default();
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
