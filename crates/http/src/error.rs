//! Errors, as both planes answer them.

use keygate_core::{Code, Problem};
use serde::Serialize;
#[cfg(feature = "schema")]
use utoipa::{
    ToSchema,
    openapi::schema::{ObjectBuilder, Type},
};

/// What every error answers with.
#[derive(Serialize)]
#[cfg_attr(feature = "schema", derive(ToSchema), schema(as = Error, examples(json!({"error": {
    "message": "\"name\" must not be empty.",
    "type": "invalid_request_error",
    "code": "invalid_parameter",
    "param": "name",
}}))))]
pub struct ErrorResponse<'a> {
    #[cfg_attr(feature = "schema", schema(inline))]
    error: ErrorFields<'a>,
}

#[derive(Serialize)]
#[cfg_attr(feature = "schema", derive(ToSchema))]
struct ErrorFields<'a> {
    /// What happened and what to do, for people.
    message: &'a str,
    #[cfg_attr(feature = "schema", schema(schema_with = type_schema))]
    r#type: &'static str,
    /// Which error it is, for programs.
    code: &'static str,
    /// The field or parameter that caused the error.
    #[cfg_attr(feature = "schema", schema(required))]
    param: Option<&'a str>,
}

impl<'a> From<&'a Problem> for ErrorResponse<'a> {
    fn from(problem: &'a Problem) -> Self {
        Self {
            error: ErrorFields {
                message: &problem.message,
                r#type: type_of(problem.code),
                code: problem.code.as_str(),
                param: problem.param.as_deref(),
            },
        }
    }
}

impl ErrorResponse<'_> {
    /// The body.
    pub fn to_json(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("strings serialise")
    }
}

/// The HTTP status with which an error is answered.
pub const fn status_of(code: Code) -> u16 {
    match code {
        Code::InvalidRequest
        | Code::MissingParameter
        | Code::InvalidParameter
        | Code::UnknownParameter => 400,
        Code::SessionRequired
        | Code::SessionExpired
        | Code::InvalidCredentials
        | Code::InvalidApiKey
        | Code::ApiKeyRevoked
        | Code::ApiKeyExpired => 401,
        Code::InsufficientScope
        | Code::OriginNotAllowed
        | Code::CrossOriginRequest
        | Code::AccountSuspended
        | Code::AdminRequired
        | Code::SignupClosed
        | Code::ForwardAuthRefused => 403,
        Code::KeyNotFound | Code::NotFound => 404,
        Code::MethodNotAllowed => 405,
        Code::RequestTimeout => 408,
        Code::KeyLimitReached | Code::KeyExpired | Code::EmailTaken | Code::LastAdmin => 409,
        Code::BodyTooLarge => 413,
        Code::UnsupportedMediaType => 415,
        Code::RateLimitExceeded => 429,
        Code::InternalError => 500,
        Code::UpstreamUnreachable | Code::UpstreamRefusedCredential => 502,
        Code::Overloaded | Code::StorageUnavailable => 503,
        Code::UpstreamTimeout => 504,
    }
}

/// The `type` of an error, from which OpenAI's clients choose their exception.
const fn type_of(code: Code) -> &'static str {
    match status_of(code) {
        401 => "authentication_error",
        403 => "permission_error",
        429 => "rate_limit_error",
        500.. => "server_error",
        _ => "invalid_request_error",
    }
}

#[cfg(feature = "schema")]
fn type_schema() -> utoipa::openapi::schema::Object {
    let one_of_each = [
        Code::InvalidRequest,
        Code::SessionRequired,
        Code::AdminRequired,
        Code::RateLimitExceeded,
        Code::StorageUnavailable,
    ];
    ObjectBuilder::new()
        .schema_type(Type::String)
        .description(Some(
            "The kind of error, by which OpenAI's clients choose their exception.",
        ))
        .enum_values(Some(one_of_each.map(type_of)))
        .build()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_body_has_the_contracts_shape() {
        let problem = Problem::invalid_parameter("name", "must not be empty");
        let body = ErrorResponse::from(&problem).to_json();
        assert_eq!(
            String::from_utf8(body).expect("UTF-8"),
            r#"{"error":{"message":"\"name\" must not be empty.","type":"invalid_request_error","code":"invalid_parameter","param":"name"}}"#
        );
    }
}
