//! What was found where something was looked at.

use crate::failure::Failure;

/// What a check came to.
#[derive(Debug)]
pub(crate) struct Finding {
    /// What was looked at.
    pub(crate) check: &'static str,
    pub(crate) state: State,
    /// What there is.
    pub(crate) message: String,
    /// What to do.
    pub(crate) advice: Option<String>,
}

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    Ok,
    /// It may be meant so.
    Warning,
    /// Something does not work, or is not safe.
    Wrong,
}

impl State {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warning => "warning",
            Self::Wrong => "wrong",
        }
    }
}

impl Finding {
    pub(crate) fn ok(check: &'static str, message: impl Into<String>) -> Self {
        Self {
            check,
            state: State::Ok,
            message: message.into(),
            advice: None,
        }
    }

    pub(crate) fn warning(
        check: &'static str,
        message: impl Into<String>,
        advice: impl Into<String>,
    ) -> Self {
        Self::ok(check, message).advised(State::Warning, advice)
    }

    pub(crate) fn wrong(
        check: &'static str,
        message: impl Into<String>,
        advice: impl Into<String>,
    ) -> Self {
        Self::ok(check, message).advised(State::Wrong, advice)
    }

    fn advised(self, state: State, advice: impl Into<String>) -> Self {
        Self {
            state,
            advice: Some(advice.into()),
            ..self
        }
    }

    /// What a command would have failed with, which says what to do as well.
    pub(crate) fn failure(check: &'static str, failure: &Failure) -> Self {
        let text = failure.to_string();
        // The first sentence says what there is.
        match text.split_once(". ") {
            Some((message, advice)) => Self::wrong(check, format!("{message}."), advice),
            None => Self {
                state: State::Wrong,
                ..Self::ok(check, text)
            },
        }
    }
}

impl From<&Finding> for Failure {
    fn from(found: &Finding) -> Self {
        match &found.advice {
            Some(advice) => Self::new(format!("{} {advice}", found.message)),
            None => Self::new(&*found.message),
        }
    }
}
