use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use keygate_control::Control;
use keygate_http::Requests;

use crate::{api::status::StatusPages, brand::Brand, cookie::TokenCookie};

/// Under which address the service is known, and as what.
#[derive(Debug, Clone)]
pub struct Site {
    /// Scheme, host and port, as a browser writes an origin: `https://keys.example.com`.
    pub origin: String,
    /// Whether the operator said so. If not, it is only the address that keygate listens on, and
    /// a browser may well know it by another name.
    pub is_configured: bool,
    /// What it is to those who use it.
    pub brand: Arc<Brand>,
}

impl Site {
    /// Whether the operator said that the service has this name.
    pub(crate) fn is_called(&self, name: &str) -> bool {
        let origin: Option<http::Uri> = self.origin.parse().ok();
        let own = origin.as_ref().and_then(http::Uri::host);
        self.is_configured && own.is_some_and(|own| own.eq_ignore_ascii_case(name))
    }

    pub(crate) fn is_https(&self) -> bool {
        self.origin.starts_with("https://")
    }
}

/// What the handlers share.
#[derive(Clone)]
pub struct WebState(Arc<Shared>);

struct Shared {
    control: Arc<Control>,
    site: Site,
    cookie: TokenCookie,
    browser_cookie: TokenCookie,
    draining: AtomicBool,
    requests: Requests,
    status_pages: StatusPages,
}

impl WebState {
    /// Handlers over these use cases, at this address. The names of cookies end in `installation`, if there is
    /// any. Answers count among `requests`.
    pub fn new(
        control: Arc<Control>,
        site: Site,
        installation: &str,
        session_absolute: Duration,
        requests: Requests,
    ) -> Self {
        let is_https = site.is_https();
        Self(Arc::new(Shared {
            control,
            site,
            cookie: TokenCookie::of_session(installation, is_https, session_absolute),
            browser_cookie: TokenCookie::of_browser(installation, is_https),
            draining: false.into(),
            requests,
            status_pages: StatusPages::new(),
        }))
    }

    /// From now on `/readyz` says that the program takes no more work.
    pub fn begin_draining(&self) {
        self.0.draining.store(true, Ordering::Relaxed);
    }

    pub(crate) fn is_draining(&self) -> bool {
        self.0.draining.load(Ordering::Relaxed)
    }

    pub(crate) fn requests(&self) -> &Requests {
        &self.0.requests
    }

    pub(crate) fn status_pages(&self) -> &StatusPages {
        &self.0.status_pages
    }

    pub(crate) fn control(&self) -> &Control {
        &self.0.control
    }

    pub(crate) fn site(&self) -> &Site {
        &self.0.site
    }

    pub(crate) fn brand(&self) -> &Arc<Brand> {
        &self.0.site.brand
    }

    /// The cookie that stands for a session.
    pub(crate) fn cookie(&self) -> &TokenCookie {
        &self.0.cookie
    }

    /// The cookie by which a browser is known again.
    pub(crate) fn browser_cookie(&self) -> &TokenCookie {
        &self.0.browser_cookie
    }
}
