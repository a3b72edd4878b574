use std::{collections::HashSet, sync::MutexGuard, time::Instant};

use serde_json::Value;
use thirtyfour::BrowserLogEntry;

use super::{Browser, Engine, PATIENCE, pause};

/// Something that a page asked a server for.
#[derive(Debug, Clone)]
pub struct Request {
    pub url: String,
    /// Like `Document`, `Stylesheet` or `Fetch`.
    pub kind: String,
    /// 0, if there was no answer.
    pub status: u16,
    /// What came over the wire, with the headers.
    pub bytes: u64,
    id: String,
    finished: bool,
}

/// What has happened in the browser.
#[derive(Default)]
pub struct Log {
    requests: Vec<Request>,
    /// The addresses of all pages so far.
    documents: HashSet<String>,
    /// Whether a page was asked for that is not there yet.
    pub navigating: bool,
    /// Whether a page asked if it may be left.
    asked_to_stay: bool,
}

impl Log {
    fn note(&mut self, entry: &BrowserLogEntry) {
        let entry: Value = serde_json::from_str(&entry.message).expect("JSON");
        let event = &entry["message"];
        let params = &event["params"];
        match event["method"].as_str().unwrap_or_default() {
            "Page.frameRequestedNavigation" => {
                self.navigating |= params["disposition"] == "currentTab";
            }
            "Page.frameStartedLoading" => self.navigating = true,
            "Page.frameStoppedLoading" => self.navigating = false,
            "Page.javascriptDialogOpening" => {
                self.asked_to_stay |= params["type"] == "beforeunload";
            }
            "Network.requestWillBeSent" => self.begin(params),
            "Network.responseReceived" => self.answer(params, &params["response"]),
            "Network.loadingFinished" => self.finish(params, &params["encodedDataLength"]),
            "Network.loadingFailed" => self.finish(params, &Value::Null),
            _ => {}
        }
    }

    fn begin(&mut self, params: &Value) {
        // A redirect is a request of its own with the id of the one before it.
        let redirect = &params["redirectResponse"];
        if redirect.is_object() {
            self.answer(params, redirect);
            self.finish(params, &redirect["encodedDataLength"]);
        }
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let url = text(&params["request"]["url"]);
        let kind = text(&params["type"]);
        // The browser's own icons are such, and nothing is sent for them.
        if url.starts_with("data:") || url.starts_with("blob:") {
            return;
        }
        if kind == "Document" {
            self.documents.insert(url.clone());
        }
        self.requests.push(Request {
            url,
            // These end when their page does.
            finished: kind == "EventSource",
            kind,
            status: 0,
            bytes: 0,
            id: text(&params["requestId"]),
        });
    }

    fn answer(&mut self, params: &Value, response: &Value) {
        if let Some(request) = self.request(params) {
            let status = response["status"].as_u64().unwrap_or_default();
            request.status = status.try_into().expect("a status");
        }
    }

    fn finish(&mut self, params: &Value, bytes: &Value) {
        if let Some(request) = self.request(params) {
            request.bytes = bytes.as_u64().unwrap_or_default();
            request.finished = true;
        }
    }

    fn request(&mut self, params: &Value) -> Option<&mut Request> {
        let mut latest = self.requests.iter_mut().rev();
        latest.find(|request| params["requestId"] == request.id.as_str())
    }

    /// Whether an entry is worth a complaint. That a page answered with an error is not: tests ask
    /// for such pages.
    fn complains(&self, entry: &BrowserLogEntry) -> bool {
        let grave = entry.level == "WARNING" || entry.level == "SEVERE";
        let refusal = " - Failed to load resource: the server responded with a status of ";
        let page = entry.message.split_once(refusal);
        grave && page.is_none_or(|(url, _)| !self.documents.contains(url))
    }
}

impl Browser {
    pub(super) fn log(&self) -> MutexGuard<'_, Log> {
        self.log.lock().expect("not poisoned")
    }

    pub(super) async fn catch_up(&self) {
        if self.engine == Engine::Firefox {
            return;
        }
        let entries = self.session.get_log("performance").await.expect("a log");
        let mut log = self.log();
        for entry in &entries {
            log.note(entry);
        }
    }

    /// What was asked for since the last call, once all of it has come.
    pub async fn network(&self) -> Vec<Request> {
        let deadline = Instant::now() + PATIENCE;
        self.catch_up().await;
        while self.log().requests.iter().any(|request| !request.finished)
            && Instant::now() < deadline
        {
            pause().await;
            self.catch_up().await;
        }
        std::mem::take(&mut self.log().requests)
    }

    /// The browser's errors and warnings since the last call, the page's own and those about it.
    pub async fn complaints(&self) -> Vec<String> {
        if self.engine == Engine::Firefox {
            return Vec::new();
        }
        let entries = self.session.browser_log().await.expect("a log");
        self.catch_up().await;
        let log = self.log();
        let complaints = entries.iter().filter(|entry| log.complains(entry));
        complaints
            .map(|entry| format!("{}: {}", entry.level, entry.message))
            .collect()
    }

    /// Whether a page asked since the last call if it may be left. The driver always says yes.
    pub async fn asked_to_stay(&self) -> bool {
        self.catch_up().await;
        std::mem::take(&mut self.log().asked_to_stay)
    }
}
