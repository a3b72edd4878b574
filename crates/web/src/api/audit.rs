use keygate_control::RecordedEntry;
use keygate_core::Problem;
use keygate_wire::AuditEntryResponse;

use crate::query::QueryFields;

/// Entries as they are answered.
pub(crate) fn all(entries: Vec<RecordedEntry>) -> Vec<AuditEntryResponse> {
    entries.into_iter().map(AuditEntryResponse::from).collect()
}

/// The number of the entry before which a list is to go on.
pub(crate) fn parse_before(query: &mut QueryFields) -> Result<Option<u64>, Problem> {
    let before = query.take("before");
    let rule = |_| Problem::invalid_parameter("before", "must be the number of an entry");
    before
        .map(|number| number.parse().map_err(rule))
        .transpose()
}
