use keygate_core::{Code, Problem, SessionId};
use keygate_storage::{Action, Session};

use crate::{Control, SignedInSession};

impl Control {
    /// Ends a session.
    pub async fn sign_out(&self, signed_in: &SignedInSession) -> Result<(), Problem> {
        let id = signed_in.session.id.to_string();
        match self.end_session(signed_in, &id).await {
            // Somebody else has ended it in between.
            Err(problem) if problem.code == Code::NotFound => Ok(()),
            ended => ended,
        }
    }

    /// The live sessions of the account that is signed in, the last used first.
    pub async fn list_sessions(
        &self,
        signed_in: &SignedInSession,
    ) -> Result<Vec<Session>, Problem> {
        let (account_id, now) = (signed_in.account.id, self.clock.now());
        let _turn = self.reads.turn(account_id).await;
        let listed = self.store.list_sessions(account_id, now).await;
        Ok(listed?)
    }

    /// Ends a session of the account that is signed in. What is no id, an unknown one and another
    /// account's are all the same.
    pub async fn end_session(&self, signed_in: &SignedInSession, id: &str) -> Result<(), Problem> {
        let account_id = signed_in.account.id;
        let id = SessionId::parse(id).ok_or_else(session_not_found)?;
        let mut audit = self.entry(signed_in.actor(), Action::SessionDelete, account_id);
        audit.subject_id = Some(id.to_string());
        let deleted = self.store.delete_session(account_id, id, audit).await;
        deleted??.then_some(()).ok_or_else(session_not_found)
    }

    /// Ends all sessions of the account that is signed in, except the one that asks for it.
    pub async fn end_other_sessions(&self, signed_in: &SignedInSession) -> Result<(), Problem> {
        let (account_id, kept) = (signed_in.account.id, signed_in.session.id);
        let audit = self.entry(signed_in.actor(), Action::SessionDeleteOthers, account_id);
        let ended = self.store.delete_other_sessions(account_id, kept, audit);
        Ok(ended.await??)
    }
}

fn session_not_found() -> Problem {
    Problem::new(Code::NotFound, "There is no such session.")
}
