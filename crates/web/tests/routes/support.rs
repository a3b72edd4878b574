//! The routes over a real store, with the time and the randomness held still.

use std::{
    convert::Infallible,
    fmt,
    net::IpAddr,
    path::Path,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use axum::{Router, body::Body};
use futures_util::{Stream, StreamExt};
use http::{HeaderMap, Request, StatusCode, header};
use http_body_util::BodyExt;
use keygate_control::{Control, KeyLimits, Policy, Signup, StatusPolicy};
use keygate_core::{
    Clock, KeyId, ManualClock, OsRandom, RecorderId, Role, SeededRandom, Timestamp,
    key::{KeyFormat, KeyHasher},
};
use keygate_http::{ClientAddress, Requests};
use keygate_storage::Store;
use keygate_storage_sqlite::{SqliteStore, testing::take_sessions_away};
use keygate_web::{Site, WebState, router};
use serde_json::Value;
use tempfile::TempDir;
use tower::ServiceExt;

pub const START: Timestamp = Timestamp::from_millis(1_781_078_400_000);
pub const PASSWORD: &str = "correct horse battery staple";

pub struct TestApp {
    pub router: Router,
    pub state: WebState,
    pub clock: Arc<ManualClock>,
    pub control: Arc<Control>,
    pub store: Arc<SqliteStore>,
    pub folder: TempDir,
}

pub struct Options {
    pub signup: Signup,
    pub site: Site,
    pub status: StatusPolicy,
    pub key_limits: KeyLimits,
    /// What the names of cookies end in.
    pub installation: &'static str,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            signup: Signup::Closed,
            site: Site {
                origin: "http://127.0.0.1:8080".into(),
                is_configured: false,
                brand: Arc::default(),
            },
            status: StatusPolicy::default(),
            key_limits: Policy::default().key_limits,
            installation: "",
        }
    }
}

impl Options {
    /// Known to the world as `https://keys.example.com`.
    pub fn https() -> Self {
        Self {
            site: Site {
                origin: "https://keys.example.com".into(),
                is_configured: true,
                brand: Arc::default(),
            },
            ..Self::default()
        }
    }
}

impl TestApp {
    pub fn new() -> Self {
        Self::with(Options::default())
    }

    pub fn with(options: Options) -> Self {
        Self::open(options, None)
    }

    /// An app over a database that `past` has filled.
    pub fn with_past(options: Options, past: &dyn Fn(&Path)) -> Self {
        Self::open(options, Some(past))
    }

    fn open(options: Options, past: Option<&dyn Fn(&Path)>) -> Self {
        let folder = TempDir::new().expect("a temporary folder");
        let path = folder.path().join("keygate.db");
        if let Some(past) = past {
            drop(keygate_storage_sqlite::open(&path).expect("a new database opens"));
            past(&path);
        }
        let store = Arc::new(keygate_storage_sqlite::open(&path).expect("a new database opens"));
        let clock = Arc::new(ManualClock::at(START));
        let policy = Policy {
            key_limits: options.key_limits,
            signup: options.signup,
            session_idle: Duration::from_hours(1),
            session_absolute: Duration::from_hours(2),
            status: options.status,
            ..Policy::default()
        };
        let control = Arc::new(Control::new(
            store.clone(),
            clock.clone(),
            Arc::new(SeededRandom::new(1)),
            KeyFormat::default(),
            KeyHasher::default(),
            policy,
        ));
        let state = WebState::new(
            control.clone(),
            options.site,
            options.installation,
            Duration::from_hours(2),
            Requests::default(),
        );
        Self {
            router: router(state.clone()),
            state,
            clock,
            control,
            store,
            folder,
        }
    }

    /// An app in which ada@example.com has signed in; and her cookie.
    pub async fn signed_in() -> (Self, String) {
        let app = Self::new();
        let cookie = app.account("ada@example.com").await;
        (app, cookie)
    }

    /// Makes an account and signs in to it.
    pub async fn account(&self, email: &str) -> String {
        self.account_as(email, Role::Member).await
    }

    /// The same for an account with this role.
    pub async fn account_as(&self, email: &str, role: Role) -> String {
        let created = self.control.create_account(email, PASSWORD, role).await;
        created.expect("the account is made");
        self.sign_in(email).await
    }

    pub async fn sign_in(&self, email: &str) -> String {
        let body = serde_json::json!({"email": email, "password": PASSWORD});
        let answer = self
            .post("/api/session")
            .json(&body.to_string())
            .send()
            .await;
        assert_eq!(answer.status, 204, "{answer}");
        answer.cookie()
    }

    pub fn call(&self, method: &str, path: &str) -> Call<'_> {
        let address: IpAddr = "192.0.2.1".parse().expect("an address");
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header(header::HOST, "127.0.0.1:8080")
            .extension(ClientAddress(address));
        Call {
            app: self,
            request,
            body: Body::empty(),
        }
    }

    /// A call that is sent to this host.
    pub fn get_of(&self, host: &str, path: &str) -> Call<'_> {
        let address: IpAddr = "192.0.2.1".parse().expect("an address");
        let request = Request::builder()
            .uri(path)
            .header(header::HOST, host)
            .extension(ClientAddress(address));
        Call {
            app: self,
            request,
            body: Body::empty(),
        }
    }

    pub fn get(&self, path: &str) -> Call<'_> {
        self.call("GET", path)
    }

    pub fn post(&self, path: &str) -> Call<'_> {
        self.call("POST", path)
    }

    pub fn patch(&self, path: &str) -> Call<'_> {
        self.call("PATCH", path)
    }

    pub fn delete(&self, path: &str) -> Call<'_> {
        self.call("DELETE", path)
    }

    /// Creates a key; its record.
    pub async fn key(&self, cookie: &str, body: &str) -> Value {
        let answer = self
            .post("/api/keys")
            .cookie(cookie)
            .json(body)
            .send()
            .await;
        assert_eq!(answer.status, 201, "{answer}");
        answer.json()
    }

    /// All keys of the account, in any state.
    pub async fn all_keys(&self, cookie: &str) -> Value {
        let answer = self.get("/api/keys?status=all").cookie(cookie).send().await;
        assert_eq!(answer.status, 200, "{answer}");
        answer.json()
    }

    /// Notes that a key was used at this time.
    pub async fn use_key(&self, id: &str, at: Timestamp) {
        use keygate_storage::{KeyUse, UsageFlush, UsageStore};
        let used = KeyUse {
            key_id: KeyId::parse(id).expect("an id"),
            last_used_at: at,
            requests: 1,
        };
        let flush = UsageFlush {
            recorder: RecorderId::generate(self.clock.now(), &OsRandom),
            number: 1,
            uses: vec![used],
        };
        let recorded = self.store.record_uses(Arc::new(flush)).await;
        recorded.expect("the store answers");
    }

    /// The names of the audited actions, newest first.
    pub async fn audited(&self) -> Vec<String> {
        use keygate_storage::{AuditPage, AuditStore};
        let page = AuditPage {
            limit: 1_000,
            ..AuditPage::default()
        };
        let entries = self.store.list_audit_entries(page).await;
        let entries = entries.expect("the store answers");
        entries.iter().map(|found| found.action.clone()).collect()
    }

    /// Has every call fail that needs a session, and by no fault of the database's.
    pub fn take_sessions_away(&self) {
        take_sessions_away(&self.folder.path().join("keygate.db"));
    }

    /// Breaks the store.
    pub async fn close_store(&self) {
        self.store.close().await;
    }
}

pub struct Call<'a> {
    app: &'a TestApp,
    request: http::request::Builder,
    body: Body,
}

impl Call<'_> {
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.request = self.request.header(name, value);
        self
    }

    /// Sent to another host.
    pub fn host(mut self, host: &str) -> Self {
        let headers = self.request.headers_mut().expect("they are valid so far");
        headers.insert(header::HOST, host.parse().expect("a host"));
        self
    }

    pub fn cookie(self, cookie: &str) -> Self {
        self.header("cookie", cookie)
    }

    /// From another address.
    pub fn from(mut self, address: &str) -> Self {
        let address: IpAddr = address.parse().expect("an address");
        self.request = self.request.extension(ClientAddress(address));
        self
    }

    pub fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        let body = body.into();
        let length = body.len().to_string();
        self.body = Body::from(body);
        self.header("content-length", &length)
    }

    /// What a browser sends for a form.
    pub fn form(self, encoded: &str) -> Self {
        let form = "application/x-www-form-urlencoded";
        self.header("content-type", form).body(encoded)
    }

    /// A body that does not say how long it is.
    pub fn stream(mut self, body: &str) -> Self {
        let chunk = Ok::<_, Infallible>(body.to_owned());
        self.body = Body::from_stream(futures_util::stream::iter([chunk]));
        self
    }

    /// A body of which nothing comes after this. Once it is waited for, time passes at once.
    pub fn stalled(mut self, beginning: &'static str) -> Self {
        let beginning = futures_util::stream::iter([Ok(beginning)]);
        self.body = Body::from_stream(beginning.chain(Stalled { is_awaited: false }));
        self
    }

    pub fn json(self, body: &str) -> Self {
        self.header("content-type", "application/json").body(body)
    }

    /// Sends the head, and the body once it is there.
    pub async fn send_after(mut self, body: impl Future<Output = String>) -> Answer {
        let (sender, receiver) = tokio::sync::oneshot::channel::<String>();
        self.body = Body::from_stream(futures_util::stream::once(receiver));
        let arrival = async {
            let body = body.await;
            sender.send(body).expect("somebody waits for it");
        };
        let (answer, ()) = futures_util::future::join(self.send(), arrival).await;
        answer
    }

    pub async fn send(self) -> Answer {
        let request = self.request.body(self.body).expect("a valid request");
        let response = self.app.router.clone().oneshot(request).await;
        let (parts, body) = response.expect("infallible").into_parts();
        let body = body.collect().await.expect("a whole body").to_bytes();
        let size = body.len();
        let is_encoded = parts.headers.contains_key("content-encoding");
        let text = (!is_encoded).then(|| String::from_utf8(body.into()).expect("UTF-8"));
        Answer {
            status: parts.status,
            headers: parts.headers,
            body: text.unwrap_or_default(),
            size,
        }
    }
}

/// Nothing ever comes of it, and the time until somebody finds that too long is passed over.
struct Stalled {
    is_awaited: bool,
}

impl Stream for Stalled {
    type Item = Result<&'static str, Infallible>;

    fn poll_next(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if !self.is_awaited {
            self.is_awaited = true;
            tokio::time::pause();
        }
        Poll::Pending
    }
}

impl Drop for Stalled {
    fn drop(&mut self) {
        if self.is_awaited {
            tokio::time::resume();
        }
    }
}

pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    /// Empty where it is encoded.
    pub body: String,
    /// How many bytes the body had on its way.
    pub size: usize,
}

impl Answer {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).expect("a JSON body")
    }

    /// `name=value` of the session's cookie, which is set first.
    pub fn cookie(&self) -> String {
        self.cookies().remove(0)
    }

    /// `name=value` of each cookie that was set.
    pub fn cookies(&self) -> Vec<String> {
        let set = self.headers.get_all(header::SET_COOKIE).iter();
        let pair = |set: &http::HeaderValue| {
            let text = set.to_str().expect("ASCII");
            text.split(';').next().expect("a pair").to_owned()
        };
        set.map(pair).collect()
    }

    /// What stands in a field of the page's form.
    pub fn value(&self, name: &str) -> String {
        let tags = self.body.split("<input").skip(1);
        let mut tags = tags.filter_map(|tag| Some(tag.split_once('>')?.0));
        let tag = tags.find(|tag| tag.contains(&format!(r#"name="{name}""#)));
        let value = tag.and_then(|tag| tag.split_once("value=\""));
        let value = value.and_then(|(_, rest)| rest.split_once('"'));
        unescaped(value.unwrap_or_else(|| panic!("no field {name}: {self}")).0)
    }

    /// The scopes that are ticked.
    pub fn checked(&self) -> Vec<String> {
        let tags = self.body.split("<input").skip(1);
        let tags = tags.filter_map(|tag| Some(tag.split_once('>')?.0));
        let tags = tags.filter(|tag| tag.contains(" checked"));
        tags.filter_map(|tag| Some(tag.split_once("value=\"")?.1.split_once('"')?.0.to_owned()))
            .collect()
    }

    /// What is said to be wrong with a field; empty where nothing is.
    pub fn error(&self, name: &str) -> String {
        let found = self.body.split_once(&format!(r#"id="{name}-error">"#));
        let text = found.and_then(|(_, rest)| rest.split_once('<'));
        unescaped(text.map_or("", |(text, _)| text))
    }

    /// Status, code and param, in a line.
    pub fn summary(&self) -> String {
        let body: Value = serde_json::from_str(&self.body).unwrap_or_default();
        let error = &body["error"];
        format!(
            "{} {} {}",
            self.status.as_u16(),
            error["code"],
            error["param"]
        )
    }
}

/// What a page means by its text.
pub fn unescaped(html: &str) -> String {
    let named = [
        ("&#60;", "<"),
        ("&#62;", ">"),
        ("&#34;", "\""),
        ("&#39;", "'"),
        ("&#38;", "&"),
    ];
    named
        .iter()
        .fold(html.to_owned(), |text, (name, character)| {
            text.replace(name, character)
        })
}

/// Fields as a browser sends them.
pub fn encoded(fields: &[(&str, &str)]) -> String {
    form_urlencoded::Serializer::new(String::new())
        .extend_pairs(fields)
        .finish()
}

/// Status, all headers and body, for snapshots.
impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.status)?;
        let mut headers: Vec<_> = self.headers.iter().collect();
        headers.sort_by_key(|(name, _)| name.as_str());
        for (name, value) in headers {
            writeln!(f, "{name}: {}", value.to_str().expect("ASCII"))?;
        }
        write!(f, "\n{}", self.body)
    }
}
