use keygate_core::Problem;
use keygate_storage::Action;

use crate::{Control, SignedInSession, unavailable};

impl Control {
    /// Ends a session.
    pub async fn sign_out(&self, signed_in: &SignedInSession) -> Result<(), Problem> {
        let account_id = signed_in.account.id;
        let mut audit = self.entry(signed_in.actor(), Action::SessionDelete, account_id);
        audit.subject_id = Some(signed_in.session.id.to_string());
        let deleted = self.store.delete_session(signed_in.session.id, audit).await;
        deleted.map_err(unavailable)?;
        Ok(())
    }
}
