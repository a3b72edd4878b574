use std::cmp::Reverse;

use askama::Template;
use axum::{Extension, extract::State, response::Response};
use http::{StatusCode, Uri};
use keygate_control::SignedInSession;
use keygate_core::{ApiKey, KeyState, Timestamp, folded, key::KeyName};

use super::{KeyView, snippets::base_url, state_name, switched};
use crate::{
    origin::Origin,
    pages::{form::Form, frame::Frame, message, page, with_query},
    state::WebState,
};

/// How many keys one page has at most.
const PAGE: usize = 100;

#[derive(Template)]
#[template(path = "keys/list.html")]
struct ListPage {
    frame: Frame,
    notice: Option<&'static str>,
    base_url: String,
    active: usize,
    max_active: u32,
    has_place: bool,
    total: usize,
    tabs: Vec<Tab>,
    status: &'static str,
    sort: String,
    search: String,
    sorted_by: &'static str,
    columns: Vec<Column>,
    rows: Vec<KeyView>,
    /// The address of the list as it is shown.
    here: String,
    /// What is said where there is none.
    none: String,
    newer: Option<String>,
    older: Option<String>,
}

/// A choice of keys by their state.
struct Tab {
    label: &'static str,
    count: usize,
    href: String,
    is_current: bool,
}

struct Column {
    label: &'static str,
    /// Where the list is sorted by it.
    href: Option<String>,
    /// How it is sorted, if it is.
    direction: Option<&'static str>,
    class: Option<&'static str>,
}

/// Which keys are shown, and how.
struct Choice {
    /// `None` for all.
    state: Option<KeyState>,
    search: String,
    order: Order,
    is_descending: bool,
    page: usize,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Order {
    Name,
    Created,
    LastUsed,
    Expires,
}

/// `GET /keys`
pub(crate) async fn list(
    State(state): State<WebState>,
    Extension(signed_in): Extension<SignedInSession>,
    Origin(origin): Origin,
    uri: Uri,
) -> Response {
    let query = Form::of_query(&uri);
    let frame = Frame::of(&state, &signed_in, "keys");
    let control = state.control();
    match control.list_all_keys(signed_in.account.id).await {
        Ok(keys) => {
            let notice = notice(query.text("done"));
            let (max_active, now) = (control.max_active_keys(), control.now());
            let choice = Choice::of(&query);
            let base_url = base_url(&origin);
            let list = ListPage::new(frame, notice, base_url, keys, max_active, &choice, now);
            page(StatusCode::OK, &list)
        }
        Err(problem) => message::show(frame, &problem),
    }
}

fn notice(done: &str) -> Option<&'static str> {
    match done {
        "welcome" => Some("Welcome. Your account is ready."),
        "revoked" => Some("The key is revoked. It no longer works."),
        _ => switched(done),
    }
}

/// The list from which a form was sent, once what it asks for is done.
pub(super) fn back(form: &Form, done: &str) -> Option<String> {
    let here: Uri = form.text("list").parse().ok()?;
    let choice = Choice::of(&Form::of_query(&here));
    Some(format!("{}&done={done}", choice.with_page(choice.page)))
}

impl ListPage {
    fn new(
        frame: Frame,
        notice: Option<&'static str>,
        base_url: String,
        mut keys: Vec<ApiKey>,
        max_active: u32,
        choice: &Choice,
        now: Timestamp,
    ) -> Self {
        let count = |state| keys.iter().filter(|key| key.state(now) == state).count();
        let (total, active) = (keys.len(), count(KeyState::Active));
        let tab = |label, state: Option<KeyState>| Tab {
            label,
            count: state.map_or(total, count),
            href: choice.with_state(state),
            is_current: state == choice.state,
        };
        let tabs = vec![
            tab("Active", Some(KeyState::Active)),
            tab("Inactive", Some(KeyState::Inactive)),
            tab("Expired", Some(KeyState::Expired)),
            tab("All", None),
        ];
        let search = folded(&choice.search);
        keys.retain(|key| choice.takes(key, &search, now));
        choice.sort(&mut keys);
        let skipped = choice.page.saturating_mul(PAGE);
        let page = keys.iter().skip(skipped).take(PAGE);
        Self {
            frame,
            notice,
            base_url,
            active,
            max_active,
            has_place: active < max_active as usize,
            total,
            tabs,
            status: choice.status(),
            sort: choice.sort_name(),
            search: choice.search.clone(),
            sorted_by: choice.order.label(),
            columns: choice.columns(),
            rows: page.map(|key| KeyView::new(key, now)).collect(),
            here: choice.with_page(choice.page),
            none: choice.none(),
            newer: choice
                .page
                .checked_sub(1)
                .map(|page| choice.with_page(page)),
            older: (keys.len() > skipped.saturating_add(PAGE))
                .then(|| choice.with_page(choice.page + 1)),
        }
    }
}

impl Choice {
    fn of(query: &Form) -> Self {
        let sort = query.text("sort");
        let order = Order::ALL
            .into_iter()
            .find(|order| order.name() == sort.trim_start_matches('-'));
        Self {
            state: match query.text("status") {
                "all" => None,
                "inactive" => Some(KeyState::Inactive),
                "expired" => Some(KeyState::Expired),
                _ => Some(KeyState::Active),
            },
            // No name is longer.
            search: query
                .text("search")
                .trim()
                .chars()
                .take(KeyName::MAX_CHARS)
                .collect(),
            order: order.unwrap_or(Order::Created),
            is_descending: order.is_none() || sort.starts_with('-'),
            page: query.text("page").parse().unwrap_or(0),
        }
    }

    /// `search` is folded.
    fn takes(&self, key: &ApiKey, search: &str, now: Timestamp) -> bool {
        self.state.is_none_or(|state| key.state(now) == state)
            && (folded(key.details.name.as_str()).contains(search)
                || folded(&key.key_prefix).contains(search))
    }

    fn sort(&self, keys: &mut [ApiKey]) {
        // What never happened or never will stands last, whichever way round.
        match (self.order, self.is_descending) {
            (Order::Name, false) => {
                keys.sort_by_cached_key(|key| folded(key.details.name.as_str()));
            }
            (Order::Name, true) => {
                keys.sort_by_cached_key(|key| Reverse(folded(key.details.name.as_str())));
            }
            (Order::Created, false) => keys.sort_by_key(|key| key.id),
            (Order::Created, true) => keys.sort_by_key(|key| Reverse(key.id)),
            (Order::LastUsed, false) => {
                keys.sort_by_key(|key| (key.last_used_at.is_none(), key.last_used_at));
            }
            (Order::LastUsed, true) => keys.sort_by_key(|key| Reverse(key.last_used_at)),
            (Order::Expires, false) => {
                keys.sort_by_key(|key| (key.details.expires_at.is_none(), key.details.expires_at));
            }
            (Order::Expires, true) => keys.sort_by_key(|key| Reverse(key.details.expires_at)),
        }
    }

    /// That there is no such key.
    fn none(&self) -> String {
        match self.state {
            Some(state) if self.search.is_empty() => format!("No {} keys.", state_name(state)),
            _ => "No keys match.".to_owned(),
        }
    }

    fn status(&self) -> &'static str {
        self.state.map_or("all", state_name)
    }

    fn sort_name(&self) -> String {
        sort_name(self.order, self.is_descending)
    }

    fn link(&self, status: &str, sort: &str, page: usize) -> String {
        let page = page.to_string();
        let pairs = [
            ("status", status),
            ("sort", sort),
            ("search", &self.search),
            ("page", &page),
        ];
        let said = |(name, text): &(&str, &str)| match *name {
            "search" => !text.is_empty(),
            "page" => *text != "0",
            _ => true,
        };
        with_query("/keys", pairs.into_iter().filter(said))
    }

    fn with_state(&self, state: Option<KeyState>) -> String {
        self.link(state.map_or("all", state_name), &self.sort_name(), 0)
    }

    fn with_page(&self, page: usize) -> String {
        self.link(self.status(), &self.sort_name(), page)
    }

    /// The link that sorts by a column; the other way round if it is sorted by it.
    fn with_order(&self, order: Order) -> String {
        let is_descending = match order {
            _ if order == self.order => !self.is_descending,
            Order::Name | Order::Expires => false,
            Order::Created | Order::LastUsed => true,
        };
        self.link(self.status(), &sort_name(order, is_descending), 0)
    }

    fn columns(&self) -> Vec<Column> {
        let sorted = |order: Order, class| Column {
            label: order.label(),
            href: Some(self.with_order(order)),
            direction: (order == self.order).then_some(if self.is_descending {
                "descending"
            } else {
                "ascending"
            }),
            class,
        };
        let plain = |label, class| Column {
            label,
            href: None,
            direction: None,
            class,
        };
        vec![
            sorted(Order::Name, None),
            plain("Scopes", Some("wide")),
            sorted(Order::Created, Some("wide")),
            sorted(Order::LastUsed, None),
            sorted(Order::Expires, Some("wide")),
            plain("State", None),
        ]
    }
}

fn sort_name(order: Order, is_descending: bool) -> String {
    let sign = if is_descending { "-" } else { "" };
    format!("{sign}{}", order.name())
}

impl Order {
    const ALL: [Self; 4] = [Self::Name, Self::Created, Self::LastUsed, Self::Expires];

    const fn name(self) -> &'static str {
        match self {
            Self::Name => "name",
            Self::Created => "created",
            Self::LastUsed => "last_used",
            Self::Expires => "expires",
        }
    }

    const fn label(self) -> &'static str {
        match self {
            Self::Name => "Name",
            Self::Created => "Created",
            Self::LastUsed => "Last used",
            Self::Expires => "Expires",
        }
    }
}
