//! The parameters behind a path's question mark, taken one by one, so that each refusal can name the
//! one at fault.

use std::ops::RangeInclusive;

use http::Uri;
use keygate_control::PAGE;
use keygate_core::Problem;
use keygate_wire::{duplicate_parameter, unknown_parameter};

/// How many items of a page can be asked for.
const LIMITS: RangeInclusive<u32> = 1..=1_000;

/// The parameters of a call, none of them twice.
pub(crate) struct QueryFields(Vec<(String, String)>);

impl QueryFields {
    /// Refuses parameters that the call does not have, and those that are there twice.
    pub(crate) fn only(uri: &Uri, known: &[&'static str]) -> Result<Self, Problem> {
        let mut fields: Vec<(String, String)> = Vec::new();
        let query = uri.query().unwrap_or_default();
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            let Some(known) = known.iter().find(|known| **known == name) else {
                return Err(unknown_parameter(&name, known));
            };
            if fields.iter().any(|(there, _)| there == known) {
                return Err(duplicate_parameter(known));
            }
            fields.push((name.into_owned(), value.into_owned()));
        }
        Ok(Self(fields))
    }

    /// How many items a page is to have at most (`limit`).
    pub(crate) fn limit(&mut self) -> Result<u32, Problem> {
        let Some(text) = self.take("limit") else {
            return Ok(PAGE);
        };
        let limit = text.parse().ok().filter(|limit| LIMITS.contains(limit));
        limit.ok_or_else(|| Problem::invalid_parameter("limit", "must be a number from 1 to 1000"))
    }

    /// A parameter's value, if it is there.
    pub(crate) fn take(&mut self, name: &str) -> Option<String> {
        let position = self.0.iter().position(|(known, _)| known == name)?;
        Some(self.0.swap_remove(position).1)
    }
}
