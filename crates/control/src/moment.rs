use keygate_core::{Problem, Timestamp};

/// Takes a time in RFC 3339, which stands in the field `param`.
pub fn parse_moment(param: &'static str, text: &str) -> Result<Timestamp, Problem> {
    Timestamp::parse_rfc3339(text).map_err(|rule| Problem::invalid_parameter(param, rule))
}
