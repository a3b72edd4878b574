use keygate_core::{Code, LinkId, Problem};
use keygate_storage::{Action, Actor, AuditEntry, Link, LinkKind, LinkPage};

use crate::Control;

impl Control {
    /// Up to `limit` one-time links that still work, newest first; `before` is the id that the last page
    /// ended with. For operators and admins.
    pub async fn list_links(
        &self,
        before: Option<LinkId>,
        limit: u32,
    ) -> Result<Vec<Link>, Problem> {
        let page = LinkPage { before, limit };
        let listed = self.store.list_links(page, self.clock.now()).await;
        Ok(listed?)
    }

    /// Withdraws a one-time link: it works no more from the moment this returns. What is no id, and one of
    /// no link, are the same. For operators and admins.
    pub async fn withdraw_link(&self, actor: Actor, id: &str) -> Result<(), Problem> {
        let id = LinkId::parse(id).ok_or_else(link_not_found)?;
        // What kind a link is, and whose password it resets, never changes.
        let found = self.store.lookup_link(id).await?;
        let link = found.ok_or_else(link_not_found)?;
        let action = match link.kind {
            LinkKind::Setup | LinkKind::Invitation => Action::InvitationWithdraw,
            LinkKind::PasswordReset => Action::PasswordResetWithdraw,
        };
        let audit = AuditEntry {
            at: self.clock.now(),
            actor,
            action,
            account_id: link.account_id,
            subject_id: Some(id.to_string()),
            detail: None,
        };
        let deleted = self.store.delete_link(id, audit).await;
        deleted??.then_some(()).ok_or_else(link_not_found)
    }
}

fn link_not_found() -> Problem {
    Problem::new(Code::NotFound, "There is no such link.")
}
