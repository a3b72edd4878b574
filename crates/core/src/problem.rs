use std::{borrow::Cow, time::Duration};

/// The code of an error: every error of either plane has one of these.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Code {
    /// The request is not valid.
    InvalidRequest,
    /// A required field is missing.
    MissingParameter,
    /// A field's value breaks its rule.
    InvalidParameter,
    /// A field that the call does not have.
    UnknownParameter,
    /// The call needs a session.
    SessionRequired,
    /// The session has ended.
    SessionExpired,
    /// E-mail or password is wrong.
    InvalidCredentials,
    /// No key, or none that was ever issued or still exists.
    InvalidApiKey,
    /// The key is deactivated.
    ApiKeyRevoked,
    /// The key has expired.
    ApiKeyExpired,
    /// The key lacks a scope.
    InsufficientScope,
    /// A write that another website sent (by `Origin`).
    OriginNotAllowed,
    /// A write that another website sent (by `Sec-Fetch-Site`).
    CrossOriginRequest,
    /// The account is suspended.
    AccountSuspended,
    /// The call is for admins.
    AdminRequired,
    /// Signing up is not open.
    SignupClosed,
    /// A proxy asks about a request that it does not identify clearly.
    ForwardAuthRefused,
    /// No such key in this account.
    KeyNotFound,
    /// No such resource.
    NotFound,
    /// The resource has no such method.
    MethodNotAllowed,
    /// The rest of the body did not arrive.
    RequestTimeout,
    /// The body is longer than the call allows.
    BodyTooLarge,
    /// The body is not JSON.
    UnsupportedMediaType,
    /// The account has all the active keys it may have.
    KeyLimitReached,
    /// An expired key cannot be activated.
    KeyExpired,
    /// An account with this e-mail address exists already.
    EmailTaken,
    /// The change would leave no admin.
    LastAdmin,
    /// Too many attempts.
    RateLimitExceeded,
    /// An internal error.
    InternalError,
    /// The upstream cannot be reached.
    UpstreamUnreachable,
    /// The upstream does not accept the operator's credential.
    UpstreamRefusedCredential,
    /// keygate is too busy.
    Overloaded,
    /// The database is unavailable.
    StorageUnavailable,
    /// The upstream took too long.
    UpstreamTimeout,
}

impl Code {
    /// Its name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::InvalidRequest => "invalid_request",
            Self::MissingParameter => "missing_parameter",
            Self::InvalidParameter => "invalid_parameter",
            Self::UnknownParameter => "unknown_parameter",
            Self::SessionRequired => "session_required",
            Self::SessionExpired => "session_expired",
            Self::InvalidCredentials => "invalid_credentials",
            Self::InvalidApiKey => "invalid_api_key",
            Self::ApiKeyRevoked => "api_key_revoked",
            Self::ApiKeyExpired => "api_key_expired",
            Self::InsufficientScope => "insufficient_scope",
            Self::OriginNotAllowed => "origin_not_allowed",
            Self::CrossOriginRequest => "cross_origin_request",
            Self::AccountSuspended => "account_suspended",
            Self::AdminRequired => "admin_required",
            Self::SignupClosed => "signup_closed",
            Self::ForwardAuthRefused => "forward_auth_refused",
            Self::KeyNotFound => "key_not_found",
            Self::NotFound => "not_found",
            Self::MethodNotAllowed => "method_not_allowed",
            Self::RequestTimeout => "request_timeout",
            Self::BodyTooLarge => "body_too_large",
            Self::UnsupportedMediaType => "unsupported_media_type",
            Self::KeyLimitReached => "key_limit_reached",
            Self::KeyExpired => "key_expired",
            Self::EmailTaken => "email_taken",
            Self::LastAdmin => "last_admin",
            Self::RateLimitExceeded => "rate_limit_exceeded",
            Self::InternalError => "internal_error",
            Self::UpstreamUnreachable => "upstream_unreachable",
            Self::UpstreamRefusedCredential => "upstream_refused_credential",
            Self::Overloaded => "overloaded",
            Self::StorageUnavailable => "storage_unavailable",
            Self::UpstreamTimeout => "upstream_timeout",
        }
    }
}

/// An error as the client sees it: safe to show, in plain English.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Problem {
    /// Which error it is.
    pub code: Code,
    /// What happened and what to do.
    pub message: Cow<'static, str>,
    /// The field or parameter that caused it.
    pub param: Option<Cow<'static, str>>,
    /// When to try again, for `rate_limit_exceeded` and `overloaded`.
    pub retry_after: Option<Duration>,
    /// The cause, for the log and the operator; never for clients.
    pub cause: Option<Box<str>>,
}

impl Problem {
    /// An error that no field caused.
    pub fn new(code: Code, message: impl Into<Cow<'static, str>>) -> Self {
        Self {
            code,
            message: message.into(),
            param: None,
            retry_after: None,
            cause: None,
        }
    }

    /// The same, with the field that caused it.
    #[must_use]
    pub fn with_param(mut self, param: impl Into<Cow<'static, str>>) -> Self {
        self.param = Some(param.into());
        self
    }

    /// The same, with when to try again.
    #[must_use]
    pub fn with_retry_after(mut self, after: Duration) -> Self {
        self.retry_after = Some(after);
        self
    }

    /// The same, with its cause.
    #[must_use]
    pub fn because(mut self, cause: impl Into<Box<str>>) -> Self {
        self.cause = Some(cause.into());
        self
    }

    /// A field whose value breaks its rule: the message begins with the field's name.
    pub fn invalid_parameter(param: &'static str, rule: impl std::fmt::Display) -> Self {
        Self::new(Code::InvalidParameter, format!("\"{param}\" {rule}.")).with_param(param)
    }

    /// The database is unavailable, because of this error.
    pub fn storage_unavailable(error: &impl std::fmt::Display) -> Self {
        let message = "The key store does not answer at the moment. Try again shortly.";
        Self::new(Code::StorageUnavailable, message).because(error.to_string())
    }

    /// A change was sent to the database, which did not answer whether it was made.
    pub fn storage_uncertain(error: &impl std::fmt::Display) -> Self {
        let message = "The key store did not answer in time. The change may have been made, or may be \
            shortly: look before you try again.";
        Self::new(Code::StorageUnavailable, message).because(error.to_string())
    }

    /// An internal error; the cause is for the log.
    pub fn internal(cause: &impl std::fmt::Display) -> Self {
        let message = "Something in keygate failed. Trying again will not help: tell the operator of \
            this service, who finds the cause in the log.";
        Self::new(Code::InternalError, message).because(cause.to_string())
    }
}
