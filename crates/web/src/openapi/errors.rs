use std::collections::BTreeMap;

use keygate_core::Code;
use keygate_http::status_of;
use utoipa::{
    IntoResponses,
    openapi::{
        ContentBuilder, Header, HeaderBuilder, ObjectBuilder, Ref, RefOr, Response,
        ResponseBuilder, path::Operation, schema::Type,
    },
};

/// Errors as the description of a response: a line for each.
pub(crate) fn list(codes: &[Code]) -> String {
    let lines: Vec<String> = codes.iter().map(|code| line(*code)).collect();
    lines.join("\n")
}

fn line(code: Code) -> String {
    format!("- `{}`: {}", code.as_str(), meaning(code))
}

/// Adds an error to the responses of a call.
pub(super) fn add(operation: &mut Operation, code: Code) {
    let responses = &mut operation.responses.responses;
    let status = status_of(code).to_string();
    let response = responses
        .entry(status)
        .or_insert_with(|| empty(code).into());
    let RefOr::T(Response { description, .. }) = response else {
        return;
    };
    if description.contains(&format!("- `{}`: ", code.as_str())) {
        return;
    }
    if !description.is_empty() {
        description.push('\n');
    }
    description.push_str(&line(code));
}

/// What is to become the description of an error's status.
fn empty(code: Code) -> Response {
    let response = ResponseBuilder::new();
    match code {
        Code::RateLimitExceeded => response.header("Retry-After", retry_after(WHEN)).build(),
        _ => response.build(),
    }
}

const WHEN: &str = "In how many seconds to try again.";

/// Gives every error the one shape that errors have.
pub(super) fn shape(operation: &mut Operation) {
    for (status, response) in &mut operation.responses.responses {
        if let RefOr::T(response) = response
            && status.starts_with(['4', '5'])
        {
            let content = ContentBuilder::new().schema(Some(Ref::from_schema_name("Error")));
            let content = content.build().into();
            response.content.insert("application/json".into(), content);
        }
    }
}

/// What calls answer that check or keep a password: each costs work, so there are limits.
pub(crate) struct PasswordLimits;

impl IntoResponses for PasswordLimits {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        let too_many = ResponseBuilder::new()
            .description(list(&[Code::RateLimitExceeded]))
            .header("Retry-After", retry_after(WHEN));
        let busy = ResponseBuilder::new()
            .description(list(&[Code::Overloaded, Code::StorageUnavailable]))
            .header(
                "Retry-After",
                retry_after("The same; with `overloaded` only."),
            );
        BTreeMap::from([
            ("429".into(), too_many.build().into()),
            ("503".into(), busy.build().into()),
        ])
    }
}

fn retry_after(description: &str) -> Header {
    let seconds = ObjectBuilder::new()
        .schema_type(Type::Integer)
        .minimum(Some(1));
    let header = HeaderBuilder::new().schema(Some(seconds));
    header.description(Some(description)).build()
}

/// When the management API answers with an error.
fn meaning(code: Code) -> &'static str {
    match code {
        Code::InvalidRequest => "the body is not one JSON object in UTF-8, or it is incomplete",
        Code::MissingParameter => "a required field is missing",
        Code::InvalidParameter => "the value of `param` is not valid, or is given twice",
        Code::UnknownParameter => "the call has no field or parameter `param`",
        Code::SessionRequired => "there is no session cookie",
        Code::SessionExpired => "the session has ended",
        Code::InvalidCredentials => "e-mail address or password is wrong",
        Code::OriginNotAllowed => "another website sent the request (`Origin`)",
        Code::CrossOriginRequest => "another website sent the request (`Sec-Fetch-Site`)",
        Code::AccountSuspended => "the account is suspended",
        Code::AdminRequired => "only admins may make this call",
        Code::SignupClosed => {
            "accounts cannot be created in this way here, or the link is not valid"
        }
        Code::KeyNotFound => "the account has no such key",
        Code::NotFound => "there is none with this `id`",
        Code::RequestTimeout => "the body did not arrive within 10 seconds",
        Code::BodyTooLarge => "the body has more than 128 KiB, or 16 KiB without a session",
        Code::UnsupportedMediaType => "the body is not sent as `application/json`",
        Code::KeyLimitReached => "the account has reached its limit on active keys or on all keys",
        Code::KeyExpired => "an expired key cannot be activated",
        Code::EmailTaken => "an account with the e-mail address exists",
        Code::LastAdmin => "it is the account of the last admin, who stays one",
        Code::RateLimitExceeded => {
            "too many passwords were tried, or the account makes too many changes"
        }
        Code::Overloaded => "keygate is too busy",
        Code::InternalError => "an error of keygate itself; its log has the cause",
        Code::StorageUnavailable => {
            "the database is unavailable, or did not say whether a change was made"
        }
        Code::InvalidApiKey
        | Code::ApiKeyRevoked
        | Code::ApiKeyExpired
        | Code::InsufficientScope
        | Code::ForwardAuthRefused
        | Code::MethodNotAllowed
        | Code::UpstreamUnreachable
        | Code::UpstreamRefusedCredential
        | Code::UpstreamTimeout => unreachable!("no call of the management API answers it"),
    }
}
