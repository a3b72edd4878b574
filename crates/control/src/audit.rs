use keygate_core::{Code, InvalidEmail, KeyId, Problem};
use keygate_storage::{Action, AuditPage, RecordedEntry};

use crate::{Control, PAGE};

/// Which entries of the record to list.
#[derive(Debug, Clone, Copy, Default)]
pub struct AuditFilter<'a> {
    /// Only what concerns the account of this address.
    pub email: Option<&'a str>,
    /// Only what concerns the key, session or incident with this id.
    pub subject_id: Option<&'a str>,
    /// Only this action.
    pub action: Option<Action>,
    /// Only entries before the one with this number.
    pub before: Option<u64>,
}

impl Control {
    /// Up to 100 entries of the record of changes, newest first. For admins.
    pub async fn list_audit_entries(
        &self,
        filter: AuditFilter<'_>,
    ) -> Result<Vec<RecordedEntry>, Problem> {
        let account_id = match filter.email {
            None => None,
            Some(email) => match self.get_account(email).await {
                Ok(account) => Some(account.id),
                Err(problem) if problem.code == Code::NotFound => return Ok(Vec::new()),
                Err(problem) if problem.code == Code::InvalidParameter => {
                    return Err(Problem::invalid_parameter("account", InvalidEmail));
                }
                Err(problem) => return Err(problem),
            },
        };
        let page = AuditPage {
            account_id,
            subject_id: filter.subject_id.map(parse_subject).transpose()?,
            action: filter.action,
            before: filter.before,
            limit: PAGE,
        };
        let listed = self.store.list_audit_entries(page).await;
        Ok(listed?)
    }
}

/// The id of whatever it is, as it is kept.
fn parse_subject(id: &str) -> Result<String, Problem> {
    // All ids are written alike.
    let id = KeyId::parse(id);
    let rule = || Problem::invalid_parameter("subject", "must be an id");
    id.map(|id| id.to_string()).ok_or_else(rule)
}
