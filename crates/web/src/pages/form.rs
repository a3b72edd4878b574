use axum::{
    extract::{FromRequest, Request},
    response::Response,
};
use http::{HeaderMap, HeaderValue, StatusCode, Uri, header::CONTENT_TYPE};
use http_body::Body as _;
use keygate_core::{Code, Problem};

use super::{Outcome, frame::Frame, message};
use crate::{body::read_body, state::WebState};

/// No page has a form with more fields.
const MAX_FIELDS: usize = 256;

/// What somebody typed into a form, and what is wrong with it.
#[derive(Default)]
pub(crate) struct Form {
    fields: Vec<(String, String)>,
    problems: Vec<Problem>,
}

/// What a browser sends with POST.
impl FromRequest<WebState> for Form {
    type Rejection = Response;

    async fn from_request(request: Request, state: &WebState) -> Result<Self, Response> {
        let headers = request.headers().clone();
        // What is empty need not say what it is.
        let parsed = if is_form(&headers) || request.body().is_end_stream() {
            read_body(request).await.and_then(|body| Self::sent(&body))
        } else {
            Err(not_understood(Code::UnsupportedMediaType))
        };
        match parsed {
            Ok(form) => Ok(form),
            Err(problem) => {
                let frame = Frame::public(state, &headers, "").await;
                Err(message::show(frame, &problem))
            }
        }
    }
}

/// Whether a body is what browsers send for a form. What is said of its charset means nothing: it is UTF-8,
/// since the pages are.
fn is_form(headers: &HeaderMap) -> bool {
    let content_type = headers.get(CONTENT_TYPE).map(HeaderValue::as_bytes);
    let essence = content_type.and_then(|value| value.split(|byte| *byte == b';').next());
    let form = b"application/x-www-form-urlencoded";
    essence.is_some_and(|name| name.trim_ascii().eq_ignore_ascii_case(form))
}

fn not_understood(code: Code) -> Problem {
    let why = "The form was not understood. Load the page again.";
    Problem::new(code, why)
}

impl Form {
    /// What stands behind the question mark of a page's address.
    pub(crate) fn of_query(uri: &Uri) -> Self {
        Self::parse(uri.query().unwrap_or_default().as_bytes())
    }

    /// What a browser has sent.
    fn sent(encoded: &[u8]) -> Result<Self, Problem> {
        let form = Self::parse(encoded);
        if form.fields.len() > MAX_FIELDS {
            return Err(not_understood(Code::InvalidRequest));
        }
        Ok(form)
    }

    fn parse(encoded: &[u8]) -> Self {
        let fields = form_urlencoded::parse(encoded).into_owned();
        Self {
            fields: fields.take(MAX_FIELDS + 1).collect(),
            problems: Vec::new(),
        }
    }

    /// The text of a field; empty where there is none.
    pub(crate) fn text(&self, name: &str) -> &str {
        self.all(name).next().unwrap_or_default()
    }

    /// The texts of all fields of this name.
    pub(crate) fn all(&self, name: &str) -> impl Iterator<Item = &str> {
        let fields = self.fields.iter().filter(move |(known, _)| known == name);
        fields.map(|(_, text)| text.as_str())
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        self.all(name).next().is_some()
    }

    /// All that was typed, but for what is not to be shown again and what the page itself put there.
    pub(crate) fn typed(&self) -> impl Iterator<Item = (&str, &str)> {
        const NOT_TYPED: [&str; 4] = ["id", "current_password", "password", "token"];
        let fields = self.fields.iter();
        let typed = fields.filter(|(name, _)| !NOT_TYPED.contains(&name.as_str()));
        typed.map(|(name, text)| (name.as_str(), text.as_str()))
    }

    /// Fills a field, in the place of what stands in it.
    pub(crate) fn set<'a>(&mut self, name: &str, texts: impl IntoIterator<Item = &'a str>) {
        self.fields.retain(|(known, _)| known != name);
        let texts = texts.into_iter();
        self.fields
            .extend(texts.map(|text| (name.to_owned(), text.to_owned())));
    }

    /// The value, or nothing and the problem kept.
    pub(crate) fn accept<T>(&mut self, parsed: Result<T, Problem>) -> Option<T> {
        parsed.map_err(|problem| self.refuse(problem)).ok()
    }

    /// Notes what is wrong.
    pub(crate) fn refuse(&mut self, problem: Problem) {
        self.problems.push(problem);
    }

    /// Whether nothing is wrong.
    pub(crate) fn is_fine(&self) -> bool {
        self.problems.is_empty()
    }

    /// What is wrong first.
    pub(crate) fn problem(&self) -> Option<&Problem> {
        self.problems.first()
    }

    /// How a page that shows the form is answered.
    pub(crate) fn outcome(&self) -> Outcome {
        let problem = self.problem();
        problem.map_or_else(|| StatusCode::OK.into(), Outcome::from)
    }

    /// What is wrong with a field.
    pub(crate) fn error_of(&self, name: &str) -> Option<String> {
        let found = self
            .problems
            .iter()
            .find(|problem| problem.param.as_deref() == Some(name))?;
        // The API names the field; here it stands beside it.
        let rule = found.message.strip_prefix(&format!("\"{name}\" "));
        Some(capitalised(rule.unwrap_or(&found.message)))
    }

    /// What is wrong, but is not shown beside one of these fields.
    pub(crate) fn error_apart_from(&self, fields: &[&str]) -> Option<&str> {
        let is_apart = |problem: &&Problem| {
            let param = problem.param.as_deref();
            param.is_none_or(|param| !fields.contains(&param))
        };
        let found = self.problems.iter().find(is_apart)?;
        Some(&found.message)
    }
}

fn capitalised(text: &str) -> String {
    let mut characters = text.chars();
    let first = characters.next().map(|first| first.to_ascii_uppercase());
    first.into_iter().chain(characters).collect()
}
