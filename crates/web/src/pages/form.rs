use axum::extract::Request;
use http::{StatusCode, Uri, header::CONTENT_TYPE};
use keygate_core::{Code, Problem};

use crate::fields::read_body;

/// What somebody typed into a form, and what is wrong with it.
#[derive(Default)]
pub(crate) struct Form {
    fields: Vec<(String, String)>,
    problems: Vec<Problem>,
    /// The fields beside which the page shows what is wrong with them.
    shown: &'static [&'static str],
}

impl Form {
    /// What a browser sends with POST.
    pub(crate) async fn read(
        request: Request,
        shown: &'static [&'static str],
    ) -> Result<Self, Problem> {
        let (parts, body) = request.into_parts();
        let content_type = parts.headers.get(CONTENT_TYPE);
        let content_type = content_type.and_then(|value| value.to_str().ok());
        let essence = content_type.and_then(|value| value.split(';').next());
        if essence != Some("application/x-www-form-urlencoded") {
            return Err(Problem::new(
                Code::UnsupportedMediaType,
                "The form was not understood. Load the page again.",
            ));
        }
        let body = read_body(&parts.headers, body).await?;
        Ok(Self::parse(&body, shown))
    }

    /// What stands behind the question mark of a page's address.
    pub(crate) fn of_query(uri: &Uri, shown: &'static [&'static str]) -> Self {
        Self::parse(uri.query().unwrap_or_default().as_bytes(), shown)
    }

    fn parse(encoded: &[u8], shown: &'static [&'static str]) -> Self {
        Self {
            fields: form_urlencoded::parse(encoded).into_owned().collect(),
            problems: Vec::new(),
            shown,
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

    /// The status of the page that shows the form again.
    pub(crate) fn status(&self) -> StatusCode {
        let problem = self.problems.first();
        let status = problem.map_or(200, |problem| problem.code.status());
        StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_REQUEST)
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

    /// What is wrong, but with none of the fields.
    pub(crate) fn general_error(&self) -> Option<&str> {
        let is_general = |problem: &&Problem| {
            let param = problem.param.as_deref();
            param.is_none_or(|param| !self.shown.contains(&param))
        };
        let found = self.problems.iter().find(is_general)?;
        Some(&found.message)
    }
}

fn capitalised(text: &str) -> String {
    let mut characters = text.chars();
    let first = characters.next().map(|first| first.to_ascii_uppercase());
    first.into_iter().chain(characters).collect()
}
